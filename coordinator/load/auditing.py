"""A ledger under audit: the law of money is checked on every account that changes, whenever it does."""

from collections.abc import Callable, Iterable
from typing import Any

from coordinator.domain.ports import Account
from coordinator.simulation.touched import Books, Touched


class Audited(Touched):
    """Passes everything on to *ledger*, and looks at accounts when money has come to be held, and before they change.

    So what is over before anybody hears of it is seen, too; what a settlement leaves is still there at the next look.

    Args:
        ledger: the accounts of money.
        check: looks at one account, and tells what is wrong with it.
    """

    def __init__(self, ledger: Books, check: Callable[[Any], None]) -> None:
        super().__init__(ledger)
        self._check = check
        self.most_held = 0
        """Micro-dollars: the most that a single call has held."""

    def touch(self, accounts: Iterable[Account]) -> None:
        """Look at *accounts*."""
        for account in accounts:
            self._look(account.name)

    def close(self, account: str) -> None:
        """Look at the account for the last time, and pass on."""
        self._look(account)
        super().close(account)

    def _look(self, name: str) -> None:
        book = self.book(name)
        if book is None:
            return
        self._check(book)
        if book.reservations == 1:
            self.most_held = max(self.most_held, book.reserved)
