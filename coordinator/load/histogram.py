"""Percentiles of any number of measurements in little memory."""

import math
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

SMALLEST = 1e-5
GROWTH = 0.02
"""Each bucket is so much wider than the one below it: a percentile is right within one hundredth."""
_STEP = math.log1p(GROWTH)


class Percentiles(BaseModel):
    """A distribution in a few numbers; all zero when nothing was measured."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    mean: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p99_9: float = 0.0
    max: float = 0.0


class Histogram:
    """Counts values of at least zero in buckets that grow exponentially: its size depends on their range alone.

    See "HdrHistogram", G. Tene, 2012, whose idea it is.
    """

    __slots__ = ("_buckets", "count", "most", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.most = 0.0

    def add(self, value: float) -> None:
        """Count *value*."""
        bucket = int(math.log(value / SMALLEST) / _STEP) + 1 if value > SMALLEST else 0
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += value
        self.most = max(self.most, value)

    def merge(self, other: "Histogram") -> None:
        """Count everything that *other* has counted."""
        for bucket, count in other._buckets.items():  # noqa: SLF001 - of the same class  # noqa: SLF001 - of the same class
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.most = max(self.most, other.most)

    def percentile(self, share: float) -> float:
        """Return the value that *share* (0 to 1) of the values do not exceed; 0 when there are none."""
        return next(iter(self._percentiles([share])), 0.0)

    def summary(self) -> Percentiles:
        """Return the distribution in a few numbers."""
        if not self.count:
            return Percentiles()
        p50, p90, p99, p99_9 = self._percentiles([0.5, 0.9, 0.99, 0.999])
        mean = self.total / self.count
        return Percentiles(count=self.count, mean=mean, p50=p50, p90=p90, p99=p99, p99_9=p99_9, max=self.most)

    def _percentiles(self, shares: Iterable[float]) -> list[float]:
        """Return the percentiles of rising *shares*, in one pass."""
        found = []
        buckets = iter(sorted(self._buckets.items()))
        seen, value = 0, 0.0
        for share in shares:
            rank = max(1, math.ceil(share * self.count))
            while seen < rank:
                bucket, count = next(buckets, (0, rank))
                seen += count
                value = _middle(bucket)
            found.append(min(value, self.most))
        return found


def _middle(bucket: int) -> float:
    return SMALLEST * math.exp((bucket - 0.5) * _STEP) if bucket else 0.0
