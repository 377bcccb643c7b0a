"""Which accounts a call touches: its run, its tenant's day and everybody's day."""

from datetime import date

from coordinator.domain.ports import Account, Stamp
from coordinator.domain.scope import RunState, Scope
from coordinator.domain.value import value

SECONDS_PER_DAY = 86_400
EPOCH_ORDINAL = 719_163
"""`date(1970, 1, 1).toordinal()`."""


@value
class Ceilings:
    """The ceilings of the accounts that outlive a run, in micro-dollars; None: there is no such account."""

    tenant_day: int | None = None
    global_day: int | None = None


class Accounts:
    """Names the accounts of a call; days are those of UTC, by the injected clock.

    Args:
        ceilings: of the accounts that several runs share.
        stamp: the injected clock, UTC seconds.
    """

    __slots__ = ("_ceilings", "_stamp")

    def __init__(self, ceilings: Ceilings, stamp: Stamp) -> None:
        self._ceilings = ceilings
        self._stamp = stamp

    def __call__(self, scope: Scope) -> tuple[Account, ...]:
        day = int(self._stamp() // SECONDS_PER_DAY)
        known = scope.run.own(self, _Known)
        if known.day != day:
            known.day, known.accounts = day, self._name(scope.run, day)
        return known.accounts

    def _name(self, run: RunState, day: int) -> tuple[Account, ...]:
        accounts = [Account(run_account(run.run_id), run.limits.ceiling)]
        today = _date(day)
        if self._ceilings.tenant_day is not None:
            accounts.append(Account(f"tenant-day/{run.tenant.tenant}/{today}", self._ceilings.tenant_day))
        if self._ceilings.global_day is not None:
            accounts.append(Account(f"global/{today}", self._ceilings.global_day))
        return tuple(accounts)


class _Known:
    __slots__ = ("accounts", "day")

    def __init__(self) -> None:
        self.day = -1
        self.accounts: tuple[Account, ...] = ()


def run_account(run_id: str) -> str:
    """Return the name of a run's own account."""
    return f"run/{run_id}"


def _date(day: int) -> str:
    return date.fromordinal(EPOCH_ORDINAL + day).isoformat()
