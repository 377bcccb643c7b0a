"""Retry budgets in one process: how much repeating may add to what a dependency is asked anyway."""

from coordinator.domain.value import value


@value
class RetryTally:
    """One dependency: first attempts that were sent, retries that were granted, and what is left of the budget."""

    dependency: str
    requests: int
    retries: int
    refused: int
    left: float


class RetryBudget:
    """Grants retries out of a store that every first attempt fills by a share and every retry empties by one.

    The store begins full, holds no more than *floor*, and a retry that went well is given back. So of any *n* first
    attempts at most `floor + share * n` are repeated in vain, however slowly they come: for 100 and more of them, a
    dependency that is down is sent at most 1.2 times as many calls. One that fails now and then is sent another call
    for each that a retry saves.

    Args:
        share: retries per first attempt.
        floor: retries that a dependency is granted before the share counts.
    """

    def __init__(self, share: float = 0.1, floor: int = 10) -> None:
        self._share = share
        self._floor = float(floor)
        self._tallies: dict[str, _Tally] = {}

    def request(self, dependency: str) -> None:
        """Count a first attempt that was sent."""
        tally = self._tallies.get(dependency) or self._of(dependency)
        tally.requests += 1
        if tally.left < self._floor:
            tally.left = min(self._floor, tally.left + self._share)

    def retry(self, dependency: str) -> bool:
        """Take one retry out of the budget; False when it is spent."""
        tally = self._of(dependency)
        # A hundred shares of a tenth are a little less than ten.
        if tally.left < 1 - 1e-9:
            tally.refused += 1
            return False
        tally.left -= 1
        tally.retries += 1
        return True

    def helped(self, dependency: str) -> None:
        """Give a retry back that went well: where retries help, nothing is down."""
        tally = self._of(dependency)
        tally.left = min(self._floor, tally.left + 1)

    def snapshot(self) -> tuple[RetryTally, ...]:
        """Return the tally of every dependency."""
        return tuple(
            RetryTally(name, tally.requests, tally.retries, tally.refused, tally.left)
            for name, tally in self._tallies.items()
        )

    def _of(self, dependency: str) -> "_Tally":
        tally = self._tallies.get(dependency)
        if tally is None:
            tally = self._tallies[dependency] = _Tally(self._floor)
        return tally


class _Tally:
    __slots__ = ("left", "refused", "requests", "retries")

    def __init__(self, left: float) -> None:
        self.left = left
        self.refused = 0
        self.requests = 0
        self.retries = 0
