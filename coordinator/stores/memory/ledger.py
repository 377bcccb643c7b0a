"""The accounts of money in one process: the worst case is held before a call, on every account it touches."""

from collections.abc import Sequence

from coordinator.domain.errors import Refused
from coordinator.domain.money import dollars
from coordinator.domain.ports import Account
from coordinator.domain.value import value

# Nobody can know when others settle. One second is about one model call.
HELD_RETRY_S = 1.0


@value
class AccountState:
    """One account, in micro-dollars; *reservations* are open, *overrun* is what was billed above what was held."""

    name: str
    ceiling: int
    settled: int
    reserved: int
    reservations: int
    overrun: int
    overruns: int
    uncertain: int
    closed: bool


class Ledger:
    """Holds money on all accounts of a call or on none, without ever waiting.

    Law: settled + reserved <= ceiling + overrun, on every account at all times.
    """

    __slots__ = ("_books",)

    def __init__(self) -> None:
        self._books: dict[str, _Book] = {}

    def reserve(self, accounts: Sequence[Account], amount: int, minimum: int | None = None) -> "Reservation":
        """Hold *amount* micro-dollars on every one of *accounts*, or on none.

        Args:
            accounts: touched by the call, each once; opened at zero when they are new.
            amount: the worst case of the call.
            minimum: the least with which the call makes sense; the amount itself when None.

        Raises:
            Refused: `budget_exhausted` when settled + minimum exceeds a ceiling or an overrun has closed the account;
                `budget_held` with `retry_after` when it fits once others settle.
            ValueError: the amount is negative.
        """
        if amount < 0:
            raise ValueError(f"{amount} micro-dollars cannot be held: the amount is negative")
        books = [self._book(account) for account in accounts]
        for book in books:
            if book.settled + book.reserved + amount > book.ceiling or book.closed:
                raise _refusal(books, amount, amount if minimum is None else minimum)
        for book in books:
            book.reserved += amount
            book.reservations += 1
        return Reservation(books, amount)

    def close(self, account: str) -> None:
        """Forget *account*, which nothing will touch again.

        Raises:
            RuntimeError: it still has open reservations.
        """
        book = self._books.get(account)
        if book is None:
            return
        if book.reservations:
            raise RuntimeError(f"account {account} still has {book.reservations} open reservations")
        del self._books[account]

    def snapshot(self) -> tuple[AccountState, ...]:
        """Return every account as it stands."""
        return tuple(book.state() for book in self._books.values())

    def _book(self, account: Account) -> "_Book":
        book = self._books.get(account.name)
        if book is None:
            book = self._books[account.name] = _Book(account.name)
        book.ceiling = account.ceiling
        return book


class Reservation:
    """Money held on several accounts; exactly one of `settle` or `release` ends it."""

    __slots__ = ("_books", "amount")

    def __init__(self, books: "list[_Book]", amount: int) -> None:
        self._books: list[_Book] | None = books
        self.amount = amount

    def settle(self, actual: int, *, uncertain: bool = False) -> None:
        """Book *actual* micro-dollars in place of the amount held.

        Args:
            actual: what was billed; what exceeds the amount held is overrun, which closes the accounts.
            uncertain: nobody knows whether it was billed.

        Raises:
            RuntimeError: the reservation has ended before.
            ValueError: *actual* is negative.
        """
        if actual < 0:
            raise ValueError(f"{actual} micro-dollars cannot be booked: the amount is negative")
        for book in self._end():
            book.settled += actual
            if uncertain:
                book.uncertain += actual
            if actual > self.amount:
                book.overrun += actual - self.amount
                book.overruns += 1
                book.closed = True

    def release(self) -> None:
        """Give everything back.

        Raises:
            RuntimeError: the reservation has ended before.
        """
        self._end()

    def _end(self) -> "list[_Book]":
        books, self._books = self._books, None
        if books is None:
            raise RuntimeError("a reservation ends exactly once, and this one has ended")
        for book in books:
            book.reserved -= self.amount
            book.reservations -= 1
        return books


class _Book:
    __slots__ = (
        "ceiling", "closed", "name", "overrun", "overruns", "reservations", "reserved", "settled", "uncertain",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.ceiling = self.settled = self.reserved = self.reservations = 0
        self.overrun = self.overruns = self.uncertain = 0
        self.closed = False

    def exhausted(self, minimum: int) -> bool:
        return self.closed or self.settled + minimum > self.ceiling

    def state(self) -> AccountState:
        return AccountState(
            self.name, self.ceiling, self.settled, self.reserved, self.reservations,
            self.overrun, self.overruns, self.uncertain, self.closed,
        )  # fmt: skip


def _refusal(books: "list[_Book]", amount: int, minimum: int) -> Refused:
    short = next((book for book in books if book.exhausted(minimum)), None)
    if short is None:
        held = next(book for book in books if book.settled + book.reserved + amount > book.ceiling)
        return Refused(
            f"{dollars(amount)} may be needed, and account {held.name} has {dollars(held.reserved)} of its "
            f"{dollars(held.ceiling)} held by other calls",
            code="budget_held", hint="ask again when they have settled",
            details=_details(held, amount), retry_after=HELD_RETRY_S,
        )  # fmt: skip
    if short.closed:
        return Refused(
            f"account {short.name} is closed: {dollars(short.overrun)} more was billed than was held",
            code="budget_exhausted", hint="check the prices in the settings", details=_details(short, amount),
            ends_agent=True,
        )  # fmt: skip
    return Refused(
        f"{dollars(minimum)} may be needed, and account {short.name} has spent {dollars(short.settled)} of its "
        f"{dollars(short.ceiling)}",
        code="budget_exhausted", hint="raise the ceiling or ask for less", details=_details(short, amount),
        ends_agent=True,
    )  # fmt: skip


def _details(book: _Book, amount: int) -> dict[str, object]:
    return {
        "account": book.name, "amount": amount, "ceiling": book.ceiling, "settled": book.settled,
        "reserved": book.reserved,
    }  # fmt: skip
