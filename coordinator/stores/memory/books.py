"""The books of money: what is settled and held on each account, and what somebody who asks may have of it."""

import asyncio
import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import FairQueue, Standing, Waiting
from coordinator.domain.money import dollars
from coordinator.domain.ports import Account, Notice, Stamp
from coordinator.domain.value import value

if TYPE_CHECKING:
    from coordinator.stores.memory.ledger import Reservation

# Nobody can know when others settle. One second is about one model call.
HELD_RETRY_S = 1.0
# A clock may not have moved when the day of an account has ended.
SHORTEST_RETRY_S = 1.0
NEVER = sys.maxsize


@value
class AccountState:
    """One account, in micro-dollars.

    *reservations* are open, *overrun* is what was billed above what was held, *waiting* counts the calls that wait
    until others settle.
    """

    name: str
    ceiling: int
    settled: int
    reserved: int
    reservations: int
    overrun: int
    overruns: int
    uncertain: int
    closed: bool
    waiting: int


class Book:
    """One account as it stands, and who waits for it."""

    __slots__ = (
        "alert_at", "ceiling", "closed", "expires", "name", "overrun", "overruns", "queue", "renews", "reservations",
        "reserved", "settled", "uncertain",
    )  # fmt: skip

    def __init__(self, account: Account, alert_at: int) -> None:
        self.name = account.name
        self.ceiling = account.ceiling
        self.expires = account.expires
        self.renews = account.renews
        self.alert_at = alert_at
        self.settled = self.reserved = self.reservations = 0
        self.overrun = self.overruns = self.uncertain = 0
        self.closed = False
        self.queue: FairQueue[Ask] | None = None
        """None when nobody waits."""

    @property
    def idle(self) -> bool:
        """Whether nothing is held and nobody waits."""
        return not self.reservations and self.queue is None

    def remark(self, actual: int, held: int, *, uncertain: bool) -> Iterator[Notice]:
        """Mark what is out of the ordinary about *actual*, settled in place of *held*; tell what people should know.

        What exceeds *held* is overrun, and closes the account. The alert threshold is told once.
        """
        if uncertain:
            self.uncertain += actual
        if self.settled >= self.alert_at:
            self.alert_at = NEVER
            yield Notice(self.name, 0, self.settled, self.ceiling)
        if actual > held:
            self.overrun += actual - held
            self.overruns += 1
            self.closed = True
            yield Notice(self.name, actual - held, self.settled, self.ceiling)

    def state(self) -> AccountState:
        """Return the account as it stands."""
        return AccountState(
            self.name, self.ceiling, self.settled, self.reserved, self.reservations, self.overrun, self.overruns,
            self.uncertain, self.closed, self.queue.size if self.queue else 0,
        )  # fmt: skip


