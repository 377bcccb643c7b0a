"""The accounts of money in one process: the worst case is held before a call, on every account it touches."""

import math
from collections.abc import Iterable, Sequence

from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import Standing
from coordinator.domain.ports import Account, Claim, Notice, Stamp
from coordinator.domain.value import value
from coordinator.stores.memory.books import NEVER, AccountState, Ask, Book, held
from coordinator.stores.memory.forgetting import SHARE, forgettable
from coordinator.stores.memory.waiting import WaitingRoom

ANYBODY = Standing()
# Accounts of past days that are still in use are looked at again after so many seconds.
SWEEP_S = 60.0


@value
class LedgerLimits:
    """How many may wait, how many accounts there may be, and at which part of its ceiling an account tells."""

    waiting: int = 10_000
    accounts: int = 1_000_000
    alert_share: float = 0.8


class Ledger:
    """Holds money on all accounts of a call or on none.

    Law: settled + reserved <= ceiling + overrun, on every account at all times. A ceiling that is lowered while an
    account is in use refuses from then on; what was held before stands.

    Args:
        limits: of the ledger itself.
        stamp: the injected clock, by which accounts expire; without it they never do.
    """

    __slots__ = ("_books", "_limits", "_room", "_room_at", "_stamp", "_sweep_at")

    def __init__(self, limits: LedgerLimits | None = None, stamp: Stamp | None = None) -> None:
        self._books: dict[str, Book] = {}
        self._limits = limits or LedgerLimits()
        self._stamp = stamp
        self._room = WaitingRoom(Reservation, self._limits.waiting, stamp)
        self._sweep_at = math.inf
        self._room_at = -math.inf

    def try_reserve(self, accounts: Sequence[Account], amount: int) -> "Reservation | None":
        """Hold all of *amount* micro-dollars at once, or return None, because it does not fit or others wait for it.

        Raises:
            ValueError: the amount is negative.
        """
        if amount < 0:
            raise ValueError(f"{amount} micro-dollars cannot be held: the amount is negative")
        books = []
        known = self._books
        for account in accounts:
            book = known.get(account.name)
            if book is None or book.ceiling != account.ceiling or book.expires < account.expires:
                book = self._book(account, accounts)
            if (
                book.settled + book.reserved + amount > account.ceiling - account.kept
                or book.queue is not None
                or book.closed
            ):
                return None
            books.append(book)
        return Reservation(self._room, books, amount)

    def reserve(self, accounts: Sequence[Account], amount: int, minimum: int | None = None) -> "Reservation":
        """Hold *amount* micro-dollars on every one of *accounts*, or what is unspent of them, or nothing.

        Args:
            accounts: touched by the call, each once, from the narrowest to the widest; opened at zero when new.
            amount: the worst case of the call.
            minimum: the least with which the call makes sense; the amount itself when None.

        Raises:
            Refused: `budget_exhausted` when settled + minimum exceeds a ceiling or an overrun has closed the account;
                `budget_held` with `retry_after` when it fits once others settle; `accounts_full`.
            ValueError: the amount is negative.
        """
        reservation = self.try_reserve(accounts, amount)
        if reservation is not None:
            return reservation
        ask = self._ask(Claim(tuple(accounts), amount, amount if minimum is None else minimum, ANYBODY))
        found = ask.grant()
        if isinstance(found, Book):
            raise held(found, ask)
        if isinstance(found, Refused):
            raise found
        return Reservation(self._room, ask.books, found)

    def take(self, claim: Claim, *, ahead: bool = False) -> "Reservation | None":
        """Hold what is claimed, or what is unspent of it, at once; None when others hold it, or wait for it.

        Args:
            claim: the accounts and the amounts.
            ahead: go before those who wait, because the call has had its turn already.

        Raises:
            Refused: `budget_exhausted` as in `reserve`; `accounts_full`.
        """
        ask = self._ask(claim)
        found = ask.grant(ahead=ahead)
        if isinstance(found, Refused):
            raise found
        return None if isinstance(found, Book) else Reservation(self._room, ask.books, found)

    async def hold(self, claim: Claim, deadline: float) -> "Reservation | None":
        """Wait until what is claimed can be held; None when a day of its accounts has ended meanwhile.

        Between tenants those who wait are served in turn, by their weight; of one tenant the oldest run goes first.
        Who waits holds nothing.

        Args:
            claim: the accounts and the amounts, which shrink to what is unspent.
            deadline: loop time by which the money is needed.

        Raises:
            Refused: `budget_exhausted` as in `reserve`; `budget_queue_full`, `accounts_full`, or
                `deadline_out_of_reach` when the others have not settled in time.
        """
        ask = self._ask(claim)
        found = ask.grant()
        if isinstance(found, Book):
            return await self._room.wait(ask, found, deadline)
        if isinstance(found, Refused):
            raise found
        return Reservation(self._room, ask.books, found)

    def close(self, account: str) -> None:
        """Forget *account*, as soon as nothing is held on it any more.

        Something may be: an agent's code can leave work of its own behind, which the run does not know of.
        """
        book = self._books.get(account)
        if book is None:
            return
        if book.idle:
            del self._books[account]
        else:
            book.expires = self._sweep_at = -math.inf  # the next account that is opened looks for it

    @property
    def waiting(self) -> int:
        """How many calls wait until others settle."""
        return self._room.size

    def book(self, name: str) -> Book | None:
        """Return one account itself, for who looks at it and changes nothing."""
        return self._books.get(name)

    def books(self) -> Iterable[Book]:
        """Return every account itself, for who looks at all of them often and changes none."""
        return self._books.values()

    def snapshot(self) -> tuple[AccountState, ...]:
        """Return every account as it stands."""
        return tuple(book.state() for book in self._books.values())

    def _ask(self, claim: Claim) -> Ask:
        parts = [(self._book(account, claim.accounts), account.kept) for account in claim.accounts]
        return Ask(parts, claim.amount, claim.minimum, claim.standing, self._stamp)

    def _book(self, account: Account, beside: Sequence[Account]) -> Book:
        book = self._books.get(account.name)
        if book is None:
            return self._open(account, beside)
        if book.ceiling != account.ceiling or book.expires < account.expires:
            self._renew(book, account)
        return book

    def _renew(self, book: Book, account: Account) -> None:
        rises = account.ceiling > book.ceiling
        book.ceiling = account.ceiling
        book.expires = max(book.expires, account.expires)
        if book.alert_at != NEVER:
            book.alert_at = self._alert_at(account.ceiling)
        if rises:
            self._room.serve(book)

    def _open(self, account: Account, beside: Sequence[Account]) -> Book:
        now = self._stamp() if self._stamp else -math.inf
        if now >= self._sweep_at:
            self._sweep(now)
        if len(self._books) >= self._limits.accounts and now >= self._room_at:
            self._make_room(beside, now)
        if len(self._books) >= self._limits.accounts:
            raise Refused(
                f"{len(self._books)} accounts are open, and {account.name} would be one more",
                code="accounts_full", hint="accounts of a day are forgotten when it ends", retry_after=SWEEP_S,
            )  # fmt: skip
        self._sweep_at = min(self._sweep_at, account.expires)
        book = self._books[account.name] = Book(account, self._alert_at(account.ceiling))
        return book

    def _make_room(self, beside: Sequence[Account], now: float) -> None:
        """Forget accounts that nobody uses, waits with, or is about to use *beside* a new one."""
        spared = {account.name for account in beside}
        spared.update(book.name for ask in self._room.asks for book in ask.books)
        gone = forgettable(self._books.values(), spared)
        for name in gone:
            del self._books[name]
        if len(gone) < SHARE * self._limits.accounts:  # so little is not worth looking for with every call
            self._room_at = now + SWEEP_S

    def _alert_at(self, ceiling: int) -> int:
        return max(1, math.ceil(self._limits.alert_share * ceiling))

    def _sweep(self, now: float) -> None:
        """Forget what has expired; money still held is settled on its own day first."""
        for name in [name for name, book in self._books.items() if book.expires <= now and book.idle]:
            del self._books[name]
        nearest = min((book.expires for book in self._books.values()), default=math.inf)
        self._sweep_at = max(nearest, now + SWEEP_S)


