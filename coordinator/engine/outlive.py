"""Work that is awaited for as long as its caller lives, and a moment longer."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from coordinator.domain.ports import Errand, Stragglers

T = TypeVar("T")

# A cancelled run must be over within a second: its manager's tools may take this long to clean up, then its members'.
GRACE_S = 0.4


async def outlived(
    work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, stragglers: Stragglers, errand: Errand
) -> T:
    """Await *work* in a task of its own; when the caller is cancelled, *work* is cancelled and given a grace to end.

    A cancellation is never lost: whatever the work makes of it, the caller ends cancelled. Work that has not ended in
    `GRACE_S` seconds, or that ended otherwise than cancelled, is a straggler: *errand* is told its end.
    """
    task = loop.create_task(work)
    ended: asyncio.Future[None] = loop.create_future()
    # The task itself cannot be awaited: it passes a cancellation on, and its caller learns of it only when it ends.
    task.add_done_callback(_waker(ended))
    try:
        await ended
    except asyncio.CancelledError:
        task.cancel()
        await _grace(task, loop)
        _account(task, stragglers, errand)
        raise
    return task.result()


async def _grace(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> None:
    until = loop.time() + GRACE_S
    while not task.done() and loop.time() < until:
        over: asyncio.Future[None] = loop.create_future()
        wake = _waker(over)
        timer = loop.call_at(until, wake)
        task.add_done_callback(wake)
        # Cancelled already, and about to say so: being cancelled again must not cut the grace short.
        with suppress(asyncio.CancelledError):
            await over
        timer.cancel()
        task.remove_done_callback(wake)


def _waker(future: asyncio.Future[None]) -> Callable[..., None]:
    def wake(_task: object = None) -> None:
        if not future.done():
            future.set_result(None)

    return wake


def _account(task: asyncio.Task[Any], stragglers: Stragglers, errand: Errand) -> None:
    if task.cancelled():
        return
    straggler = stragglers.keep(errand)
    # Called at once, by way of the loop, when the task has ended already.
    task.add_done_callback(lambda done: straggler.ended(_error(done)))


def _error(task: asyncio.Task[Any]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()
