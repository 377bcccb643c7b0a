"""Looking at a load test again and again, and at how late the event loop lets one look."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

EVERY_S = 0.05
"""In real time lag is measured so often; what costs more is looked at when `look` says."""

Look = Callable[[float], float]
"""Given the seconds since the last look; returns in how many seconds to look again."""


class Sampler:
    """Looks while it is entered.

    Args:
        loop: in which the test runs.
        look: what to do.
        lag: is told by how many seconds each moment came late; None in virtual time, where nothing is late.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Look, lag: Callable[[float], None] | None) -> None:
        self._loop = loop
        self._look = look
        self._lag = lag
        self._looked_at = self._look_at = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._set(self._loop.time() + EVERY_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, when: float) -> None:
        self._timer = self._loop.call_at(when, self._moment, when)

    def _moment(self, when: float) -> None:
        now = self._loop.time()
        if self._lag is not None:
            self._lag(max(0.0, now - when))
        if now >= self._look_at:
            self._look_at = now + max(EVERY_S, self._look(now - self._looked_at))
            self._looked_at = now
        self._set(self._look_at if self._lag is None else self._loop.time() + EVERY_S)
