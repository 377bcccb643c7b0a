"""An observer that cannot hurt."""

import logging

from coordinator.domain.events import Event, Observer

log = logging.getLogger("coordinator")


class Guarded:
    """Passes events to *observer*; one that raises is dropped and logged, and the run goes on."""

    __slots__ = ("_observer",)

    def __init__(self, observer: Observer) -> None:
        self._observer: Observer | None = observer

    def tell(self, event: Event) -> None:
        """Pass *event* on."""
        if self._observer is None:
            return
        try:
            self._observer(event)
        except Exception:  # an observer is one of the three edges that may catch everything
            log.exception("observer %r raised at %s of run %s and is dropped", self._observer, event.kind, event.run)
            self._observer = None
