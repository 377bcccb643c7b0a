"""Which accounts a call touches: its delegations' allowances, its run, session, user, tenant, and everybody's day."""

from datetime import date
from functools import lru_cache

from coordinator.domain.ports import Account, Stamp
from coordinator.domain.scope import RunState, Scope

SECONDS_PER_DAY = 86_400
EPOCH_ORDINAL = 719_163
"""`date(1970, 1, 1).toordinal()`."""


class Accounts:
    """Names the accounts of a call, from the narrowest to the widest; days are those of UTC, by the injected clock.

    Each is part of the next: a session belongs to one user, a user to one tenant. Names of tenants, users and sessions
    are escaped, so that no two accounts can have one name.

    What the run keeps to finish with is closed to delegates: only the manager's own calls may touch it.

    Args:
        stamp: the injected clock, UTC seconds.
        global_day: the ceiling of what all runs together may cost in a day, in micro-dollars; None: no such account.
    """

    __slots__ = ("_global_day", "_stamp")

    def __init__(self, stamp: Stamp, global_day: int | None = None) -> None:
        self._stamp = stamp
        self._global_day = global_day

    def __call__(self, scope: Scope) -> tuple[Account, ...]:
        day = int(self._stamp() // SECONDS_PER_DAY)
        known: _Known = scope.run.own(self, _Known)
        if known.day != day:
            known.day, shared = day, self._shared(scope.run, day)
            known.manager = (_of_run(scope.run, 0), *shared)
            known.delegates = (_of_run(scope.run, scope.run.limits.finish), *shared)
        accounts = known.manager if len(scope.ancestors) <= 1 else known.delegates
        if not scope.allowances:
            return accounts
        known.allowances.update(dict.fromkeys(allowance.name for allowance in scope.allowances))
        return (*scope.allowances, *accounts)

    def of_run(self, run: RunState) -> list[str]:
        """Return the names of the accounts that end with *run*."""
        known: _Known = run.own(self, _Known)
        return [*known.allowances, run_account(run.run_id)]

    def _shared(self, run: RunState, day: int) -> tuple[Account, ...]:
        limits, who = run.limits, run.tenant
        tenant, user, today = _part(who.tenant), _part(who.user or ""), _date(day)
        tomorrow = (day + 1.0) * SECONDS_PER_DAY
        accounts = []
        if limits.session is not None and who.session is not None:
            # It lasts as long as the conversation, and is forgotten after a whole day without it.
            name = f"session/{tenant}/{user}/{_part(who.session)}"
            accounts.append(Account(name, limits.session, 0, tomorrow + SECONDS_PER_DAY))
        if limits.user_day is not None and who.user is not None:
            accounts.append(Account(f"user-day/{tenant}/{user}/{today}", limits.user_day, 0, tomorrow))
        if limits.tenant_day is not None:
            accounts.append(Account(f"tenant-day/{tenant}/{today}", limits.tenant_day, 0, tomorrow))
        if self._global_day is not None:
            accounts.append(Account(f"global/{today}", self._global_day, 0, tomorrow))
        return tuple(accounts)


class _Known:
    __slots__ = ("allowances", "day", "delegates", "manager")

    def __init__(self) -> None:
        self.day: int | None = None
        self.manager: tuple[Account, ...] = ()
        self.delegates: tuple[Account, ...] = ()
        self.allowances: dict[str, None] = {}


def run_account(run_id: str) -> str:
    """Return the name of a run's own account."""
    return f"run/{run_id}"


def _of_run(run: RunState, kept: int) -> Account:
    return Account(run_account(run.run_id), run.limits.ceiling, kept)


def _part(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


@lru_cache(maxsize=2)
def _date(day: int) -> str:
    return date.fromordinal(EPOCH_ORDINAL + day).isoformat()
