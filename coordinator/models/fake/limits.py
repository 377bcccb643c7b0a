"""The rate limits of a provider: so many requests and tokens a minute, refilled all the time."""

from coordinator.models.fake.wire import Left, Limits, WireError

MINUTE_S = 60.0


class Bucket:
    """Holds *size* at most, and gets as much in a minute; it may be overdrawn, and is then empty for longer."""

    __slots__ = ("_at", "_level", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._level = float(size)
        self._at: float | None = None

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until *amount* is there at loop time *now*; 0: it is."""
        self._refill(now)
        missing = min(amount, self.size) - self._level
        return max(0.0, missing * MINUTE_S / self.size)

    def take(self, amount: float, now: float) -> None:
        """Take *amount*, whether it is there or not; what is negative is given back."""
        self._refill(now)
        self._level = min(self.size, self._level - amount)

    def left(self, now: float) -> Left:
        """Return what is left at loop time *now*."""
        self._refill(now)
        reset = (self.size - self._level) * MINUTE_S / self.size
        return Left(self.size, max(0, int(self._level)), reset)

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._level = min(self.size, self._level + (now - self._at) * self.size / MINUTE_S)
        self._at = now


class RateLimits:
    """Counts requests and tokens, each against its own limit.

    Args:
        requests: how many a minute; None for as many as come.
        tokens: how many a minute; None for as many as come.
    """

    def __init__(self, requests: int | None = None, tokens: int | None = None) -> None:
        given = {"requests": requests, "tokens": tokens}
        self._buckets = {unit: Bucket(size) for unit, size in given.items() if size is not None}

    def admit(self, model: str, tokens: int, now: float) -> None:
        """Count a request to *model* of about so many input *tokens*, at loop time *now*.

        Raises:
            WireError: `throttled`; nothing is counted then.
        """
        amounts = {"requests": 1, "tokens": tokens}
        waits = {unit: bucket.wait(amounts[unit], now) for unit, bucket in self._buckets.items()}
        if any(waits.values()):
            unit = max(waits, key=lambda one: waits[one])
            limit = self._buckets[unit].size
            raise WireError("throttled", retry_after=waits[unit], unit=unit, limit=limit, model=model)
        for unit, bucket in self._buckets.items():
            bucket.take(amounts[unit], now)

    def count(self, tokens: int, now: float) -> None:
        """Count *tokens* more, once they are known; fewer when negative."""
        if "tokens" in self._buckets:
            self._buckets["tokens"].take(tokens, now)

    def left(self, now: float) -> Limits:
        """Return what is left by unit; nothing of what is not limited."""
        return {unit: bucket.left(now) for unit, bucket in self._buckets.items()}
