"""What happened when: a bounded number of bins, which become twice as wide whenever time outgrows them."""

from coordinator.load.histogram import Histogram

MOST_BINS = 240
FIRST_WIDTH_S = 0.1

CLOSED, HALF_OPEN, OPEN = 0, 1, 2
RANKS = {"closed": CLOSED, "half-open": HALF_OPEN, "open": OPEN}
"""States of a breaker by how bad they are; a bin keeps the worst."""


class Bin:
    """A stretch of time. *spent* is in micro-dollars."""

    __slots__ = ("breakers", "ended", "in_flight", "latency", "refused", "spent", "started", "used")

    def __init__(self) -> None:
        self.started = self.ended = self.refused = self.spent = self.in_flight = 0
        self.latency = Histogram()
        self.breakers: dict[str, int] = {}
        """The worst state of every breaker that was not closed all the time."""
        self.used: dict[str, float] = {}
        """The share of their ceilings that accounts had spent in the end."""

    def merge(self, other: "Bin") -> None:
        """Take in the bin that follows."""
        self.started += other.started
        self.ended += other.ended
        self.refused += other.refused
        self.spent += other.spent
        self.in_flight = max(self.in_flight, other.in_flight)
        self.latency.merge(other.latency)
        self.used |= other.used
        for dependency, rank in other.breakers.items():
            self.breakers[dependency] = max(rank, self.breakers.get(dependency, CLOSED))


class Timeline:
    """Bins of equal width since the beginning."""

    def __init__(self) -> None:
        self.width = FIRST_WIDTH_S
        """Seconds of a bin."""
        self.bins: list[Bin] = []
        self.in_flight = 0
        """Runs in flight now; a stretch in which nothing happened has as many."""
        self.down: dict[str, int] = {}
        """How bad the breakers that are not closed are now."""

    def at(self, seconds: float) -> Bin:
        """Return the bin of the moment *seconds* after the beginning."""
        while seconds >= self.width * MOST_BINS:
            self._widen()
        place = int(max(0.0, seconds) / self.width)
        while len(self.bins) <= place:
            self.bins.append(self._next())
        return self.bins[place]

    def _next(self) -> Bin:
        new = Bin()
        new.in_flight = self.in_flight
        new.breakers = dict(self.down)
        if self.bins:
            new.used = dict(self.bins[-1].used)
        return new

    def _widen(self) -> None:
        for left, right in zip(self.bins[::2], self.bins[1::2], strict=False):
            left.merge(right)
        self.bins = self.bins[::2]
        self.width *= 2
