"""An event loop in virtual time: nothing waits, and a blocked world is an error."""

import asyncio
import selectors
import threading  # noqa: TID251 - only to see whether a thread is out, never to start one
from collections.abc import Callable
from selectors import SelectorKey
from typing import Any

from anyio._backends._asyncio import WorkerThread

# aiolimiter's two readings of one instant disagree by a float's last bit; time that stands still would loop forever.
CREEP_S = 1e-9

_Events = list[tuple[SelectorKey, int]]


class Deadlock(RuntimeError):
    """Every task waits for another: nothing is ready, nothing is scheduled, no thread is out."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing is ready and no thread is out.

    Its time starts at zero and creeps by a nanosecond per reading. Threads that asyncio or anyio started are waited
    for in real time. Not for real sockets.

    Raises:
        Deadlock: from `run_until_complete`, with the places at which the tasks wait.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._out = 0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        self._now += CREEP_S
        return self._now

    def pass_idle(self, select: Callable[[float | None], _Events], timeout: float | None) -> _Events:
        """Spend *timeout* seconds of virtual time in which nothing would happen; None when nothing is scheduled."""
        if self._out or self._busy_workers():
            return select(None)
        if timeout is None:
            raise Deadlock(_stacks(self))
        self._now += timeout
        return []

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

    def _back(self, _future: asyncio.Future[Any]) -> None:
        self._out -= 1

    def _busy_workers(self) -> bool:
        # anyio's limiters count callers, not threads; its worker threads know themselves whether they are idle.
        return threading.active_count() > 1 and any(
            thread.loop is self and not thread.stopping and thread not in thread.idle_workers
            for thread in threading.enumerate()
            if isinstance(thread, WorkerThread)
        )


class _Jumping(selectors.DefaultSelector):
    """Polls, and hands idle time to the loop instead of sleeping."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> _Events:
        """Return what is ready now; else let virtual time pass."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        return self._loop.pass_idle(super().select, timeout)


def _stacks(loop: asyncio.AbstractEventLoop) -> str:
    lines = [_place(task) for task in asyncio.all_tasks(loop)]
    return "\n  ".join(["deadlock: every task waits and nothing will wake one", *sorted(lines)])


def _place(task: asyncio.Task[Any]) -> str:
    places = [f"{frame.f_code.co_filename}:{frame.f_lineno}" for frame in task.get_stack(limit=3)]
    return f"{task.get_name()} waits at {' < '.join(reversed(places))}"
