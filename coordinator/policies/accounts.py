"""Which accounts a call touches: its delegations' allowances, its run, session, user, tenant, and everybody's."""

import math
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache

from coordinator.domain.ports import Account, Stamp
from coordinator.domain.scope import RunState, Scope
from coordinator.domain.surfaces import Period
from coordinator.domain.value import value

SECONDS_PER_HOUR = 3_600
SECONDS_PER_DAY = 86_400
EPOCH_ORDINAL = 719_163
"""`date(1970, 1, 1).toordinal()`."""


@value
class Stretch:
    """A stretch of time that one account is for: its name, and the UTC stamps of its beginning and its end."""

    name: str
    begins: float
    ends: float


class Accounts:
    """Names the accounts of a call, from the narrowest to the widest; days and periods are of UTC, by *stamp*.

    Each is part of the next: a session belongs to one user, a user to one tenant. Names of tenants, users and sessions
    are escaped, so that no two accounts can have one name.

    What the run keeps to finish with is closed to delegates: only the manager's own calls may touch it.

    Args:
        stamp: the injected clock, UTC seconds.
        everybody: micro-dollars, the ceiling of all runs together in a *period*; None: no such account.
        period: how long everybody's account lasts.
    """

    __slots__ = ("_everybody", "_period", "_stamp")

    def __init__(self, stamp: Stamp, everybody: int | None = None, period: Period = "day") -> None:
        self._stamp = stamp
        self._everybody = everybody
        self._period = PERIODS[period]

    def __call__(self, scope: Scope) -> tuple[Account, ...]:
        now = self._stamp()
        known: _Known = scope.run.own(self, _Known)
        if not known.begins <= now < known.ends:
            self._renew(known, scope.run, now)
        accounts = known.manager if len(scope.ancestors) <= 1 else known.delegates
        if not scope.allowances:
            return accounts
        known.allowances.update(dict.fromkeys(allowance.name for allowance in scope.allowances))
        return (*scope.allowances, *accounts)

    def of_run(self, run: RunState) -> list[str]:
        """Return the names of the accounts that end with *run*."""
        known: _Known = run.own(self, _Known)
        return [*known.allowances, run_account(run.run_id)]

    def _renew(self, known: "_Known", run: RunState, now: float) -> None:
        today, period = _day(now), self._period(now)
        known.begins, known.ends = max(today.begins, period.begins), min(today.ends, period.ends)
        shared = self._shared(run, today, period)
        known.manager = (_of_run(run, 0), *shared)
        known.delegates = (_of_run(run, run.limits.finish), *shared)

    def _shared(self, run: RunState, today: Stretch, period: Stretch) -> tuple[Account, ...]:
        limits, who = run.limits, run.tenant
        tenant, user, tomorrow = _part(who.tenant), _part(who.user or ""), today.ends
        accounts = []
        if limits.session is not None and who.session is not None:
            # It lasts as long as the conversation, and is forgotten after a whole day without it.
            name = f"session/{tenant}/{user}/{_part(who.session)}"
            accounts.append(Account(name, limits.session, 0, tomorrow + SECONDS_PER_DAY))
        if limits.user_day is not None and who.user is not None:
            accounts.append(Account(f"user-day/{tenant}/{user}/{today.name}", limits.user_day, 0, tomorrow, True))
        if limits.tenant_day is not None:
            accounts.append(Account(f"tenant-day/{tenant}/{today.name}", limits.tenant_day, 0, tomorrow, True))
        if self._everybody is not None:
            accounts.append(Account(f"global/{period.name}", self._everybody, 0, period.ends, True))
        return tuple(accounts)


class _Known:
    __slots__ = ("allowances", "begins", "delegates", "ends", "manager")

    def __init__(self) -> None:
        self.begins = math.inf
        self.ends = -math.inf
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


def _hour(now: float) -> Stretch:
    number = int(now // SECONDS_PER_HOUR)
    name = f"{_day(now).name}T{number % 24:02}"
    return Stretch(name, number * SECONDS_PER_HOUR, (number + 1) * SECONDS_PER_HOUR)


def _day(now: float) -> Stretch:
    return _day_of(int(now // SECONDS_PER_DAY))


@lru_cache(maxsize=2)
def _day_of(number: int) -> Stretch:
    name = date.fromordinal(EPOCH_ORDINAL + number).isoformat()
    return Stretch(name, number * SECONDS_PER_DAY, (number + 1) * SECONDS_PER_DAY)


def _month(now: float) -> Stretch:
    first = date.fromordinal(EPOCH_ORDINAL + int(now // SECONDS_PER_DAY)).replace(day=1)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    begins, ends = ((day.toordinal() - EPOCH_ORDINAL) * SECONDS_PER_DAY for day in (first, following))
    return Stretch(f"{first:%Y-%m}", begins, ends)


def _total(_now: float) -> Stretch:
    return Stretch("total", -math.inf, math.inf)


PERIODS: Mapping[Period, Callable[[float], Stretch]] = {"hour": _hour, "day": _day, "month": _month, "total": _total}
"""The stretch of each kind in which a UTC stamp lies."""