class Reservation:
    """Money held on several accounts; exactly one of `settle` or `release` ends it."""

    __slots__ = ("_books", "_room", "amount")

    def __init__(self, room: WaitingRoom, books: list[Book], amount: int) -> None:
        self._room = room
        self._books: list[Book] | None = books
        self.amount = amount
        for book in books:
            book.reserved += amount
            book.reservations += 1

    def settle(self, actual: int, *, uncertain: bool = False) -> Sequence[Notice]:
        """Book *actual* micro-dollars in place of the amount held, and tell what somebody should know of.

        Args:
            actual: what was billed; what exceeds the amount held is overrun, which closes the accounts.
            uncertain: nobody knows whether it was billed.

        Raises:
            RuntimeError: the reservation has ended before.
            ValueError: *actual* is negative.
        """
        if actual < 0:
            raise ValueError(f"{actual} micro-dollars cannot be booked: the amount is negative")
        books, amount = self._end(), self.amount
        notices: Sequence[Notice] = ()
        odd = uncertain or actual > amount
        for book in books:
            book.reserved -= amount
            book.reservations -= 1
            book.settled += actual
            if odd or book.settled >= book.alert_at:
                notices = (*notices, *book.remark(actual, amount, uncertain=uncertain))
        if self._room.asks:
            self._wake(books)
        return notices

    def release(self) -> None:
        """Give everything back.

        Raises:
            RuntimeError: the reservation has ended before.
        """
        books = self._end()
        for book in books:
            book.reserved -= self.amount
            book.reservations -= 1
        if self._room.asks:
            self._wake(books)

    def _end(self) -> list[Book]:
        books, self._books = self._books, None
        if books is None:
            raise RuntimeError("a reservation ends exactly once, and this one has ended")
        return books

    def _wake(self, books: list[Book]) -> None:
        # From the narrowest to the widest: who need no longer wait at one joins the queue of the next in time.
        for book in books:
            if book.queue is not None:
                self._room.serve(book)
