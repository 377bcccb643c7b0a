"""The report of a load test: everything that was measured, in plain values."""

from pydantic import BaseModel, ConfigDict

from coordinator.load.histogram import Percentiles


class Part(BaseModel):
    """A part of the report."""

    model_config = ConfigDict(frozen=True)


class Waiting(Part):
    """What runs waited for: *seconds* of all together, by the runs that waited at all."""

    cause: str
    seconds: float
    share: float
    """Of the seconds of all runs; parallel calls of a run add up."""
    runs: Percentiles


class AccountUse(Part):
    """One account at the end. Sums of a sample are those of the sample."""

    account: str
    ceiling_usd: float
    settled_usd: float
    uncertain_usd: float
    overrun_usd: float
    used: float
    """The share of the ceiling that is settled."""


class Money(Part):
    """What the test cost, in dollars."""

    spent_usd: float
    per_run_usd: float
    dearest_run_usd: float
    run_ceiling_usd: float
    planned_usd: float
    """What all planned runs would cost, when only a sample was carried out."""
    accounts: list[AccountUse]
    """The fullest ones of each kind that runs share."""


class BreakerUse(Part):
    """One breaker."""

    dependency: str
    state: str
    trips: int
    refused: int
    health: float


class GateUse(Part):
    """One gate; *waited_s* are seconds times callers that waited."""

    gate: str
    admitted: int
    refused: int
    waited_s: float


class Memory(Part):
    """Resident memory, in bytes."""

    before: int
    peak: int
    per_run_in_flight: int | None
    """At most: what the process grew by, caches included, by the most runs in flight; None in virtual time."""


class Bottleneck(Part):
    """What holds most runs back; *cause* is `nothing` when no limit does."""

    cause: str
    where: str
    why: str


class Series(Part):
    """What happened when: one number for each of the equal bins of time, each *width_s* seconds wide."""

    width_s: float
    started: list[int]
    ended: list[int]
    refused: list[int]
    in_flight: list[int]
    spent_usd: list[float]
    p50_s: list[float | None]
    p99_s: list[float | None]
    breakers: dict[str, list[int]]
    """The worst state in each bin: 0 closed, 1 half open, 2 open."""
    accounts: dict[str, list[float | None]]
    """The share of its ceiling that each of the fullest accounts of each kind had spent."""


class LoadReport(Part):
    """A load test. Times are seconds, of virtual time when it is *virtual*."""

    scenario: str
    ok: bool
    """Whether everything held that must."""
    breaches: list[str]
    interrupted: bool
    virtual: bool
    seed: int
    loop: str
    """`open`: runs began at a rate; `closed`: each began when another had ended."""
    rate: float | None
    concurrency: int | None
    """As planned; a sample has its share of them."""
    tenants: int
    planned: int
    runs: int
    """That ended, of those that were carried out."""
    sample_share: float
    """Below 1, when a sample stands for all: limits and ceilings were scaled by it."""
    coarse: list[str]
    """Limits of which the sample's part is so small that it says little about the whole."""
    seconds: float
    throughput: float
    """Runs that ended in a second; of a sample, what the whole would have done."""
    warm_up: str
    warm_up_runs: int
    latency_s: Percentiles
    """From the intended start; of runs that were not refused, without the warm-up."""
    late_starts_s: Percentiles
    statuses: dict[str, int]
    refusals: dict[str, int]
    """Runs that were refused, by reason."""
    codes: dict[str, int]
    """Why runs did not complete."""
    calls: dict[str, int]
    failed_calls: dict[str, int]
    """Model and tool calls without a result, by reason."""
    waiting: list[Waiting]
    bottleneck: Bottleneck
    money: Money
    breakers: list[BreakerUse]
    gates: list[GateUse]
    in_flight_peak: int
    memory: Memory
    loop_lag_s: Percentiles | None
    """None in virtual time."""
    series: Series
