"""A timer around one attempt, at half the cost of `asyncio.timeout`."""

import asyncio
import math
from types import TracebackType


class Timer:
    """Cancels the task that enters it when the loop's clock reaches *when*, and turns that into `TimeoutError`.

    A cancellation from outside stays a cancellation, also when both come at once. Timers nest: the nearer one fires.

    Args:
        when: loop time, in seconds; never, when infinite.
    """

    __slots__ = ("_cancelling", "_handle", "_task", "_when", "expired")

    def __init__(self, when: float) -> None:
        self._when = when
        self.expired = False

    def __enter__(self) -> "Timer":
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a Timer needs a task to cancel: enter it in an async function")
        self._task = task
        self._cancelling = task.cancelling()
        self._handle = asyncio.get_running_loop().call_at(self._when, self._expire) if self._when < math.inf else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if not self.expired:
            return
        # Taken back in any case: a request left standing would make every later timer of the task look cancelled.
        standing = self._task.uncancel()
        if kind is asyncio.CancelledError and standing <= self._cancelling:
            raise TimeoutError from error

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()
