"""Parallel branches, which end together."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def together(branches: Sequence[Coroutine[Any, Any, T]], begun: asyncio.Event | None = None) -> list[T]:
    """Await *branches* in parallel; the first that fails cancels the rest, and its error is raised as it is.

    Each takes its first step when the one before has taken its own, also under a loop that shuffles what is ready. So
    what a branch does before it first waits is done in the order of the branches. *begun* is set when all have taken
    it, and none has failed.

    No task group of asyncio: one that ends because of an error drops a cancellation that comes before it has ended, and
    may leave its parent marked as cancelled though nobody has asked for it.
    """
    loop = asyncio.get_running_loop()
    me = asyncio.current_task(loop)
    assert me is not None
    asked = me.cancelling()
    line = _Line()
    running = [loop.create_task(line.begin(place, branch)) for place, branch in enumerate(branches)]
    if begun is not None:
        line.turn(len(branches)).add_done_callback(lambda _: _set(begun, running))
    try:
        failed = await _first_failure(running, loop)
    finally:
        await _end(running)
        for branch in branches:
            branch.close()  # one that was cancelled before its turn came was never begun
    if me.cancelling() > asked:  # while the branches were ending
        raise asyncio.CancelledError
    if failed is not None:
        raise _error(failed)
    return [task.result() for task in running]


async def _first_failure(running: Sequence[asyncio.Task[T]], loop: asyncio.AbstractEventLoop) -> asyncio.Task[T] | None:
    """Return the first of *running* that fails or is cancelled; None when all have succeeded."""
    over: asyncio.Future[asyncio.Task[T] | None] = loop.create_future()
    left = len(running)

    def ended(task: asyncio.Task[T]) -> None:
        nonlocal left
        left -= 1
        failed = _failed(task)
        if (failed or not left) and not over.done():
            over.set_result(task if failed else None)

    for task in running:
        task.add_done_callback(ended)
    return await over if running else None


def _set(begun: asyncio.Event, running: Sequence[asyncio.Task[Any]]) -> None:
    if not any(map(_failed, running)):
        begun.set()


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


async def _end(running: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel what still runs and wait until it has ended, also when that is cancelled."""
    for task in running:
        task.cancel()
    while left := [task for task in running if not task.done()]:
        with suppress(asyncio.CancelledError):
            await asyncio.wait(left)


def _error(task: asyncio.Task[Any]) -> BaseException:
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    assert error is not None
    return first(error)


class _Line:
    """Lets branches take their first steps one after another."""

    __slots__ = ("_next", "_waiting")

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def begin(self, place: int, branch: Coroutine[Any, Any, T]) -> T:
        """Await *branch*, whose *place* in the line is counted from 0."""
        if place != self._next:
            await self.turn(place)
        self._next = place + 1
        # Its task wakes by way of the loop, and so not before this one has taken its step.
        waiting = self._waiting.pop(self._next, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        return await branch

    def turn(self, place: int) -> asyncio.Future[None]:
        """Return what is done when the turn of *place* has come, and who is before it has taken its first step."""
        turn = self._waiting[place] = asyncio.get_running_loop().create_future()
        return turn


def first(error: BaseException) -> BaseException:
    """Return the first leaf of a group of errors: the one that cancelled the others; any other error as it is."""
    leaf = error
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
