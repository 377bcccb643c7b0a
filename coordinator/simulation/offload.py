"""Blocking work in simulation: done in the loop, after a seeded while of virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from coordinator.domain.errands import Errand, Stragglers
from coordinator.domain.ports import Chance

T = TypeVar("T")


class Inline:
    """The Offload port without threads: the work is done at once when its time is over.

    As with a thread, a caller that is cancelled leaves the work to itself, and it is done when its time comes.

    Args:
        stragglers: keeps account of work whose callers have left.
        chance: decides how long each piece of work takes.
        longest_s: seconds of virtual time that it may take.

    Raises:
        Refused: `stragglers_full`, in passing.
    """

    def __init__(self, stragglers: Stragglers, chance: Chance, longest_s: float = 0.05) -> None:
        self._stragglers = stragglers
        self._chance = chance
        self._longest_s = longest_s

    async def __call__(self, work: Callable[..., T], /, *args: Any, errand: Errand | None = None) -> T:
        """Do *work* after a while; when the caller is cancelled it is done alone, and *errand* is told its end."""
        self._stragglers.check()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._chance() * self._longest_s
        try:
            await asyncio.sleep(until - loop.time())
        except asyncio.CancelledError:
            alone = loop.create_task(_later(until, work, *args))
            if errand is not None:
                straggler = self._stragglers.keep(errand)
                alone.add_done_callback(lambda done: straggler.ended(done.exception()))
            raise
        return work(*args)


async def _later(until: float, work: Callable[..., T], *args: Any) -> T:
    await asyncio.sleep(until - asyncio.get_running_loop().time())
    return work(*args)
