"""Work that its caller may leave: awaited for as long as the caller lives, and a moment longer."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, TypeVar

from coordinator.domain.ports import Errand, Stragglers

T = TypeVar("T")

Begin = Callable[[], Coroutine[Any, Any, T]]
"""Makes the work when its turn comes; what was cancelled before that never begins."""

# A cancelled run must be over within a second: its manager's tools may take this long to clean up, then its members'.
GRACE_S = 0.4
# A task costs ten times what a call costs. What has so often in a row answered without waiting goes without one.
TRUSTED = 8


class Apart:
    """Awaits work in a task of its own; when the caller is cancelled, the work is cancelled and given a grace to end.

    A cancellation is never lost: whatever the work makes of it, the caller ends cancelled. Work that has not ended
    after `GRACE_S` seconds, or that ended otherwise than cancelled, is a straggler: its errand is told its end.

    Work that never waits cannot be cancelled, and so needs no task. That is learned by the name of the errand, and
    forgotten when the work waits for the first time; then that one call, which has begun, is awaited without a task.

    Args:
        stragglers: keeps account of work whose callers have left.
    """

    __slots__ = ("_at_once", "_stragglers")

    def __init__(self, stragglers: Stragglers) -> None:
        self._stragglers = stragglers
        self._at_once: dict[str, int] = {}
        """How often in a row each kind of work answered without waiting."""

    async def __call__(self, begin: Begin[T], loop: asyncio.AbstractEventLoop, errand: Errand) -> T:
        """Await what *begin* begins; when the caller is cancelled, for at most a grace."""
        if self._at_once.get(errand.name, 0) >= TRUSTED:
            return await self._through(begin, errand.name)
        task = loop.create_task(self._through(begin, errand.name))
        ended: asyncio.Future[None] = loop.create_future()
        # The task itself cannot be awaited: it passes a cancellation on, and its caller learns of it only at its end.
        task.add_done_callback(_waker(ended))
        try:
            await ended
        except BaseException:
            task.cancel()
            try:
                await _grace(task, loop)
            finally:
                self._account(task, errand)
            raise
        return task.result()

    async def _through(self, begin: Begin[T], name: str) -> T:
        work = begin()
        try:
            waits_for = work.send(None)
        except StopIteration as end:
            self._at_once[name] = self._at_once.get(name, 0) + 1
            result: T = end.value
            return result
        self._at_once[name] = 0
        return await _Rest(work, waits_for)

    def _account(self, task: asyncio.Task[Any], errand: Errand) -> None:
        if task.cancelled():
            return
        straggler = self._stragglers.keep(errand)
        # By way of the loop also when the task has ended already: after the event that ends the call.
        task.add_done_callback(lambda done: straggler.ended(_error(done)))


class _Rest(Generator[Any, Any, T]):
    """A coroutine that has taken its first step, and waits for what that step came to."""

    __slots__ = ("_begun", "_waits_for", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], waits_for: object) -> None:
        self._work = work
        self._waits_for = waits_for
        self._begun = False

    @property
    def cr_frame(self) -> FrameType | None:
        """The coroutine's own frame, for those who follow a chain of awaits to tell where a task waits."""
        return getattr(self._work, "cr_frame", None)

    @property
    def cr_await(self) -> Any:
        """What the coroutine waits for."""
        return getattr(self._work, "cr_await", None)

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def send(self, value: Any, /) -> Any:
        """Take the next step; the first hands on what the coroutine waits for already."""
        if self._begun:
            return self._work.send(value)
        self._begun = True
        return self._waits_for

    def throw(self, kind: Any, value: Any = None, trace: TracebackType | None = None, /) -> Any:
        """Raise an error inside."""
        error = kind if isinstance(kind, BaseException) else value if isinstance(value, BaseException) else kind()
        return self._work.throw(error)


async def _grace(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> None:
    until = loop.time() + GRACE_S
    while not task.done() and loop.time() < until:
        over: asyncio.Future[None] = loop.create_future()
        wake = _waker(over)
        timer = loop.call_at(until, wake)
        task.add_done_callback(wake)
        # Cancelled already, and about to say so: being cancelled again must not cut the grace short.
        try:
            with suppress(asyncio.CancelledError):
                await over
        finally:
            timer.cancel()
            task.remove_done_callback(wake)


def _waker(future: asyncio.Future[None]) -> Callable[..., None]:
    def wake(_task: object = None) -> None:
        if not future.done():
            future.set_result(None)

    return wake


def closed(error: GeneratorExit) -> bool:
    """Say whether a coroutine that caught *error* was closed from outside, or what it awaits has raised it."""
    return error.__traceback__ is None or error.__traceback__.tb_next is None


def _error(task: asyncio.Task[Any]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()
