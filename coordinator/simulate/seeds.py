"""Simulating seed after seed."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from coordinator.domain.errors import Invalid
from coordinator.domain.result import RunResult
from coordinator.models.offline import OfflineModel
from coordinator.models.simulated import CALM
from coordinator.scenario import Scenario, open_scenario
from coordinator.simulate.drawing import Measure, Plan, Terms, Visit, draw
from coordinator.simulate.fitting import check_fits
from coordinator.simulate.report import SimulationReport
from coordinator.simulate.stage import Stage
from coordinator.simulate.tenants import most_tenants, tenant_names
from coordinator.simulate.workers import spread
from coordinator.simulate.world import Supplies, WorldReport, live
from coordinator.simulation.faults import FaultRule
from coordinator.toolbox.world import Snapshots

KEPT_WORDS = 50_000
"""Replies that are kept by the digest of their request."""


def simulate(
    scenario: str | Path | Scenario | Stage,
    *,
    seeds: int = 20,
    seed: int = 1,
    runs: int = 50,
    tenants: int | None = None,
    faults: Sequence[FaultRule] | None = None,
    squeeze: bool = True,
    workers: int = 1,
    told: Callable[[WorldReport], None] | None = None,
) -> SimulationReport:
    """Let the world of every seed run in virtual time, and check after every event what must hold.

    Nothing outside is called: models of other providers are answered with the offline model's words.

    Args:
        scenario: the file of one, one that was opened, or a stage built in code.
        seeds: how many worlds.
        seed: the first; the others follow by one.
        runs: in each world.
        tenants: among whom the runs are spread; each has a copy of the data of its own. By default five, or as many as
            the settings know, when those turn others away.
        faults: which tools and models fail; by default every seed draws faults of both, and callers that go away.
        squeeze: let seeds draw limits that are tighter than the settings'.
        workers: processes among which the seeds are spread; reports then carry no results of single runs.
        told: hears of every world when it has ended.

    Raises:
        Invalid: the scenario is wrong; `usage` for numbers below 1; `unknown_tenant`, when its settings turn unknown
            tenants away and name too few; `unknown_tool`, `unknown_tier` or `unknown_model` for *faults*; `cannot_fit`,
            when no ceiling lets even one run begin; `wrong_loop` inside a running event loop.
    """
    _check(seeds=seeds, runs=runs, tenants=1 if tenants is None else tenants, workers=workers)
    stage = _stage(scenario)
    count = tenants or most_tenants(stage.settings)
    tenant_names(stage, count)  # who is unknown is told before anything runs
    stage.check_faults(faults or ())
    terms = Terms(runs, count, faults, squeeze)
    worlds = []
    for world in _worlds(stage, terms, range(seed, seed + seeds), workers):
        worlds.append(world)
        if told is not None:
            told(world)
    return SimulationReport(tuple(worlds))


def _worlds(stage: Stage, terms: Terms, seeds: Sequence[int], workers: int) -> Iterator[WorldReport]:
    supplies = Supplies(OfflineModel(KEPT_WORDS), Snapshots())
    measure = _measured(stage, supplies)
    return spread(lambda seed: live(stage, draw(seed, stage, terms, measure), supplies), seeds, workers)


def _measured(stage: Stage, supplies: Supplies) -> Measure:
    """Return what one run needs when nothing disturbs it; it also shows whether the team finds its world in order."""
    visit = Visit(0.0, stage.tenant, stage.user, stage.session or "s-1")
    plan = Plan(0, 0.0, (stage.tenant,), (visit,), (), CALM, stage.settings)
    world = live(stage, plan, supplies)
    result: RunResult | None = world.results[0] if world.results else None
    if result is not None:
        check_fits(result)
    turns = result.turns if result else 1
    return Measure(world.cost_usd, world.held_usd, turns, world.tokens, world.seconds)


def _stage(scenario: str | Path | Scenario | Stage) -> Stage:
    if isinstance(scenario, Stage):
        return scenario
    return Stage.of(scenario if isinstance(scenario, Scenario) else open_scenario(Path(scenario)))


def _check(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise Invalid(f"{name} is {count}", code="usage", hint="give a number of at least 1")
    if _in_a_loop():
        raise Invalid(
            "simulate was called inside a running event loop", code="wrong_loop",
            hint="call it from plain code: every world has a loop of its own",
        )  # fmt: skip


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
