"""A ledger under audit: the law of money is checked on every account that changes, at the moment when it does."""

from collections.abc import Callable, Iterable, Sequence

from coordinator.domain import ports
from coordinator.domain.ports import Account, Claim, Notice, Reservation
from coordinator.stores.memory.books import AccountState, Book
from coordinator.stores.memory.ledger import Ledger

Check = Callable[[Book], None]


class AuditedLedger(ports.Ledger):
    """Passes everything on to *ledger*, and looks at the accounts that were touched.

    Args:
        ledger: the accounts of money.
        check: looks at one account, and tells what is wrong with it.
    """

    def __init__(self, ledger: Ledger, check: Check) -> None:
        self._ledger = ledger
        self._check = check
        self.most_held = 0
        """Micro-dollars: the most that a single call has held."""

    @property
    def waiting(self) -> int:
        """How many calls wait until others settle."""
        return self._ledger.waiting

    def try_reserve(self, accounts: Sequence[Account], amount: int) -> Reservation | None:
        """Hold *amount*, as the ledger does."""
        return self._audited(self._ledger.try_reserve(accounts, amount), accounts)

    def reserve(self, accounts: Sequence[Account], amount: int, minimum: int | None = None) -> Reservation:
        """Hold *amount* or less, as the ledger does."""
        found = self._ledger.reserve(accounts, amount, minimum)
        return self._audited(found, accounts) or found

    async def hold(self, claim: Claim, deadline: float) -> Reservation | None:
        """Wait as at the ledger."""
        return self._audited(await self._ledger.hold(claim, deadline), claim.accounts)

    def close(self, account: str) -> None:
        """Forget *account*, after a last look."""
        self.audit([account])
        self._ledger.close(account)

    def books(self) -> Iterable[Book]:
        """Return every account itself."""
        return self._ledger.books()

    def snapshot(self) -> tuple[AccountState, ...]:
        """Return every account as it stands."""
        return self._ledger.snapshot()

    def audit(self, names: Iterable[str]) -> None:
        """Look at the accounts of these *names*."""
        for name in names:
            book = self._ledger.book(name)
            if book is not None:
                self._check(book)

    def _audited(self, found: Reservation | None, accounts: Sequence[Account]) -> "AuditedReservation | None":
        if found is None:
            return None
        self.most_held = max(self.most_held, found.amount)
        names = [account.name for account in accounts]
        self.audit(names)
        return AuditedReservation(found, self, names)


class AuditedReservation(Reservation):
    """A reservation after whose end the accounts are looked at."""

    __slots__ = ("_found", "_ledger", "_names")

    def __init__(self, found: Reservation, ledger: AuditedLedger, names: Sequence[str]) -> None:
        self._found = found
        self._ledger = ledger
        self._names = names

    @property
    def amount(self) -> int:
        """Micro-dollars held on every account."""
        return self._found.amount

    def settle(self, actual: int, *, uncertain: bool = False) -> Sequence[Notice]:
        """Book *actual*, as the reservation does."""
        notices = self._found.settle(actual, uncertain=uncertain)
        self._ledger.audit(self._names)
        return notices

    def release(self) -> None:
        """Give everything back, as the reservation does."""
        self._found.release()
        self._ledger.audit(self._names)
