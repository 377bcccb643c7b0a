"""Work that its caller may leave: awaited for as long as the caller lives, and a moment longer."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from traceback import walk_tb
from typing import Any, TypeVar

from coordinator.domain.errands import Errand, Stragglers

T = TypeVar("T")

Begin = Callable[[], Coroutine[Any, Any, T]]
"""Makes the work when its turn comes; what was cancelled before that never begins."""

# A cancelled run must be over within a second: tools may take this long to clean up, and then the agents that use them.
GRACE_S = 0.4
AGENT_GRACE_S = 0.7
"""Seconds from the cancellation of an agent, within which its tools have had their own grace."""


class Apart:
    """Awaits work in a task of its own; when the caller is cancelled, the work is cancelled and given a grace to end.

    A cancellation is never lost: whatever the work makes of it, the caller ends cancelled. Work that has not ended
    after `GRACE_S` seconds, or that ended otherwise than cancelled, is a straggler: its errand is told its end.

    Args:
        stragglers: keeps account of work whose callers have left.
    """

    __slots__ = ("_stragglers",)

    def __init__(self, stragglers: Stragglers) -> None:
        self._stragglers = stragglers

    async def __call__(self, begin: Begin[T], loop: asyncio.AbstractEventLoop, errand: Errand) -> T:
        """Await what *begin* begins; when the caller is cancelled, for at most a grace."""
        task = loop.create_task(_begun(begin))
        ended: asyncio.Future[None] = loop.create_future()
        # The task itself cannot be awaited: it passes a cancellation on, and its caller learns of it only at its end.
        task.add_done_callback(waker(ended))
        try:
            await ended
        except BaseException:
            task.cancel()
            try:
                await grace(task, loop, GRACE_S)
            finally:
                self._account(task, errand)
            raise
        return task.result()

    def _account(self, task: asyncio.Task[Any], errand: Errand) -> None:
        if not task.cancelled():
            leave(task, self._stragglers, errand)


async def _begun(begin: Begin[T]) -> T:
    return await begin()


def leave(task: asyncio.Task[Any], stragglers: Stragglers, errand: Errand) -> None:
    """Leave *task* to itself; *errand* is told its end."""
    straggler = stragglers.keep(errand, task)
    # By way of the loop also when the task has ended already: after the event that ends the call.
    task.add_done_callback(lambda done: straggler.ended(_error(done)))


async def grace(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Wait until *task*, which was cancelled, has ended, at most so many *seconds*."""
    until = loop.time() + seconds
    while not task.done() and loop.time() < until:
        over: asyncio.Future[None] = loop.create_future()
        wake = waker(over)
        timer = loop.call_at(until, wake)
        task.add_done_callback(wake)
        # Cancelled already, and about to say so: being cancelled again must not cut the grace short.
        try:
            with suppress(asyncio.CancelledError):
                await over
        finally:
            timer.cancel()
            task.remove_done_callback(wake)


def waker(future: asyncio.Future[None]) -> Callable[..., None]:
    """Return a callback that lets *future* be done."""

    def wake(_task: object = None) -> None:
        if not future.done():
            future.set_result(None)

    return wake


def closed(error: GeneratorExit) -> bool:
    """Say whether a coroutine that caught *error* was closed from outside, or what it awaits has raised it."""
    # By function and not by depth: one that is compiled stands there twice.
    return len({frame.f_code for frame, _ in walk_tb(error.__traceback__)}) <= 1


def _error(task: asyncio.Task[Any]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()
