"""Stragglers in one process: work that goes on although its caller has left."""

import asyncio
from contextlib import suppress
from typing import Any

from coordinator.domain.errands import Errand
from coordinator.domain.errors import Refused
from coordinator.domain.timer import Timer
from coordinator.domain.value import value

# Tasks that were ended by force are over in the next turns of the loop, unless they wait for tasks of their own.
END_S = 0.1


@value
class StragglersState:
    """What goes on alone, by the dependency that does it, and what became of all that did."""

    working: tuple[str, ...]
    most: int
    ended: int
    failed: int
    refused: int
    oldest_s: float


class Stragglers:
    """Keeps account of abandoned work: a thread cannot be stopped, and a coroutine may not care.

    It bounds how much may go on at once by refusing new work of the kind; what has begun is always kept. Needs a
    running event loop.

    Args:
        most: how many may go on alone before new work is refused.
        retry_after_s: seconds after which those refused may ask again.
    """

    def __init__(self, most: int = 64, retry_after_s: float = 1.0) -> None:
        self._most = most
        self._retry_after_s = retry_after_s
        self._working: dict[Straggler, None] = {}
        self._ended = self._failed = self._refused = 0
        self._none = asyncio.Event()

    @property
    def room(self) -> int:
        """Return how many more may go on alone before new work is refused."""
        return max(0, self._most - len(self._working))

    def check(self, name: str = "") -> None:
        """Say no to new work while too much goes on alone.

        Args:
            name: a dependency, which is refused only when work of its own is among that; any work, when empty.

        Raises:
            Refused: `stragglers_full`, in passing, with `retry_after`.
        """
        if len(self._working) < self._most:
            return
        if name and all(straggler.errand.name != name for straggler in self._working):
            return
        self._refused += 1
        raise Refused(
            f"{len(self._working)} calls go on although nobody waits for them any more",
            code="stragglers_full", hint="look at tools that block, or that do not end when they are cancelled",
            retry_after=self._retry_after_s, passing=True,
        )  # fmt: skip

    def keep(self, errand: Errand, task: asyncio.Task[Any] | None = None) -> "Straggler":
        """Record that the work of *errand* goes on alone, in *task* where it is no thread."""
        straggler = Straggler(self, errand, asyncio.get_running_loop(), task)
        self._working[straggler] = None
        errand.left()
        return straggler

    def gone(self, straggler: "Straggler", *, failed: bool) -> None:
        """Forget *straggler*, which has ended."""
        del self._working[straggler]
        self._ended += 1
        self._failed += failed
        if not self._working:
            self._none.set()

    async def close(self) -> None:
        """End by force the tasks that go on alone; threads cannot be ended.

        The coroutine of each is closed where it stands, which who swallows a cancellation does not hear. Its `finally`
        blocks run, as far as they do not wait.
        """
        ending = [task for straggler in list(self._working) if (task := straggler.end()) is not None]
        if ending:
            await asyncio.wait(ending, timeout=END_S)

    async def drained(self, timeout: float) -> int:  # noqa: ASYNC109 - it ends with a count, and not with an error
        """Wait until nothing goes on alone, at most *timeout* seconds, and return how much still does."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError), Timer(loop.time() + timeout, loop):
            while self._working:
                self._none.clear()
                await self._none.wait()
        return len(self._working)

    def snapshot(self) -> StragglersState:
        """Return what goes on alone."""
        working = list(self._working)
        names = tuple(straggler.errand.name for straggler in working)
        oldest = working[0].age_s if working else 0.0
        return StragglersState(names, self._most, self._ended, self._failed, self._refused, oldest)


class Straggler:
    """One piece of work that goes on alone."""

    __slots__ = ("_by_force", "_loop", "_since", "_stragglers", "_task", "errand")

    def __init__(
        self,
        stragglers: Stragglers,
        errand: Errand,
        loop: asyncio.AbstractEventLoop,
        task: asyncio.Task[Any] | None = None,
    ) -> None:
        self._stragglers = stragglers
        self._loop = loop
        self._task = task
        self._by_force = False
        self._since = loop.time()
        self.errand = errand

    @property
    def age_s(self) -> float:
        """Return for how many seconds it has gone on."""
        return self._loop.time() - self._since

    def ended(self, error: BaseException | None) -> None:
        """Record how it ended; None when it went well."""
        if self._by_force:
            error = asyncio.CancelledError()
        self._stragglers.gone(self, failed=error is not None)
        self.errand.late(error)

    def end(self) -> asyncio.Task[Any] | None:
        """End its task by force, and return it; None when it has ended, or has none."""
        task = self._task
        if task is None or task.done():
            return None
        self._by_force = True
        coroutine: Any = task.get_coro()
        with suppress(Exception):  # it does not hear this either, or its `finally` blocks fail, which nobody awaits
            coroutine.close()
        task.cancel()  # wakes it, so that it finds out
        return task
