"""One leaky bucket of a gate, over aiolimiter: how long until an amount fits, and taking and giving back."""

from aiolimiter import AsyncLimiter

from coordinator.stores.memory.lows import Lows


class Bucket:
    """Lets *amount* pass in any window of *window_s* seconds.

    aiolimiter alone may admit twice its rate in the first window, has no refund, and refuses amounts above its
    capacity. So it is configured with less: burst + rate x window <= amount. Whoever asks for more than the burst waits
    until the bucket is empty, takes all of it and leaves the rest as a debt that the next ones wait for.

    Args:
        amount: per window, at least 1.
        window_s: seconds.
        burst: the share of *amount* that may pass at once.
        exact: whether the lows of the level are kept, to give back neither too little nor too much; without, nothing is
            given back for what may have leaked out meanwhile.
    """

    __slots__ = ("_limiter", "_lows", "_rate", "capacity")

    def __init__(self, amount: float, window_s: float, burst: float, *, exact: bool) -> None:
        self.capacity = min(max(1.0, amount * burst), amount)
        # A single one per window leaves nothing for a rate beside the burst: one bucketful per window is strict.
        self._rate = max(amount - self.capacity, min(self.capacity, 1.0)) / window_s
        self._limiter = AsyncLimiter(self.capacity, self.capacity / self._rate)
        self._lows = Lows() if exact else None

    @property
    def level(self) -> float:
        """How full the bucket is; above the capacity it is in debt."""
        self._limiter._leak()  # noqa: SLF001 - up to now, which `has_capacity` does too, and then compares
        return self._limiter._level  # noqa: SLF001 - aiolimiter has no reading, no debt and no refund; a test pins it

    def fits(self, amount: float) -> bool:
        """Say whether *amount* fits now."""
        capacity = self.capacity
        self._limiter._leak()  # noqa: SLF001 - as above, and without another call
        return self._limiter._level + (amount if amount < capacity else capacity) <= capacity  # noqa: SLF001 - as above

    def delay(self, amount: float, ahead: float = 0.0) -> float:
        """Return the seconds until *amount* fits when *ahead* passes before it; 0 when it fits now."""
        capacity = self.capacity
        over = self.level + ahead + (amount if amount < capacity else capacity) - capacity
        return over / self._rate if over > 0 else 0.0

    def take(self, amount: float, now: float) -> None:
        """Take *amount* at *now*, whether it fits or not, right after its `delay` was asked for."""
        level = self._limiter._level  # noqa: SLF001 - as above
        if self._lows is not None:
            self._lows.note(now, level)
        self._limiter._level = level + amount  # noqa: SLF001 - as above

    def give(self, amount: float, taken_at: float, now: float) -> float:
        """Give back what has not leaked out yet of *amount*, which was taken too much at *taken_at*; return it."""
        level = self.level
        if self._lows is None:
            left = max(0.0, amount - (now - taken_at) * self._rate)
        else:
            self._lows.note(now, level)
            left = min(amount, self._lows.since(taken_at))
        self._limiter._level = max(0.0, level - left)  # noqa: SLF001 - as above
        return left
