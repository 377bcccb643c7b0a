"""A place in a gate: taken, or waited for."""

import asyncio
from typing import TYPE_CHECKING

from coordinator.domain import ports
from coordinator.domain.fair_queue import Flow, Waiting
from coordinator.domain.value import value
from coordinator.stores.memory.quota import Quota

if TYPE_CHECKING:
    from coordinator.stores.memory.gate import Gate


@value
class Permit:
    """A place taken in a gate; exactly one of `refund`, `correct` and `keep` follows."""

    gate: "Gate"
    tokens: int
    taken_at: float
    flow: Flow | None
    quota: Quota | None
    """What the provider had said when it was taken; what it says later does not know of this place."""

    def refund(self) -> None:
        """Give requests and tokens back: nothing was sent."""
        self.gate.give_back(self)

    def correct(self, tokens: int) -> None:
        """Replace the estimate by the *tokens* that were really used."""
        self.gate.correct(self, tokens)

    def keep(self) -> None:
        """Leave the estimate as it is: it is all that will ever be known."""
        self.gate.keep()


class Waiter(Waiting):
    """Somebody who waits for a place."""

    __slots__ = ("along", "deadline", "granted", "timer", "waits")

    def __init__(self, cost: int, tokens: int, deadline: float, granted: "asyncio.Future[Permit | None]") -> None:
        super().__init__(cost, tokens)
        self.deadline = deadline
        self.granted = granted
        self.along: ports.Along | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.waits = True

    def take_along(self, along: ports.Along) -> float | None:
        """Take what is needed beside the place; 0 when that is done, None when the caller was told that it is not.

        Otherwise the seconds after which to ask again.
        """
        try:
            wait_s = along()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this caller's, and others are served next
            self.granted.set_exception(error)
            return None
        if wait_s is None:
            self.granted.set_result(None)
        return wait_s

    def stop(self) -> None:
        """End its waiting."""
        self.waits = False
        if self.timer is not None:
            self.timer.cancel()
