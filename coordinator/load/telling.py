"""A load report in words, for a terminal and for the head of a page."""

from collections.abc import Iterator

from coordinator.load.histogram import Percentiles
from coordinator.load.report import LoadReport
from coordinator.telemetry.charts import plain, span

MEBIBYTE = 1024 * 1024
MOST_COARSE = 3


def told(report: LoadReport) -> Iterator[str]:
    """Yield *report* line by line."""
    yield f"{report.scenario}: {headline(report)}"
    yield from (f"  {note}" for note in notes(report))
    yield f"throughput   {plain(report.throughput)} runs a second over {span(report.seconds)}"
    yield f"latency      {percentiles(report.latency_s)}"
    yield f"runs         {counts(report.statuses)}"
    if report.codes:
        yield f"             because of {counts(report.codes)}"
    yield f"refusals     {counts(report.refusals) or 'none'}"
    yield f"waiting      {'; '.join(_waiting(report)) or 'none'}"
    yield f"money        {money(report)}"
    tripped = {one.dependency: one.trips for one in report.breakers if one.trips}
    yield f"breakers     {f'tripped: {counts(tripped)}' if tripped else 'none tripped'}"
    of_sample = " in the sample" if report.sample_share < 1 else ""
    yield f"in flight    at most {report.in_flight_peak}{of_sample}; memory {memory(report)}"
    if report.loop_lag_s is not None:
        yield f"loop lag     {percentiles(report.loop_lag_s)}"
    yield f"bottleneck   {bottleneck(report)}"
    yield from (f"BROKEN       {breach}" for breach in report.breaches)
    if report.ok:
        yield "held         accounts, gates, breakers and admission within their limits, nothing left behind"


def headline(report: LoadReport) -> str:
    """Return what was done, in one sentence."""
    pace = f"{report.concurrency} at once" if report.rate is None else f"{report.rate:g} a second"
    clock = "virtual" if report.virtual else "real"
    tenants = "1 tenant" if report.tenants == 1 else f"{report.tenants:,} tenants"
    return f"{report.planned:,} runs, {pace}, of {tenants}, in {clock} time, with seed {report.seed}"


def notes(report: LoadReport) -> Iterator[str]:
    """Yield what a reader must know before the figures."""
    if report.interrupted:
        yield f"interrupted: {report.runs:,} runs had ended or were called off"
    if report.sample_share < 1:
        sample = round(report.planned * report.sample_share)
        yield (
            f"a sample: {sample:,} runs stand for {report.planned:,}; pace, rates, places, counted faults and the "
            f"ceilings of users, tenants and everybody were scaled by {report.sample_share:.3g}; what one run or "
            "session may do was not, nor when breakers open"
        )
    if report.coarse:
        yield f"too coarse to judge by, take a larger sample: in this one {', '.join(report.coarse[:MOST_COARSE])}"
    if report.warm_up_runs:
        yield f"warm-up: the latencies of the first {report.warm_up_runs:,} runs ({report.warm_up}) do not count"
    if report.loop == "closed":
        yield "a closed loop: a run begins when another ends, so slow runs lower the load"
    else:
        yield "an open loop: latency counts from the moment at which a run was meant to begin"


def percentiles(found: Percentiles) -> str:
    """Return a distribution of seconds."""
    if not found.count:
        return "nothing was measured"
    named = (("p50", found.p50), ("p90", found.p90), ("p99", found.p99), ("p99.9", found.p99_9), ("max", found.max))
    return ", ".join(f"{name} {span(seconds)}" for name, seconds in named)


def counts(found: dict[str, int]) -> str:
    """Return counts by name."""
    return ", ".join(f"{count:,} {name}" for name, count in found.items())


def money(report: LoadReport) -> str:
    """Return what it cost, against the ceilings."""
    spent = report.money
    text = f"${spent.spent_usd:,.4f}, ${spent.per_run_usd:.4f} a run; the dearest ${spent.dearest_run_usd:.4f} of "
    text += f"${spent.run_ceiling_usd:g}"
    if report.sample_share < 1:
        text += f"; the whole about ${spent.planned_usd:,.2f}"
    if spent.accounts:
        fullest = max(spent.accounts, key=lambda account: account.used)
        text += f"; fullest account {fullest.account}: {fullest.used:.0%} of ${fullest.ceiling_usd:,.4g}"
    return text


def memory(report: LoadReport) -> str:
    """Return the peak, and what a run in flight takes of it."""
    text = f"{report.memory.peak / MEBIBYTE:,.0f} MiB at most"
    per_run = report.memory.per_run_in_flight
    return text if per_run is None else f"{text}, up to {per_run / 1024:,.0f} KiB a run in flight"


def bottleneck(report: LoadReport) -> str:
    """Return which limit holds most runs back, and what to do."""
    found = report.bottleneck
    where = f" ({found.where})" if found.where else ""
    return f"{found.cause}{where}: {found.why}"


def _waiting(report: LoadReport) -> Iterator[str]:
    for one in report.waiting:
        yield f"{one.cause} {one.share:.1%} of the time of runs (p99 {span(one.runs.p99)})"
