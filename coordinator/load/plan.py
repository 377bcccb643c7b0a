"""What a load test is to do, and what of it makes no sense."""

import math
import re
from collections.abc import Sequence

from coordinator.domain.errors import Invalid
from coordinator.domain.value import value
from coordinator.simulation.faults import FaultRule

MOST_RUNS = 100_000_000
MOST_RATE = 100_000.0
MOST_CONCURRENCY = 1_000_000
MOST_TENANTS = 100_000

SAMPLE = 20_000
"""Runs of a virtual load that stand for all, when there are more than `SAMPLED_ABOVE`."""
SAMPLED_ABOVE = 50_000

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*s")


@value
class WarmUp:
    """The beginning, whose latencies do not count: a share of the runs, or seconds."""

    share: float = 0.05
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> "WarmUp":
        """Return the warm-up that *text* means, such as `5%` or `30s`.

        Raises:
            Invalid: `usage`.
        """
        share, seconds = _SHARE.fullmatch(text.strip()), _SECONDS.fullmatch(text.strip())
        if seconds:
            return cls(0.0, float(seconds[1]))
        if share and float(share[1]) <= 90:
            return cls(float(share[1]) / 100)
        raise Invalid(
            f"a warm-up of {text!r} is neither a share of the runs nor seconds", code="usage",
            hint="write, for example, 5% (at most 90%) or 30s",
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.share:.0%} of the runs" if self.seconds is None else f"{self.seconds:g} s"


@value
class LoadPlan:
    """How many runs, how fast, for whom.

    Exactly one of *rate* (runs that begin in a second: an open loop) and *concurrency* (runs at once: a closed loop).
    """

    runs: int = 1000
    rate: float | None = None
    concurrency: int | None = None
    tenants: int = 1
    faults: Sequence[FaultRule] = ()
    """What fails, beside what the scenario lets fail."""
    seed: int = 1
    warm_up: WarmUp = WarmUp()
    sample: int | None = None
    """Runs that stand for all of them, with limits and ceilings scaled alike; only in virtual time."""

    def check(self, *, virtual: bool) -> None:
        """Find what makes no sense.

        Raises:
            Invalid: `usage`.
        """
        if (self.rate is None) == (self.concurrency is None):
            both = "neither a rate nor a concurrency is" if self.rate is None else "both a rate and a concurrency are"
            raise Invalid(
                f"{both} given", code="usage",
                hint="give exactly one: --rate, runs that begin in a second, or --concurrency, runs at once",
            )  # fmt: skip
        _within("runs", self.runs, 1, MOST_RUNS)
        _within("tenants", self.tenants, 1, MOST_TENANTS)
        _within("seed", self.seed, 0, 2**63)
        if self.concurrency is not None:
            _within("concurrency", self.concurrency, 1, MOST_CONCURRENCY)
        if self.rate is not None:
            _within("rate", self.rate, 1e-6, MOST_RATE)
        if self.sample is not None:
            if not virtual:
                raise Invalid("a sample is for virtual time only", code="usage", hint="add --virtual, or leave it out")
            _within("sample", self.sample, 1, self.runs)

    def check_warm_up(self, longest_s: float) -> None:
        """Find a warm-up that lasts at least until the last run begins, so that no latency would count.

        Args:
            longest_s: seconds that a run may take; without a rate, runs begin when others have ended.

        Raises:
            Invalid: `usage`.
        """
        rounds = (self.runs - 1) // (self.concurrency or 1)
        last_s = rounds * longest_s if self.rate is None else (self.runs - 1) / self.rate
        if self.warm_up.seconds is not None and self.warm_up.seconds > last_s:
            raise Invalid(
                f"the last run begins at most {last_s:,g} s after the first, within a warm-up of {self.warm_up}",
                code="usage", hint="give a shorter warm-up or more runs: it leaves none whose latency counts",
            )  # fmt: skip

    def sampled(self, *, virtual: bool) -> int:
        """Return how many runs are carried out."""
        if self.sample is not None:
            return self.sample
        return SAMPLE if virtual and self.runs > SAMPLED_ABOVE else self.runs


def _within(name: str, given: float, least: float, most: float) -> None:
    if not math.isfinite(given) or not least <= given <= most:
        raise Invalid(f"{name} is {given:,g}", code="usage", hint=f"give a number from {least:g} to {most:,g}")
