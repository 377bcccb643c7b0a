"""Threads for blocking work."""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from threading import Lock  # noqa: TID251 - decides who was first: the thread that ends, or the caller that leaves
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_thread

from coordinator.domain.errands import Errand, Straggler, Stragglers

T = TypeVar("T")


class Threads:
    """The Offload port in life: a bounded number of worker threads, apart from everybody else's.

    A thread cannot be stopped. When its caller is cancelled it goes on among the stragglers, and its place is free for
    other work; what had not begun by then never does. Never are more threads at work than may be abandoned together.

    Args:
        stragglers: keeps account of the threads whose callers have left.
        most: threads at once that somebody waits for; further work waits.

    Raises:
        Refused: `stragglers_full`, in passing.
    """

    def __init__(self, stragglers: Stragglers, most: int = 16) -> None:
        self._stragglers = stragglers
        self._most = most
        self._places = anyio.CapacityLimiter(most)
        self._unlimited = anyio.CapacityLimiter(math.inf)

    async def __call__(self, work: Callable[..., T], /, *args: Any, errand: Errand | None = None) -> T:
        """Run *work* in a thread; when the caller is cancelled it goes on alone, and *errand* is told its end."""
        self._stragglers.check()
        self._fit()
        async with self._places:
            self._fit()
            self._stragglers.check()  # again: while it waited, others may have left their threads
            job = _Job(work, args)
            try:
                return await anyio.to_thread.run_sync(job, abandon_on_cancel=True, limiter=self._unlimited)
            except asyncio.CancelledError:
                job.leave(self._stragglers, errand or _Unnamed())
                self._fit()
                raise

    def _fit(self) -> None:
        # One place is always there, so that who waits comes to be refused.
        self._places.total_tokens = max(1, min(self._most, self._stragglers.room))


class _Job(Generic[T]):
    """Work in a thread, whose caller may leave at any moment."""

    __slots__ = ("_args", "_began", "_ended", "_error", "_left", "_lock", "_loop", "_straggler", "_work")

    def __init__(self, work: Callable[..., T], args: tuple[Any, ...]) -> None:
        self._work = work
        self._args = args
        self._loop = asyncio.get_running_loop()
        self._lock = Lock()
        self._began = self._ended = self._left = False
        self._error: BaseException | None = None
        self._straggler: Straggler | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._left:
                raise asyncio.CancelledError
            self._began = True
        try:
            return self._work(*self._args)
        except BaseException as error:
            self._error = error
            raise
        finally:
            with self._lock:
                self._ended = True
                left = self._left
            if left:
                # The loop may have been closed since; then nobody is there to be told.
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._tell)

    def leave(self, stragglers: Stragglers, errand: Errand) -> None:
        """Leave the work to itself; *errand* is told its end, at once when it has just ended."""
        with self._lock:
            self._left = True
            began, ended = self._began, self._ended
        if not began:
            return
        self._straggler = stragglers.keep(errand)
        if ended:
            self._tell()

    def _tell(self) -> None:
        assert self._straggler is not None
        self._straggler.ended(self._error)


class _Unnamed:
    """The errand of work that nobody gave one."""

    name = "offloaded"

    def left(self) -> None:
        """Tell nobody."""

    def late(self, error: BaseException | None) -> None:
        """Tell nobody."""
