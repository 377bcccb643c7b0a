"""Coordinator: builds the holders, composes the pipelines, opens resources, starts and ends runs."""

import asyncio
import importlib
import random
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coordinator.domain.calls import ModelCall, RunCall, Task
from coordinator.domain.errors import CoordinatorError, Invalid
from coordinator.domain.events import Observer
from coordinator.domain.limits import BreakerLimits, GateLimits, RetryLimits
from coordinator.domain.model import Model, ModelReply, Target
from coordinator.domain.money import Price, micros
from coordinator.domain.ports import Chance, NewId, Stamp
from coordinator.domain.result import RunResult
from coordinator.domain.scope import Rights, RunState, Scope, TenantContext
from coordinator.domain.team import Team
from coordinator.domain.timer import Alarms
from coordinator.domain.value import value
from coordinator.engine.channel import deliver
from coordinator.engine.crew import Crew
from coordinator.engine.offload import Threads
from coordinator.engine.run import Manage, completed, ended
from coordinator.engine.tools import ToolCore
from coordinator.pipelines import Cores, Holders, around_run, compose
from coordinator.policies.accounts import Accounts, Ceilings, run_account
from coordinator.policies.admission import Admission
from coordinator.policies.budget import ModelPrices
from coordinator.settings import Settings
from coordinator.simulation.faults import FaultRule, Faults
from coordinator.stores.memory.breaker import Breakers
from coordinator.stores.memory.estimates import Estimates
from coordinator.stores.memory.gate import Gates
from coordinator.stores.memory.ledger import Ledger
from coordinator.stores.memory.retries import RetryBudget
from coordinator.telemetry.guard import Guarded
from coordinator.toolbox.world import FolderWorld, Snapshots

# Imported on first use, so that nobody pays for a provider that is not used.
PROVIDERS = {"offline": "coordinator.models.offline:OfflineModel"}


def _new_id() -> str:
    return f"r-{uuid.uuid4().hex[:12]}"


@value
class Ports:
    """What a Coordinator needs from outside itself, to be replaced where runs must repeat exactly.

    *stamp*: UTC seconds; *new_id*: names of runs; *chance*: randomness of retries.
    """

    stamp: Stamp = time.time
    new_id: NewId = _new_id
    chance: Chance = random.random


