"""An event loop for one piece of work, whose end nobody can hold up."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeVar

from coordinator.simulation.clock import Deadlock

T = TypeVar("T")

LEAVE_S = 1.0
"""Seconds that what is left has to end when it is cancelled, before it is left."""

LEFT: ContextVar[list[asyncio.Task[Any]]] = ContextVar("LEFT")
"""Where tasks are kept that were left, for who ends the process without them. What is dropped instead is closed by
Python, and its `finally` blocks run in the middle of something else; those of compiled code never run."""


class OwnLoop:
    """What `asyncio.Runner` is, except that its end waits for no task and no thread that does not end.

    The first interrupt (SIGINT) cancels the work, which has its time to end; a second one ends everything at once.

    Args:
        factory: makes the loop.
    """

    def __init__(self, factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> None:
        self._runner = asyncio.Runner(loop_factory=factory)
        self.loop = self._runner.get_loop()
        self._at_work = False

    def __enter__(self) -> Self:
        return self

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry *work* out and return what it returns.

        Raises:
            KeyboardInterrupt: somebody has interrupted it.
        """
        return self._runner.run(self._noted(work))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = self.loop
        # The runner itself is never closed: it would wait for whatever is left, as long as that takes.
        try:
            if not (self._at_work and isinstance(error, KeyboardInterrupt)):
                with suppress(Deadlock):
                    loop.run_until_complete(_end(loop))
        finally:
            left = asyncio.all_tasks(loop)
            if left:
                LEFT.get([]).extend(left)
                loop.set_exception_handler(_silent)
            loop.close()

    async def _noted(self, work: Coroutine[Any, Any, T]) -> T:
        self._at_work = True
        try:
            return await work
        finally:
            self._at_work = False


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=LEAVE_S)
    await asyncio.wait([loop.create_task(loop.shutdown_asyncgens())], timeout=LEAVE_S)


def _silent(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Say nothing of tasks that are dropped although they have not ended: they were left on purpose."""
