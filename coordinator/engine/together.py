"""Parallel branches in one task group."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def together(branches: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await *branches* in parallel, started in their order; the first error cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(branch) for branch in branches]
    except BaseExceptionGroup as group:
        raise first(group) from None
    return [task.result() for task in running]


def first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first leaf of *group*: the error that cancelled the others."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