class Coordinator:
    """Runs the tasks of tenants by one team, within shared limits.

    Args:
        team: who works.
        settings: limits, models and prices; by default those of environment and workspace.
        world: names and places of the team's data; by default that of the settings.
        observers: are told every event of every run; one that raises is dropped and logged.
        models: adapters by provider name, beside those that ship.
        faults: which tools are to fail, and how; for scenarios and tests.
        ports: clock, ids and randomness.

    Raises:
        Invalid: the settings name a provider that does not exist.
    """

    def __init__(
        self,
        team: Team,
        settings: Settings | None = None,
        *,
        world: Mapping[str, Path] | None = None,
        observers: Sequence[Observer] = (),
        models: Mapping[str, Model] | None = None,
        faults: Sequence[FaultRule] = (),
        ports: Ports | None = None,
    ) -> None:
        self.team = team
        self.settings = settings or Settings()
        self._ports = ports or Ports()
        self._observers = tuple(Guarded(observer) for observer in observers)
        self._world = dict(world) if world is not None else self.settings.places()
        self._snapshots = Snapshots()
        self._models = _Models(dict(models or {}))
        self._ledger = Ledger()
        self._limits = self.settings.limits()
        self.held = self._holders(faults)
        self._crew = self._assemble()
        self._run = around_run(self.held, Manage(self._crew))
        self._stack = AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shared: Any = None
        self._no_shared: Invalid | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._stack.__aenter__()
        try:
            self._shared = await self._stack.enter_async_context(self._resources(self._world))
        except Invalid as error:
            # A world may come with each run instead; a run that brings none is told what is missing here.
            self._no_shared = error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop = None
        await self._stack.__aexit__(kind, error, trace)

    async def run(
        self,
        task: str | Task,
        *,
        tenant: str = "default",
        user: str | None = None,
        session: str | None = None,
        world: Mapping[str, Path] | None = None,
    ) -> RunResult:
        """Run *task* to its end; everything but wrong input comes back as a result.

        Args:
            task: what is asked, in the user's own words.
            tenant: who pays.
            user: whose data may be seen.
            session: the conversation it belongs to.
            world: an own copy of this data is opened for the run, in place of the coordinator's.

        Raises:
            Invalid: wrong input; nothing was started. `not_open` or `wrong_loop` when used outside its `async with`.
        """
        self._check_open()
        asked = task if isinstance(task, Task) else Task(text=task)
        rights = self._rights(asked)
        who = TenantContext(tenant, user, session)
        if world is None:
            if self._no_shared is not None:
                raise self._no_shared
            return await self._carry_out(asked, self._state(who, self._shared), rights)
        async with self._resources(world) as resources:
            return await self._carry_out(asked, self._state(who, resources), rights)

    def _state(self, who: TenantContext, resources: Any) -> RunState:
        return RunState(self._ports.new_id(), who, self._limits, self._ports.stamp, self._observers, resources)

    async def _carry_out(self, task: Task, state: RunState, rights: Rights) -> RunResult:
        began = state.loop.time()
        manager = self.team.manager.name
        scope = Scope(state, manager, "run", (manager,), rights)
        try:
            reply = await self._run(RunCall(scope, task))
        except CoordinatorError as error:
            return ended(state, error, state.loop.time() - began)
        finally:
            self._ledger.close(run_account(state.run_id))
        return completed(state, reply, state.loop.time() - began)

    def _rights(self, task: Task) -> Rights:
        if not task.kind:
            return self.team.rights
        allowed = self.team.task_types.get(task.kind)
        if allowed is None:
            known = ", ".join(sorted(self.team.task_types)) or "none"
            raise Invalid(
                f"the team has no task type {task.kind!r}", code="unknown_task_type", hint=f"task types: {known}"
            )
        return self.team.rights.narrow(allowed, self.team.rights.members)

    def _check_open(self) -> None:
        if self._loop is None:
            raise Invalid(
                "the coordinator is not open", code="not_open", hint="use it inside `async with Coordinator(...)`"
            )
        if self._loop is not asyncio.get_running_loop():
            raise Invalid(
                "the coordinator was opened in another event loop", code="wrong_loop",
                hint="open one Coordinator per event loop",
            )  # fmt: skip

    @asynccontextmanager
    async def _resources(self, world: Mapping[str, Path]) -> AsyncIterator[Any]:
        if self.team.resources is None:
            yield None
            return
        with FolderWorld(world, self._snapshots) as places:
            async with self.team.resources(places) as resources:
                yield resources

    def _holders(self, faults: Sequence[FaultRule]) -> Holders:
        settings = self.settings
        routes = self._routes()
        targets = sorted({str(target) for options in routes.values() for target in options})
        ceilings = Ceilings(_micros(settings.tenant_day_usd), _micros(settings.global_day_usd))
        return Holders(
            admission=Admission(settings.admission.runs, settings.admission.waiting),
            ledger=self._ledger,
            accounts=Accounts(ceilings, self._ports.stamp),
            gates=Gates(named=self._gate_limits(targets)),
            estimates=Estimates(),
            breakers=Breakers(BreakerLimits(settings.breaker.failures, settings.breaker.cooldown_s)),
            retries=RetryBudget(),
            chance=self._ports.chance,
            retry=RetryLimits(settings.retry.attempts, settings.retry.base_s, settings.retry.cap_s),
            routes=routes,
            prices=ModelPrices(self._prices(targets)),
            alarms=Alarms(),
            faults=(Faults(faults),) if faults else (),
        )

    def _assemble(self) -> Crew:
        pipelines = compose(self.held, Cores(deliver, self._models, ToolCore(Threads())))
        return Crew(self.team, pipelines.model, pipelines.tool, pipelines.delegation, self.settings.model_timeout_s)

    def _routes(self) -> dict[str, tuple[Target, ...]]:
        routes = {}
        for name, models in self.settings.models.items():
            options = [models] if isinstance(models, str) else models
            routes[name] = tuple(self._models.target(model) for model in options)
        for member in self.team.agents.values():
            if member.model not in routes:
                routes[member.model] = (self._models.target(member.model),)
        return routes

    def _gate_limits(self, targets: list[str]) -> dict[str, GateLimits]:
        tiers = [f"{tool.name}#{tier}" for tool in self.team.tools.values() for tier in range(len(tool.tiers))]
        limits = {}
        for name in [*targets, *tiers]:
            rate = _nearest(self.settings.rates, name)
            if rate is not None:
                requests, tokens = rate.requests or float("inf"), rate.tokens or float("inf")
                limits[name] = GateLimits(requests, tokens, rate.per_s, rate.queue)
        return limits

    def _prices(self, targets: list[str]) -> dict[str, Price]:
        found = {name: _nearest(self.settings.prices, name) for name in targets}
        return {name: price.price() for name, price in found.items() if price is not None}


class _Models:
    """The core of the model pipeline: hands each call to the adapter of its provider."""

    def __init__(self, adapters: dict[str, Model]) -> None:
        self._adapters = adapters

    async def __call__(self, call: ModelCall) -> ModelReply:
        target = call.target
        if target is None:
            raise Invalid(f"no route was chosen for {call.step}", code="unknown_model")
        return await self._adapters[target.provider](target.model, call.request)

    def target(self, name: str) -> Target:
        """Return the target that *name* ("offline", "openai:gpt-…") means, with its adapter made ready.

        Raises:
            Invalid: `unknown_model`.
        """
        provider, _, model = name.partition(":")
        if provider not in self._adapters:
            self._adapters[provider] = _adapter(provider, name)
        return Target(provider, model or provider)


def _adapter(provider: str, name: str) -> Model:
    if provider not in PROVIDERS:
        known = ", ".join([*PROVIDERS, "scripted"])
        raise Invalid(
            f"there is no model {name!r}: no provider is named {provider!r}", code="unknown_model",
            hint=f"providers: {known}; `offline` always works",
        )  # fmt: skip
    module, _, attribute = PROVIDERS[provider].partition(":")
    adapter: Model = getattr(importlib.import_module(module), attribute)()
    return adapter


def _nearest(table: Mapping[str, Any], name: str) -> Any:
    """Return what *table* says of *name* itself, else of its provider (`offline:*`) or its tool."""
    head = name.partition(":")[0]
    return table.get(name) or table.get(f"{head}:*") or table.get(name.partition("#")[0])


def _micros(usd: float | None) -> int | None:
    return None if usd is None else micros(usd)
