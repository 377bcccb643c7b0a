"""Parallel branches in one task group."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def together(branches: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await *branches* in parallel; the first error cancels the rest and is raised as it is.

    Each takes its first step when the one before has taken its own, also under a loop that shuffles what is ready. So
    what a branch does before it first waits is done in the order of the branches.
    """
    line = _Line()
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(line.begin(place, branch)) for place, branch in enumerate(branches)]
    except BaseExceptionGroup as group:
        raise first(group) from None
    finally:
        for branch in branches:
            branch.close()  # one that was cancelled before its turn came was never begun
    return [task.result() for task in running]


class _Line:
    """Lets branches take their first steps one after another."""

    __slots__ = ("_next", "_waiting")

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def begin(self, place: int, branch: Coroutine[Any, Any, T]) -> T:
        """Await *branch*, whose *place* in the line is counted from 0."""
        if place != self._next:
            turn = self._waiting[place] = asyncio.get_running_loop().create_future()
            await turn
        self._next = place + 1
        # Its task wakes by way of the loop, and so not before this one has taken its step.
        waiting = self._waiting.pop(self._next, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        return await branch


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first leaf of *group*: the error that cancelled the others."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
