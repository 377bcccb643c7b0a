"""From what was measured to the report."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from coordinator.domain.money import usd
from coordinator.load.bottleneck import bottleneck, overloaded
from coordinator.load.driving import Drive
from coordinator.load.fullest import FEW, OWN, kind_of, used
from coordinator.load.histogram import Histogram
from coordinator.load.measuring import Measured
from coordinator.load.report import (
    AccountUse,
    BreakerUse,
    GateUse,
    LoadReport,
    Memory,
    Money,
    Series,
    Waiting,
)
from coordinator.load.scaling import coarse
from coordinator.load.timeline import Bin

MOST_ROWS = 20
"""Gates that a report names."""


def report_of(drive: Drive) -> LoadReport:
    """Return the report of *drive*, which has ended or was interrupted."""
    test, measured = drive.test, drive.measured
    plan, share = test.plan, test.place.share
    held: Any = drive.coordinator.held
    waiting = _waiting(measured)
    money = _money(drive)
    gates, breakers = _gates(measured), _breakers(held, measured)
    codes = dict(measured.codes.most_common())
    seconds = measured.now
    return LoadReport(
        scenario=test.name,
        ok=not drive.breaches,
        breaches=list(drive.breaches),
        interrupted=drive.interrupted,
        virtual=test.virtual,
        seed=plan.seed,
        loop="closed" if plan.rate is None else "open",
        rate=plan.rate,
        concurrency=plan.concurrency,
        tenants=plan.tenants,
        planned=plan.runs,
        runs=measured.ended,
        sample_share=share,
        coarse=list(coarse(test.place.settings, usd(held.ledger.most_held))) if share < 1 else [],
        seconds=seconds,
        throughput=measured.ended / seconds / share if seconds else 0.0,
        warm_up=str(plan.warm_up),
        warm_up_runs=measured.cold,
        latency_s=measured.latency.summary(),
        late_starts_s=measured.late_starts.summary(),
        statuses=dict(measured.statuses.most_common()),
        refusals=dict(measured.refusals.most_common()),
        codes=codes,
        calls=dict(measured.calls),
        failed_calls=dict(measured.failed_calls.most_common()),
        waiting=waiting,
        bottleneck=overloaded(measured.lag.summary())
        or bottleneck(measured.ended, codes, waiting, money.accounts, gates, breakers),
        money=money,
        breakers=breakers,
        gates=gates[:MOST_ROWS],
        in_flight_peak=measured.most_in_flight,
        memory=_memory(measured, virtual=test.virtual),
        loop_lag_s=None if test.virtual else measured.lag.summary(),
        series=_series(measured),
    )


def _waiting(measured: Measured) -> list[Waiting]:
    longest = sorted(measured.waited.items(), key=lambda pair: -pair[1].total)
    # Where no run has ended, nothing is known but waits.
    whole = measured.run_seconds or sum(found.total for found in measured.waited.values()) or 1.0
    return [
        Waiting(cause=cause, seconds=found.total, share=found.total / whole, runs=found.summary())
        for cause, found in longest
    ]


def _money(drive: Drive) -> Money:
    measured, place = drive.measured, drive.test.place
    ledger: Any = drive.coordinator.held.ledger
    shared = [account for account in ledger.snapshot() if kind_of(account.name) not in OWN]
    shared.sort(key=lambda account: (-measured.accounts[account.name], -used(account)))
    accounts = [
        AccountUse(
            account=account.name, ceiling_usd=usd(account.ceiling), settled_usd=usd(account.settled),
            uncertain_usd=usd(account.uncertain), overrun_usd=usd(account.overrun),
            used=used(account),
        )
        for account in _first_of_each_kind(shared)
    ]  # fmt: skip
    return Money(
        spent_usd=usd(measured.spent),
        per_run_usd=usd(measured.spent) / measured.ended if measured.ended else 0.0,
        dearest_run_usd=usd(measured.dearest),
        run_ceiling_usd=place.settings.run_usd,
        planned_usd=usd(measured.spent) / place.share,
        accounts=accounts,
    )


def _first_of_each_kind(accounts: Iterable[Any]) -> Iterator[Any]:
    seen: Counter[str] = Counter()
    for account in accounts:
        seen[kind_of(account.name)] += 1
        if seen[kind_of(account.name)] <= FEW:
            yield account


def _gates(measured: Measured) -> list[GateUse]:
    gates = [
        GateUse(gate=gate.name, admitted=gate.admitted, refused=gate.refused, waited_s=measured.gates[gate.name])
        for gate in measured.gate_states
    ]
    return sorted(gates, key=lambda gate: (-gate.waited_s, -gate.refused, gate.gate))


def _breakers(held: Any, measured: Measured) -> list[BreakerUse]:
    found = [
        BreakerUse(
            dependency=one.dependency, state=one.state, trips=measured.trips[one.dependency], refused=one.refused,
            health=one.health,
        )
        for one in held.breakers.snapshot()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.trips, -one.refused, one.dependency))


def _memory(measured: Measured, *, virtual: bool) -> Memory:
    grown = max(0, measured.most_memory - measured.memory_before)
    per_run = None if virtual or not measured.most_in_flight else grown // measured.most_in_flight
    return Memory(before=measured.memory_before, peak=measured.most_memory, per_run_in_flight=per_run)


def _series(measured: Measured) -> Series:
    bins = measured.timeline.bins
    dependencies = sorted({name for one in bins for name in one.breakers})
    return Series(
        width_s=measured.timeline.width,
        started=[one.started for one in bins],
        ended=[one.ended for one in bins],
        refused=[one.refused for one in bins],
        in_flight=[one.in_flight for one in bins],
        spent_usd=[usd(one.spent) for one in bins],
        p50_s=[_known(one.latency, 0.5) for one in bins],
        p99_s=[_known(one.latency, 0.99) for one in bins],
        breakers={name: [one.breakers.get(name, 0) for one in bins] for name in dependencies},
        accounts={name: [one.used.get(name) for one in bins] for name in _shown(bins)},
    )


def _shown(bins: Sequence[Bin]) -> Iterator[str]:
    """Yield the accounts of each kind that were the fullest at any time; of those alike, who were followed longest."""
    fullest: dict[str, float] = {}
    seen: Counter[str] = Counter()
    for one in bins:
        seen.update(one.used.keys())
        for name, share in one.used.items():
            fullest[name] = max(share, fullest.get(name, 0.0))
    for kind in sorted({kind_of(name) for name in fullest}):
        own = [name for name in fullest if kind_of(name) == kind]
        yield from sorted(own, key=lambda name: (-round(fullest[name], 1), -seen[name], name))[:FEW]


def _known(latency: Histogram, share: float) -> float | None:
    return latency.percentile(share) if latency.count else None
