"""The ledger of a simulated world, which remembers what was touched, so that nothing else need be looked at."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from coordinator.domain import ports


class Books(ports.Ledger, Protocol):
    """A ledger whose accounts can be looked at."""

    def book(self, name: str) -> Any:
        """Return one account as it lives; None when there is none."""

    def books(self) -> Iterable[Any]:
        """Return every account as it lives."""


class Touched:
    """Passes everything on to *ledger*, and keeps the names of the accounts on which money is held or settled."""

    def __init__(self, ledger: Books) -> None:
        self._ledger = ledger
        self._names: dict[str, None] = {}
        self.most = 0
        """The most that one call has held, in micro-dollars."""

    def touched(self) -> Sequence[Any]:
        """Return every account that was touched since this was asked last, as it lives, and is still open."""
        names = self._names
        if not names:
            return ()
        self._names = {}
        return [book for name in names if (book := self._ledger.book(name)) is not None]

    def touch(self, accounts: Iterable[ports.Account]) -> None:
        """Remember *accounts*."""
        for account in accounts:
            self._names[account.name] = None

    def try_reserve(self, accounts: Sequence[ports.Account], amount: int) -> ports.Reservation | None:
        """Pass on; see the port."""
        return self._noted(accounts, self._ledger.try_reserve(accounts, amount))

    def reserve(
        self, accounts: Sequence[ports.Account], amount: int, minimum: int | None = None
    ) -> ports.Reservation:  # fmt: skip
        """Pass on; see the port."""
        return _Noted(self, accounts, self._ledger.reserve(accounts, amount, minimum))

    def take(self, claim: ports.Claim, *, ahead: bool = False) -> ports.Reservation | None:
        """Pass on; see the port."""
        return self._noted(claim.accounts, self._ledger.take(claim, ahead=ahead))

    async def hold(self, claim: ports.Claim, deadline: float) -> ports.Reservation | None:
        """Pass on; see the port."""
        return self._noted(claim.accounts, await self._ledger.hold(claim, deadline))

    def close(self, account: str) -> None:
        """Pass on; see the port."""
        self._ledger.close(account)

    def snapshot(self) -> Any:
        """Return every account as it stands."""
        return self._ledger.snapshot()

    def book(self, name: str) -> Any:
        """Return one account as it lives; None when there is none."""
        return self._ledger.book(name)

    def books(self) -> Iterable[Any]:
        """Return every account as it lives."""
        return self._ledger.books()

    def _noted(
        self, accounts: Sequence[ports.Account], held: ports.Reservation | None
    ) -> ports.Reservation | None:  # fmt: skip
        return None if held is None else _Noted(self, accounts, held)


class _Noted:
    """A reservation whose beginning and end are noted."""

    __slots__ = ("_accounts", "_ledger", "_reservation", "amount")

    def __init__(self, ledger: Touched, accounts: Sequence[ports.Account], reservation: ports.Reservation) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._reservation = reservation
        self.amount = reservation.amount
        ledger.most = max(ledger.most, reservation.amount)
        ledger.touch(accounts)

    def settle(self, actual: int, *, uncertain: bool = False) -> Sequence[ports.Notice]:
        """Pass on; see the port."""
        self._ledger.touch(self._accounts)
        return self._reservation.settle(actual, uncertain=uncertain)

    def release(self) -> None:
        """Pass on; see the port."""
        self._ledger.touch(self._accounts)
        self._reservation.release()
