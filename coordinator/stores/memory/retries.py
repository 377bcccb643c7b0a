"""Retry budgets in one process: how much repeating may add to what a dependency is asked anyway."""

import asyncio

from coordinator.domain.value import value


@value
class RetryTally:
    """What one dependency was asked since its period began."""

    dependency: str
    requests: int
    retries: int


class RetryBudget:
    """Grants retries up to a share of the requests of a period, and never less than a floor.

    A dependency that is down is then asked at most `1 + share` times as often, instead of *attempts* times.

    Args:
        share: retries per request.
        floor: retries that are always granted per period.
        period_s: seconds after which counting starts again.
    """

    def __init__(self, share: float = 0.1, floor: int = 10, period_s: float = 60.0) -> None:
        self._share = share
        self._floor = floor
        self._period_s = period_s
        self._tallies: dict[str, _Tally] = {}

    def request(self, dependency: str) -> None:
        """Count a call that is about to be made for the first time."""
        tally = self._tallies.get(dependency)
        if tally is None:
            tally = self._tallies[dependency] = _Tally()
        tally.requests += 1

    def retry(self, dependency: str) -> bool:
        """Take one retry out of the budget; False when it is spent."""
        tally = self._tallies.setdefault(dependency, _Tally())
        now = asyncio.get_running_loop().time()
        if now - tally.since > self._period_s:
            tally.since, tally.requests, tally.retries = now, 0, 0
        if tally.retries >= max(self._floor, self._share * tally.requests):
            return False
        tally.retries += 1
        return True

    def snapshot(self) -> tuple[RetryTally, ...]:
        """Return the tally of every dependency."""
        return tuple(RetryTally(name, tally.requests, tally.retries) for name, tally in self._tallies.items())


class _Tally:
    __slots__ = ("requests", "retries", "since")

    def __init__(self) -> None:
        self.since = 0.0
        self.requests = 0
        self.retries = 0
