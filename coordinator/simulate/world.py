"""One world: the production code, unchanged, in virtual time, with everything drawn from a seed."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import field
from typing import cast

from coordinator.app import Coordinator, Ports
from coordinator.app.own_loop import OwnLoop
from coordinator.domain.events import Event, Kind
from coordinator.domain.model import Model, ModelReply, ModelRequest
from coordinator.domain.money import usd
from coordinator.domain.result import RunResult, Status
from coordinator.domain.value import changed, value
from coordinator.models.scripted import ScriptedModel, ScriptedReply
from coordinator.models.simulated import SimulatedModel
from coordinator.pipelines import Holders
from coordinator.simulate.bounds import bounds_of
from coordinator.simulate.collecting import collect, collector_at_rest
from coordinator.simulate.drawing import Plan, Visit
from coordinator.simulate.stage import Stage
from coordinator.simulation.arrivals import Arrivals
from coordinator.simulation.chance import Dice, Names
from coordinator.simulation.clock import Deadlock, VirtualLoop
from coordinator.simulation.fingerprint import Fingerprint
from coordinator.simulation.invariants import Invariants, Watched
from coordinator.simulation.offload import Inline
from coordinator.simulation.probes import Probes
from coordinator.simulation.stacks import places
from coordinator.simulation.touched import Books, Touched
from coordinator.toolbox.world import Snapshots

AFTERMATH_S = 1.0
"""Blocking work whose caller was cancelled is done within so many seconds."""
CALLED_OFF_S = 1.0
"""A cancelled run is over within so many seconds."""


_ENDED = frozenset({Kind.DELEGATION_ENDED, Kind.MODEL_ENDED, Kind.TOOL_ENDED})


@value
class WorldReport:
    """What happened in the world of one seed; *breaches* is empty when all that must hold did."""

    seed: int
    fingerprint: str
    runs: int
    statuses: Mapping[str, int]
    codes: Mapping[str, int]
    """Why runs were refused or failed."""
    calls: Mapping[str, int]
    """How calls of models, tools and members ended other than well."""
    events: Mapping[str, int]
    cost_usd: float
    held_usd: float
    """The most that one call has held."""
    tokens: int
    """Of models, as they were billed."""
    seconds: float
    """Of virtual time."""
    breaches: tuple[str, ...] = ()
    results: tuple[RunResult, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """Whether everything held."""
        return not self.breaches


@value
class Supplies:
    """What the worlds of a process share, because it is always the same: words by digest, images of databases."""

    words: Model
    images: Snapshots


def live(stage: Stage, plan: Plan, supplies: Supplies) -> WorldReport:
    """Let the world of *plan* run until nothing happens in it any more, and report."""
    with collector_at_rest(), OwnLoop(lambda: VirtualLoop(plan.seed)) as own:
        world = _World(stage, plan, supplies, own.loop)
        try:
            own.run(world.live())
        except Deadlock as deadlock:
            return world.report(f"hung: {deadlock}")
        return world.report("")  # before the loop ends what is left, in whichever order


class _World:
    """One world at work.

    Args:
        stage: what is played.
        plan: what the seed has drawn.
        supplies: what all worlds share.
        loop: in which it is.
    """

    def __init__(self, stage: Stage, plan: Plan, supplies: Supplies, loop: asyncio.AbstractEventLoop) -> None:
        self._stage = stage
        self._plan = plan
        self._dice = Dice(plan.seed)
        self._fingerprint = Fingerprint()
        self._events: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._results: list[RunResult | BaseException] = []
        self._tokens = 0
        self._ended_at = 0.0
        self._loop = loop
        self._scripts = Scripts(stage.script)
        self._invariants: Invariants
        self._ledger: Touched
        self._coordinator = Coordinator(
            stage.team, plan.settings, world=stage.world, observers=[self._watch], models=self._models(supplies),
            faults=plan.faults, ports=self._ports(), snapshots=supplies.images,
        )  # fmt: skip

    async def live(self) -> None:
        """Let everybody ask, and check what is left when the last run has ended."""
        async with self._coordinator as coordinator:
            await coordinator.furnish(self._plan.tenants)
            visits = (self._visit(visit) for visit in self._plan.visits)
            self._results += await asyncio.gather(*visits, return_exceptions=True)
            await asyncio.sleep(AFTERMATH_S)
            self._invariants.at_end()
        self._ended_at = self._loop.time()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            names = "; ".join(sorted(places(task) for task in left))
            self._invariants.breach(f"left behind: {len(left)} tasks: {names}")

    def report(self, hung: str) -> WorldReport:
        """Return what happened; *hung* tells how the world came to a standstill, if it did."""
        results = [result for result in self._results if isinstance(result, RunResult)]
        crashes = [result for result in self._results if isinstance(result, Exception)]
        for result in results:
            self._fingerprint.add((result.run_id, result.status, result.code, result.cost_usd, result.text))
        for crash in crashes:
            self._invariants.breach(f"crashed: a run raised {type(crash).__name__}: {crash}")
        for result in results:
            if result.code == "run_crashed":
                self._invariants.breach(f"crashed: {result.issues[-1].message}")
        statuses = Counter(result.status.value for result in results)
        statuses["cancelled"] += len(self._results) - len(results) - len(crashes)
        codes = Counter(result.code for result in results if result.status in (Status.REFUSED, Status.FAILED))
        breaches = (*([hung] if hung else []), *self._invariants.breaches)
        return WorldReport(
            self._plan.seed, self._fingerprint.hexdigest(), len(self._plan.visits), dict(+statuses), dict(codes),
            dict(self._calls), dict(self._events), sum(result.cost_usd for result in results), usd(self._ledger.most),
            self._tokens, self._ended_at, breaches, tuple(results),
        )  # fmt: skip

    def _ports(self) -> Ports:
        offloading = self._dice.stream("offload")
        return Ports(
            self._stamp, Names(), self._dice.stream("chance"), lambda stragglers: Inline(stragglers, offloading),
            around=self._watched,
        )  # fmt: skip

    def _watched(self, built: Holders) -> Holders:
        # The policies know the holders by protocols that need not tell their state; those that app builds all do.
        self._ledger = ledger = Touched(cast(Books, built.ledger))
        held = changed(built, ledger=ledger)
        bounds = bounds_of(self._plan.settings)
        self._invariants = Invariants(cast(Watched, held), bounds, ledger.touched)
        watches = (Probes(held.breakers, self._invariants.breach), Arrivals(bounds.limits, self._invariants.breach))
        return changed(held, faults=(*watches, *held.faults), model_faults=(*watches, *held.model_faults))

    def _stamp(self) -> float:
        return self._plan.start + self._loop.time()

    def _watch(self, event: Event) -> None:
        kind, data = event.kind, event.data
        self._events[kind] += 1
        if kind in _ENDED and data["code"] != "ok":
            self._calls[data["code"]] += 1
        elif kind is Kind.MODEL_ENDED:
            self._tokens += data["input_tokens"] + data["output_tokens"]
        self._fingerprint(event)
        self._invariants(event)
        collect(self._invariants.events)

    async def _visit(self, visit: Visit) -> RunResult:
        self._scripts.begin()
        await asyncio.sleep(visit.at)
        loop, task = self._loop, asyncio.current_task()
        assert task is not None
        leaving = [loop.call_at(when, task.cancel) for when in visit.leaves]
        try:
            return await self._coordinator.run(
                self._stage.task, tenant=visit.tenant, user=visit.user, session=visit.session
            )
        finally:
            late = loop.time() - visit.leaves[-1] if visit.leaves else 0.0
            if late > CALLED_OFF_S:
                self._invariants.breach(f"hung: a cancelled run took {late:.1f} s to end")
            for timer in leaving:
                timer.cancel()

    def _models(self, supplies: Supplies) -> dict[str, Model]:
        models: dict[str, Model] = {}
        for provider in self._stage.providers():
            words = self._stage.models.get(provider)
            if words is None:
                words = self._scripts if provider == "scripted" else supplies.words
            chance = self._dice.stream(f"model {provider}")
            models[provider] = SimulatedModel(
                words, chance, mishaps=self._plan.mishaps, outages=self._plan.outages
            )  # fmt: skip
        return models


class Scripts:
    """The scripted model in a world of many runs: each run plays the script from its beginning.

    Args:
        script: the replies.
    """

    def __init__(self, script: Sequence[ScriptedReply]) -> None:
        self._script = script
        self._own: ContextVar[ScriptedModel] = ContextVar("script")

    def begin(self) -> None:
        """Lay out the script for the run that the current task is about to make."""
        self._own.set(ScriptedModel(self._script))

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        return await self._own.get()(model, request)
