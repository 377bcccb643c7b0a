"""An event loop for one piece of work, whose end nobody can hold up."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

LEAVE_S = 0.5
"""Seconds that what is left has to end when it is cancelled, before it is left."""


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
                loop.run_until_complete(_end(asyncio.all_tasks(loop)))
        finally:
            loop.set_exception_handler(_silent)
            loop.close()

    async def _noted(self, work: Coroutine[Any, Any, T]) -> T:
        self._at_work = True
        try:
            return await work
        finally:
            self._at_work = False


async def _end(left: set[asyncio.Task[Any]]) -> None:
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=LEAVE_S)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _silent(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Say nothing of tasks that are dropped although they have not ended: they were left on purpose."""
