"""Threads for blocking work."""

from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Threads:
    """The Offload port in life: a bounded number of worker threads, apart from everybody else's.

    Args:
        most: threads at once; further work waits.
    """

    def __init__(self, most: int = 16) -> None:
        self._limiter = anyio.CapacityLimiter(most)

    async def __call__(self, work: Callable[..., T], /, *args: Any) -> T:
        """Run *work*; when the caller is cancelled the thread is abandoned and finishes on its own."""
        return await anyio.to_thread.run_sync(work, *args, abandon_on_cancel=True, limiter=self._limiter)
