"""An event loop in virtual time: nothing waits, what is ready runs in a seeded order, a blocked world is an error."""

import asyncio
import heapq
import itertools
import random  # noqa: TID251 - generators that the caller seeds, never the process's own
import selectors
import threading  # noqa: TID251 - only to see whether a thread is out, never to start one
from collections import deque
from collections.abc import Callable, Generator
from contextvars import Context
from operator import attrgetter
from selectors import SelectorKey
from typing import Any

from anyio._backends._asyncio import WorkerThread

from coordinator.simulation.stacks import places

# aiolimiter's two readings of one instant disagree by a float's last bit; time that stands still would loop forever.
CREEP_S = 1e-9
# A clock that creeps has no exact ties; what lies so near together may come in either order.
SIMULTANEOUS_S = 1e-6

# Timers that were called off and wait to be thrown away; asyncio sweeps them when they are the half of all.
MOST_CANCELLED = 500

_UNNAMED = "task"

_BIRTH = attrgetter("_callback.__self__._birth")
"""Of the task whose step a handle takes."""

_Events = list[tuple[SelectorKey, int]]


# Turns at one virtual instant. Ten thousand runs that start at once take a few hundred; what takes so many never ends.
MOST_TURNS = 1_000_000


class Deadlock(RuntimeError):
    """Every task waits for another: nothing is ready, nothing is scheduled, no thread is out; or no time passes."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing is ready and no thread is out.

    Its time starts at zero and creeps by a nanosecond per reading. Threads that asyncio or anyio started are waited
    for in real time. Not for real sockets.

    With a *seed*, tasks that are ready at the same time run in a random order that the seed decides, and timers within
    a microsecond of one another fire in one: the same seed gives the same run, in any process. What asyncio promises
    stays in its order: plain callbacks run as they were called, and no timer fires before its time. The debug mode of
    asyncio, which reads the clock more often, is not entered because of the environment.

    Args:
        seed: of the order; None for asyncio's own.

    Raises:
        Deadlock: from `run_until_complete`, with the places at which the tasks wait.
    """

    # What the order is made with is asyncio's own, and not in its stubs; tests/simulation/test_clock.py pins it.
    _ready: deque[Any]
    _scheduled: list[Any]
    _stopping: bool
    _timer_cancelled_count: int
    _clock_resolution: float
    _signal_handlers: dict[int, Any]
    _selector: "_Jumping"

    def __init__(self, seed: int | str | None = None) -> None:
        self._now = 0.0
        self._out = 0
        self._turns = 0
        """Taken since time last passed."""
        self._dice = None if seed is None else random.Random(f"order {seed}")  # noqa: S311 - to repeat, not to hide
        super().__init__(_Jumping(self))
        self._clock_resolution = CREEP_S  # that of the machine's clock would let timers fire early
        if self._dice is not None:
            self.set_debug(False)
        self.births = itertools.count()
        """Numbers for tasks, in the order of their making."""
        self.set_task_factory(_bear)  # type: ignore[arg-type]  # the stub's protocol is generic over every coroutine

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        self._now += CREEP_S
        return self._now

    def pass_idle(self, select: Callable[[float | None], _Events], timeout: float | None) -> _Events:
        """Spend *timeout* seconds of virtual time in which nothing would happen; None when nothing is scheduled."""
        if self.waits_outside():
            return select(None)
        if timeout is None:
            raise Deadlock(_told(self, "deadlock: every task waits and nothing will wake one"))
        self._now += timeout
        self._turns = 0
        return []

    def waits_outside(self) -> bool:
        """Say whether a thread is out, which will be back in real time."""
        return bool(self._out) or self._busy_workers()

    def run_in_executor(  # type: ignore[override]  # the stub's variadic types cannot be written in Python 3.11
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run *func* in a thread; until it is back, time stands still."""
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self._out += 1
        future.add_done_callback(self._back)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Wait for the threads of the default executor; until they have ended, time stands still."""
        self._out += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._out -= 1

    def _run_once(self) -> None:
        self._turns += 1
        if self._turns > MOST_TURNS:
            self._turns = 0
            raise Deadlock(_told(self, f"livelock: {MOST_TURNS:,} turns in which no time passed"))
        dice = self._dice
        if dice is None:
            super()._run_once()  # type: ignore[misc]  # private in the stubs, and the one place where turns are taken
            return
        ready = self._ready
        if self._scheduled:
            self._gather(dice)
        if len(ready) > 1:
            self._shuffle(dice)
        if not ready or self._timer_cancelled_count > MOST_CANCELLED or self._selector.may_have_news():
            super()._run_once()  # type: ignore[misc]  # as above
            return
        # What asyncio would do, without asking the system for news that cannot be there: half the cost of a turn.
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _gather(self, dice: random.Random) -> None:
        """Make ready, in a random order, all timers that are due; when nothing else is, those that come next."""
        timers, ready = self._scheduled, self._ready
        if not ready and not self._stopping and not self.waits_outside():
            self._now = max(self._now, self._next())
            self._turns = 0
        if not timers or timers[0]._when > self._now:
            return
        due = []
        until = self._now + SIMULTANEOUS_S
        while timers and timers[0]._when <= until:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1
            else:
                self._now = max(self._now, timer._when)
                due.append(timer)
        if len(due) > 1:
            dice.shuffle(due)
        ready.extend(due)

    def _next(self) -> float:
        """Return the time of the next timer that was not cancelled."""
        timers = self._scheduled
        while timers and timers[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(timers)._scheduled = False
        return timers[0]._when if timers else self._now

    def _shuffle(self, dice: random.Random) -> None:
        """Let tasks that are ready change places; every other callback keeps its own."""
        ready = self._ready
        where = [index for index, handle in enumerate(ready) if _steps(handle)]
        if len(where) < 2:
            return
        # By birth first: who wakes many may do so in the order of a set, which is that of addresses.
        steps = sorted((ready[index] for index in where), key=_BIRTH)
        dice.shuffle(steps)
        for index, handle in zip(where, steps, strict=True):
            ready[index] = handle

    def _back(self, _future: asyncio.Future[Any]) -> None:
        self._out -= 1

    def _busy_workers(self) -> bool:
        # anyio's limiters count callers, not threads; its worker threads know themselves whether they are idle.
        return threading.active_count() > 1 and any(
            thread.loop is self and not thread.stopping and thread not in thread.idle_workers
            for thread in threading.enumerate()
            if isinstance(thread, WorkerThread)
        )


class BornTask(asyncio.Task[Any]):
    """A task whose hash is the number of its birth in its loop.

    Task groups keep their tasks in sets; by addresses, siblings would be cancelled in another order in every process.
    """

    _birth: int | None = None

    def __hash__(self) -> int:
        # A task is asked for the first time while it is born, when it registers itself. An `__init__` of ours would
        # cost every task more than this.
        birth = self._birth
        if birth is None:
            loop: Any = self.get_loop()
            birth = self._birth = next(loop.births)
        return birth

    def get_name(self) -> str:
        """Return the name that the task was given, else one that is the same in every process."""
        name = super().get_name()
        return f"task {hash(self)}" if name == _UNNAMED else name


def _bear(
    loop: asyncio.AbstractEventLoop, work: Generator[Any, None, Any], context: Context | None = None
) -> asyncio.Task[Any]:
    return BornTask(work, loop=loop, name=_UNNAMED, context=context)


class _Jumping(selectors.DefaultSelector):
    """Asks the system only for what may come from outside, and hands idle time to the loop instead of sleeping."""

    _fd_to_key: dict[int, SelectorKey]  # asked in every turn, and so without the wrapper of `get_map`

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def may_have_news(self) -> bool:
        """Say whether something may have come from outside that has left no callback behind.

        The first file is the loop's own pipe. Threads that wake the loop by it also leave their callback behind.
        """
        return len(self._fd_to_key) > 1 or bool(self._loop._signal_handlers)

    def select(self, timeout: float | None = None) -> _Events:
        """Return what is ready now; else let virtual time pass."""
        ready = super().select(0) if self.may_have_news() else []
        if ready or (timeout is not None and timeout <= 0):
            return ready
        return self._loop.pass_idle(super().select, timeout)


def _steps(handle: Any) -> bool:
    return isinstance(getattr(handle._callback, "__self__", None), BornTask)


def _told(loop: asyncio.AbstractEventLoop, what: str) -> str:
    return "\n  ".join([what, *sorted(places(task) for task in asyncio.all_tasks(loop))])
