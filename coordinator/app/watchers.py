"""Who is told what happens: observers that were given, that settings ask for, and the watch that raises alarms."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from coordinator.domain.errands import Offload
from coordinator.domain.events import Kind, Observer
from coordinator.settings import Settings
from coordinator.telemetry.alarms import Watch
from coordinator.telemetry.guard import Guarded


class Watchers:
    """The observers of a Coordinator.

    An observer may also have `headers`, a function that gives headers which requests to providers carry; that is how a
    trace goes on at the other side. Where nobody observes, no alarm is worked out either.

    Args:
        settings: whether OpenTelemetry is told, and when alarms are raised.
        given: observers that were given in code.

    Raises:
        Invalid: `missing_extra`.
    """

    __slots__ = ("_own", "headers", "told", "watches")

    def __init__(self, settings: Settings, given: Sequence[Observer]) -> None:
        self._own: Any = import_module("coordinator.telemetry.exporting").OpenTelemetry() if settings.otel else None
        observers = (*given, self._own) if self._own is not None else tuple(given)
        self.told: tuple[Observer, ...] = tuple(Guarded(observer).tell for observer in observers)
        watch = Watch(self.told, settings.alarms)
        self.watches: Mapping[Kind, Observer] = dict.fromkeys(watch.kinds, Guarded(watch).tell) if observers else {}
        """Who raises alarms, by the kinds of events that may be a reason for one."""
        giving = (getattr(observer, "headers", None) for observer in observers)
        self.headers: Callable[[], Mapping[str, str]] | None = next(filter(None, giving), None)

    async def close(self, offload: Offload) -> None:
        """Send what is left, as far as settings asked for it."""
        if self._own is not None:
            await offload(self._own.close)
