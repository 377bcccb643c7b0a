"""How many briefs a member works on at once."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Slots:
    """A counted set of places, handed on first in, first out; who comes back goes before who is new.

    Args:
        places: how many may be taken at once.
    """

    __slots__ = ("_free", "_waiting")

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    def try_take(self) -> bool:
        """Take a place if one is free now."""
        if self._free > 0:
            self._free -= 1
            return True
        return False

    async def take(self, *, returning: bool = False) -> None:
        """Wait for a place; *returning* callers had one before and go first."""
        if self.try_take():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if returning:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        try:
            await waiter
        except BaseException:
            # The place may have been handed over in the same moment: then it goes to the next in line.
            if waiter.done() and not waiter.cancelled():
                self.give()
            elif waiter in self._waiting:  # who gives a place passes over those that were cancelled, and drops them
                self._waiting.remove(waiter)
            raise

    def give(self) -> None:
        """Give a place back, straight to the next in line."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1


class Place:
    """One place among *slots*, lent to others while its holder waits for a delegate.

    Who waits for another member holds no place, so members that delegate to one another cannot deadlock.
    """

    __slots__ = ("_held", "_lent", "_retaking", "_slots")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._held = True
        self._lent = 0
        self._retaking: asyncio.Lock | None = None

    async def while_lent(self, work: Awaitable[T]) -> T:
        """Await *work* with the place given to others; several delegations at once lend it once."""
        self._lent += 1
        self.leave()
        leaving = False
        try:
            return await work
        except asyncio.CancelledError:
            leaving = True  # on its way out, it must not queue for a place again
            raise
        finally:
            self._lent -= 1
            if not leaving:
                await self._retake()

    async def _retake(self) -> None:
        """Wait for a place again; of several branches that come back, the first takes it for all of them."""
        if self._retaking is None:
            self._retaking = asyncio.Lock()
        async with self._retaking:
            if self._held or self._lent:
                return
            await self._slots.take(returning=True)
            self._held = True
            if self._lent:  # another branch has lent it since
                self.leave()

    def leave(self) -> None:
        """Give the place to others, if it is held."""
        if self._held:
            self._held = False
            self._slots.give()
