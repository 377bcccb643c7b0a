"""Work whose caller may leave before it ends: where it is done, and who keeps account of it."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from coordinator.domain.ports import Holder

T = TypeVar("T")


class Errand(Protocol):
    """What work is done for, in case its caller leaves before it ends."""

    @property
    def name(self) -> str:
        """The dependency that does it, such as `lookup#0`."""

    def left(self) -> None:
        """Learn that the caller has left, and that the work goes on alone."""

    def late(self, error: BaseException | None) -> None:
        """Learn how the work ended after all; None: well."""


class Offload(Protocol):
    """Runs blocking work where it cannot stop the event loop."""

    async def __call__(self, work: Callable[..., T], /, *args: Any, errand: Errand | None = None) -> T:
        """Run *work*; when the caller is cancelled the work goes on alone, and *errand* is told its end.

        Raises:
            Refused: `stragglers_full`, in passing, when too much work goes on alone already.
        """


class Straggler(Protocol):
    """Work that goes on although its caller has left."""

    def ended(self, error: BaseException | None) -> None:
        """Record how it ended; None when it went well."""


class Stragglers(Holder, Protocol):
    """What goes on although its caller has left, counted and bounded."""

    @property
    def room(self) -> int:
        """How many more may go on alone before new work is refused."""

    def check(self, name: str = "") -> None:
        """Say no to new work while too much goes on alone.

        Args:
            name: a dependency, which is refused only when work of its own is among that; any work, when empty.

        Raises:
            Refused: `stragglers_full`, in passing, with `retry_after`.
        """

    def keep(self, errand: Errand, task: asyncio.Task[Any] | None = None) -> Straggler:
        """Record that the work of *errand* goes on alone, in *task* where it is no thread."""

    async def close(self) -> None:
        """End by force the tasks that go on alone; threads cannot be ended."""

    async def drained(self, timeout: float) -> int:  # noqa: ASYNC109 - it ends with a count, and not with an error
        """Wait until nothing goes on alone, at most *timeout* seconds; return how much is left."""