class Ask(Waiting):
    """What somebody asks of several accounts, and waits for if need be.

    Args:
        parts: the accounts, from the narrowest to the widest, and what is kept of each for others.
        amount: the worst case of the call; it shrinks to what is unspent.
        minimum: the least with which the call makes sense.
        standing: the place among those who wait.
        stamp: the injected clock, by which accounts are renewed.
    """

    __slots__ = ("amount", "answer", "at", "minimum", "parts", "stamp", "standing", "timer")

    def __init__(
        self,
        parts: Sequence[tuple[Book, int]],
        amount: int,
        minimum: int,
        standing: Standing,
        stamp: Stamp | None = None,
    ) -> None:
        super().__init__(1)
        self.parts = parts
        self.amount = amount
        self.minimum = min(minimum, amount)
        self.standing = standing
        self.stamp = stamp
        self.at: Book | None = None
        """The account in whose queue it waits."""
        self.answer: asyncio.Future[Reservation | Refused | None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def books(self) -> list[Book]:
        """The accounts alone."""
        return [book for book, _ in self.parts]

    def grant(self, *, ahead: bool = False) -> "int | Book | Refused":
        """Return how much can be held now, the account at which to wait for it, or the no that waiting cannot change.

        Only money that others hold is waited for. What is spent is spent: the amount shrinks to the rest at once.
        """
        amount = self.amount
        for book, kept in self.parts:
            left = book.ceiling - kept - book.settled
            if left < self.minimum or book.closed:
                return exhausted(book, kept, self)
            amount = min(amount, left)
        for book, kept in self.parts:
            if book.settled + book.reserved + amount > book.ceiling - kept:
                return book
            if book.queue is not None and book is not self.at and not ahead and self._is_behind(book.queue):
                return book
        return amount

    def _is_behind(self, queue: "FairQueue[Ask]") -> bool:
        first = queue.head()
        if first is None or first.standing.tenant != self.standing.tenant:
            return first is not None
        mine, theirs = (self.standing.order, -self.standing.attempt), first.place[:2]
        # Who has waited at another account has been here as long as its run's other calls, and goes on.
        return theirs < mine or (theirs == mine and self.at is None)


def exhausted(book: Book, kept: int, ask: Ask) -> Refused:
    """Return the no to a call whose minimum what is unspent does not cover."""
    details = _details(book, ask)
    if book.closed:
        return Refused(
            f"account {book.name} is closed: {dollars(book.overrun)} more was billed than was held",
            code="budget_exhausted", hint="check the prices in the settings", details=details,
            retry_after=_renewed_in(book, kept, ask), ends_agent=True,
        )  # fmt: skip
    kept_back = f", of which {dollars(kept)} is kept for the manager to finish" if kept else ""
    return Refused(
        f"at least {dollars(ask.minimum)} may be needed, and account {book.name} has spent {dollars(book.settled)} of "
        f"its {dollars(book.ceiling)}{kept_back}",
        code="budget_exhausted", hint="raise the ceiling or ask for less", details=details,
        retry_after=_renewed_in(book, kept, ask), ends_agent=True,
    )  # fmt: skip


def _renewed_in(book: Book, kept: int, ask: Ask) -> float | None:
    """Return the seconds until *book* is renewed; None when it never is, or when a whole one is too little as well."""
    if ask.stamp is None or not book.renews or book.expires == math.inf or ask.minimum > book.ceiling - kept:
        return None
    return max(SHORTEST_RETRY_S, book.expires - ask.stamp())


def held(book: Book, ask: Ask) -> Refused:
    """Return the no to a call that may not wait until others settle."""
    return Refused(
        f"{dollars(ask.amount)} may be needed, and account {book.name} has {dollars(book.reserved)} of its "
        f"{dollars(book.ceiling)} held by other calls",
        code="budget_held", hint="ask again when they have settled",
        details=_details(book, ask), retry_after=HELD_RETRY_S,
    )  # fmt: skip


def late(book: Book, ask: Ask) -> Refused:
    """Return the no to a call whose deadline came while others held what it needs."""
    return Refused(
        f"{dollars(ask.amount)} may be needed, and until the deadline account {book.name} had "
        f"{dollars(book.reserved)} of its {dollars(book.ceiling)} held by other calls",
        code="deadline_out_of_reach", hint="raise the ceiling, or send less at once",
        details=_details(book, ask), retry_after=HELD_RETRY_S,
    )  # fmt: skip


def full(book: Book, ask: Ask, waiting: int) -> Refused:
    """Return the no to a call for which the queue has no place."""
    return Refused(
        f"{waiting} calls wait already until others have settled, on account {book.name} or beside it",
        code="budget_queue_full", hint="raise the ceiling, or send less at once",
        details=_details(book, ask), retry_after=HELD_RETRY_S,
    )  # fmt: skip


def _details(book: Book, ask: Ask) -> dict[str, object]:
    return {
        "account": book.name, "amount": ask.amount, "minimum": ask.minimum, "ceiling": book.ceiling,
        "settled": book.settled, "reserved": book.reserved,
    }  # fmt: skip
