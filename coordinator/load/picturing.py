"""A load report as a page."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from coordinator.load.fullest import kind_of
from coordinator.load.report import LoadReport
from coordinator.load.telling import MEBIBYTE, bottleneck, headline, memory, notes, percentiles
from coordinator.telemetry.charts import Line, bar_chart, line_chart, plain, span, strip_chart
from coordinator.telemetry.page import Page, Tile

STATES = ("closed", "half open", "open")
KINDS = {"tenant-day": "Days of tenants", "user-day": "Days of users", "session": "Sessions"}
"""Kinds of accounts that have a chart of their own, beside what all runs spend together."""
MOST_STRIPS = 12
MOST_ROOM = 4
"""A ceiling above so many times what was spent would only flatten the line."""


def page_of(report: LoadReport) -> str:
    """Return *report* as one HTML file that needs nothing else."""
    page = Page(f"Load: {report.scenario}", headline(report))
    if report.ok:
        page.banner("Everything held: money, gates, breakers and admission, and nothing was left behind.", "good")
    for breach in report.breaches:
        page.banner(f"Broken: {breach}", "bad")
    if report.interrupted:
        page.banner("The test was interrupted; this is what was measured until then.", "warn")
    page.tiles(_tiles(report))
    page.banner(f"Bottleneck: {bottleneck(report)}.")
    for note in notes(report):
        page.text(f"{note[0].upper()}{note[1:]}.")
    _latency(page, report)
    _flow(page, report)
    _waiting(page, report)
    _money(page, report)
    _breakers(page, report)
    _process(page, report)
    return str(page)


def _tiles(report: LoadReport) -> Iterator[Tile]:
    completed = report.statuses.get("completed", 0)
    refused = report.statuses.get("refused", 0)
    yield Tile("Runs ended", f"{report.runs:,}", f"{completed / max(1, report.runs):.1%} completed")
    yield Tile("Throughput", f"{plain(report.throughput)}/s", f"over {span(report.seconds)}")
    yield Tile("Latency p50", span(report.latency_s.p50), f"p99 {span(report.latency_s.p99)}")
    yield Tile("Refused", f"{refused:,}", f"{refused / max(1, report.runs):.1%} of the runs", "bad" if refused else "")
    yield Tile("Spent", f"${report.money.spent_usd:,.2f}", f"${report.money.per_run_usd:.4f} a run")
    whose = "" if report.sample_share >= 1 else ", in the sample"
    yield Tile("In flight", f"{report.in_flight_peak:,}", f"at most{whose}")


def _latency(page: Page, report: LoadReport) -> None:
    series = report.series
    page.section("Latency", "From the intended start to the result, of runs that were not refused.")
    lines = [Line("p99", series.p99_s), Line("p50", series.p50_s, filled=True)]
    page.picture(line_chart("Latency over time", lines, series.width_s, span))
    found = report.latency_s
    page.table(
        ["", "p50", "p90", "p99", "p99.9", "max", "mean"],
        [["latency", *map(span, (found.p50, found.p90, found.p99, found.p99_9, found.max, found.mean))]],
    )


def _flow(page: Page, report: LoadReport) -> None:
    series = report.series
    page.section("Runs", "In flight are runs that wait for admission, too.")
    page.picture(
        line_chart("Runs in flight", [Line("in flight", series.in_flight, filled=True)], series.width_s)
    )  # fmt: skip
    flows = [
        Line("ended a second", _rate(series.ended, series.width_s)),
        Line("refused a second", _rate(series.refused, series.width_s)),
    ]
    page.picture(line_chart("Runs that ended and were refused", flows, series.width_s))
    rows = [[f"status {name}", f"{count:,}"] for name, count in report.statuses.items()]
    rows += [[f"refused: {name}", f"{count:,}"] for name, count in report.refusals.items()]
    rows += [[f"code {name}", f"{count:,}"] for name, count in report.codes.items() if name not in report.refusals]
    rows += [[f"call without result: {name}", f"{count:,}"] for name, count in report.failed_calls.items()]
    rows += [[name.replace("_", " "), f"{count:,}"] for name, count in report.calls.items()]
    page.table(["what", "how often"], rows)


def _waiting(page: Page, report: LoadReport) -> None:
    page.section("Waiting by cause", "As a share of the time of all runs; parallel calls of one run add up.")
    if not report.waiting:
        page.text("Nothing was waited for.")
        return
    bars = {one.cause: one.share for one in report.waiting}
    page.picture(bar_chart("Waiting by cause", bars, lambda share: f"{share:.1%}", max(1.0, *bars.values())))
    rows = [
        [one.cause, f"{one.runs.count:,}", span(one.seconds), *map(span, (one.runs.p50, one.runs.p99, one.runs.max))]
        for one in report.waiting
    ]
    page.table(["cause", "runs", "in all", "p50", "p99", "max"], rows)
    gates = [gate for gate in report.gates if gate.refused or gate.waited_s]
    if gates:
        page.table(
            ["gate", "admitted", "refused", "waited"],
            [[gate.gate, f"{gate.admitted:,}", f"{gate.refused:,}", span(gate.waited_s)] for gate in gates],
        )


def _money(page: Page, report: LoadReport) -> None:
    series, money = report.series, report.money
    page.section("Money", "Spent by runs that have ended.")
    spent = list(accumulate(series.spent_usd))
    lines = [Line("spent", spent, filled=True)]
    page.picture(line_chart("Money spent", lines, series.width_s, _usd, _near_ceiling(report)))
    for kind, title in KINDS.items():
        own = [Line(name.partition("/")[2], used) for name, used in series.accounts.items() if kind_of(name) == kind]
        if own:
            near = max(used or 0.0 for line in own for used in line.values) >= 1 / MOST_ROOM
            page.text(f"{title}: the share of the ceiling that is spent, of the fullest.")
            page.picture(line_chart(title, own, series.width_s, lambda used: f"{used:.0%}", 1.0 if near else None))
    if money.accounts:
        bars = {one.account: one.used for one in money.accounts}
        page.text("In the end, against their ceilings:")
        page.picture(bar_chart("Accounts against their ceilings", bars, lambda used: f"{used:.1%}", 1.0))
    rows = [
        [one.account, _usd(one.settled_usd), _usd(one.ceiling_usd), f"{one.used:.1%}", _usd(one.overrun_usd)]
        for one in money.accounts
    ]
    dearest = money.dearest_run_usd
    used = dearest / money.run_ceiling_usd if money.run_ceiling_usd else 0.0
    rows.append(["the dearest run", _usd(dearest), _usd(money.run_ceiling_usd), f"{used:.1%}", ""])
    page.table(["account", "settled", "ceiling", "used", "overrun"], rows)
    if report.sample_share < 1:
        page.text(f"All planned runs together would cost about ${money.planned_usd:,.2f}.")


def _breakers(page: Page, report: LoadReport) -> None:
    page.section("Breakers", "The worst state in each stretch of time.")
    states = dict(list(report.series.breakers.items())[:MOST_STRIPS])
    if states:
        page.picture(strip_chart("Breaker states", states, report.series.width_s, STATES))
    else:
        page.text("No breaker opened.")
    rows = [
        [one.dependency, one.state, f"{one.trips:,}", f"{one.refused:,}", f"{one.health:.0%}"]
        for one in report.breakers
    ]
    page.table(["dependency", "in the end", "trips", "refused", "health"], rows)


def _process(page: Page, report: LoadReport) -> None:
    page.section("Process")
    rows = [
        ["memory", memory(report)],
        ["memory before", f"{report.memory.before / MEBIBYTE:,.0f} MiB"],
        ["starts later than intended", percentiles(report.late_starts_s)],
    ]
    if report.loop_lag_s is not None:
        rows.insert(0, ["event-loop lag", percentiles(report.loop_lag_s)])
    page.table(["what", "figures"], rows)


def _near_ceiling(report: LoadReport) -> float | None:
    """Return what all runs together may spend in a day, when it is near enough to be drawn."""
    shared = {one.account: one.ceiling_usd for one in report.money.accounts if one.account.startswith("global/")}
    ceiling = min(shared.values(), default=None)
    return ceiling if ceiling is not None and ceiling <= MOST_ROOM * report.money.spent_usd else None


def _rate(counted: Sequence[int], width_s: float) -> list[float | None]:
    return [count / width_s for count in counted]


def _usd(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"
