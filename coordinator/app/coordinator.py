"""Coordinator: opens resources, starts runs by its pipelines, and ends them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from coordinator.app.holders import build
from coordinator.app.ports import Ports
from coordinator.app.providers import Adapters
from coordinator.app.resources import open_resources
from coordinator.app.snapshot import Snapshot
from coordinator.app.started import Prepared, Started
from coordinator.app.tenants import Tenants
from coordinator.app.watchers import Watchers
from coordinator.app.workers import warn_of_workers
from coordinator.domain.calls import RunCall, Task
from coordinator.domain.errors import Invalid
from coordinator.domain.events import Observer
from coordinator.domain.model import Model
from coordinator.domain.result import RunResult
from coordinator.domain.scope import Rights, RunState, Scope, TenantContext
from coordinator.domain.surfaces import Resolver
from coordinator.domain.team import Team
from coordinator.engine.channel import deliver
from coordinator.engine.crew import Crew
from coordinator.engine.handle import EventFeed, RunHandle
from coordinator.engine.run import Manage, cancelled, completed, ended
from coordinator.engine.tools import ToolCore
from coordinator.pipelines import Cores, around_run, compose
from coordinator.settings import Settings
from coordinator.simulation.faults import FaultRule
from coordinator.toolbox.world import FolderWorld, Snapshots


class Coordinator:
    """Runs the tasks of tenants by one team, within shared limits.

    Args:
        team: who works.
        settings: limits, models and prices; by default those of environment and workspace.
        world: names and places of the team's data; by default that of the settings.
        observers: are told every event of every run; one that raises is dropped and logged.
        models: adapters by provider name, beside those that ship.
        faults: which tools and models are to fail, and how; for scenarios and tests.
        ports: clock, ids and randomness.
        snapshots: images of databases, where several coordinators of a process share them.
        tenants: looks up tenants that the settings do not name, at the start of every run.

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
        snapshots: Snapshots | None = None,
        tenants: Resolver | None = None,
    ) -> None:
        self.team = team
        self.settings = settings or Settings()
        self._ports = ports or Ports()
        self._watch = Watchers(self.settings, observers)
        self._world = dict(world) if world is not None else self.settings.places()
        self._snapshots = snapshots or Snapshots()
        self._adapters = Adapters(dict(models or {}), self.settings, self._ports.stamp, self._watch.headers)
        self._started = Started()
        self._tenants = Tenants(self.settings, tenants)
        self.held = self._ports.around(build(team, self.settings, self._ports, self._adapters, faults))
        self._crew = self._assemble()
        self._run = around_run(self.held, Manage(self._crew, self.held.stragglers))
        self._stack = AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._entered = False
        self._at_work: set[asyncio.Future[None]] = set()
        """One for each run under way, done when the run has ended."""
        self._shared: Any = None
        self._apart: dict[str, Any] = {}
        """What was opened for one tenant alone."""
        self._no_shared: Invalid | None = None

    async def __aenter__(self) -> Self:
        if self._entered:
            raise Invalid("a coordinator is opened once", code="reopened", hint="make a new Coordinator")
        self._entered = True
        self._stack.push_async_callback(self._watch.close, self._ports.offload(self.held.stragglers))
        self._stack.push_async_callback(self._adapters.close)
        try:
            self._shared = await self._stack.enter_async_context(self._resources(self._world))
        except Invalid as error:
            # A world may come with each run instead; a run that brings none is told what is missing here.
            self._no_shared = error
        warn_of_workers(self.settings)
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._loop = None
        try:
            await self._started.close()
            while self._at_work:  # runs that others await end before what they work with is closed
                await asyncio.wait(self._at_work)
            await self.held.stragglers.close()
        finally:
            await self._stack.__aexit__(*error)

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
        asked, who = _task(task), _who(tenant, user, session)
        rights = self._rights(asked)
        if world is None:
            return await self._carry_out(asked, self._state(who, self._resources_of(tenant)), rights)
        async with self._resources(world) as resources:
            return await self._carry_out(asked, self._state(who, resources), rights)

    async def furnish(self, tenants: Iterable[str]) -> None:
        """Give each of *tenants* a copy of the coordinator's world of its own, which all its runs share.

        Raises:
            Invalid: the team finds its world wrong.
        """
        for tenant in tenants:
            self._apart[tenant] = await self._stack.enter_async_context(self._resources(self._world))

    def start(
        self,
        task: str | Task,
        *,
        tenant: str = "default",
        user: str | None = None,
        session: str | None = None,
        key: str | None = None,
    ) -> RunHandle:
        """Start *task* and return at once; the run belongs to the coordinator, not to the caller.

        Args:
            task: what is asked.
            tenant: who pays.
            user: whose data may be seen.
            session: the conversation it belongs to.
            key: a name of the caller's for this task; starting again with it gives the same run, within the tenant.

        Raises:
            Invalid: as `run`, or `key_reused` when the key named another task.
        """
        self._check_open()
        asked, who = _task(task), _who(tenant, user, session)
        digest = f"{asked.model_dump_json()}/{user}/{session}"
        known = None if key is None else self._started.known(tenant, key, digest)
        if known is not None:
            return known
        rights, resources = self._rights(asked), self._resources_of(tenant)

        def prepared(feed: EventFeed) -> Prepared:
            state = self._state(who, resources, feed)
            began = state.now()
            work = self._carry_out(asked, state, rights)
            return Prepared(state.run_id, work, lambda: cancelled(state, state.now() - began))

        handle = self._started.begin(prepared)
        if key is not None:
            self._started.keep(tenant, key, digest, handle)
        return handle

    async def drain(self, patience_s: float) -> int:
        """Admit no more runs, and wait for those under way and for work that was abandoned.

        Args:
            patience_s: seconds to wait at the most.

        Returns:
            How many runs and abandoned calls are left; leaving the coordinator ends what it started itself.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        self.held.admission.stop()
        left = await self.held.admission.drained(patience_s)
        return left + await self.held.stragglers.drained(max(0.0, until - loop.time()))

    def snapshot(self) -> Snapshot:
        """Return the state of every holder: runs, accounts, gates, breakers, retries, estimates, stragglers."""
        self._check_open()
        return Snapshot.of(self.held)

    def _resources_of(self, tenant: str) -> Any:
        if self._no_shared is not None:
            raise self._no_shared
        return self._apart.get(tenant, self._shared)

    def _state(self, who: TenantContext, resources: Any, *observers: Observer) -> RunState:
        (who, limits), told = self._tenants.at_once(who), (*self._watch.told, *observers)
        state = RunState(self._ports.new_id(), who, limits, self._ports.stamp, told, resources)
        state.watches = self._watch.watches
        return state

    async def _carry_out(self, task: Task, state: RunState, rights: Rights) -> RunResult:
        began, scope, manager = state.now(), None, self.team.manager
        over = state.loop.create_future()
        self._at_work.add(over)
        try:
            if self._tenants.asks_for(state.tenant):
                state.tenant, state.limits = await self._tenants.find(state.tenant)
            own = rights.narrow(manager.declares)
            scope = Scope(state, manager.name, "run", (manager.name,), own, grants=rights)
            reply = await self._run(RunCall(scope, task))
        except Exception as error:  # the edge of a run: everything but wrong input comes back as a result
            if scope is None and isinstance(error, Invalid):
                raise
            return ended(state, error, state.now() - began)
        finally:
            state.ended = True
            over.set_result(None)
            self._at_work.discard(over)
            for account in self.held.accounts.of_run(state):
                self.held.ledger.close(account)
        return completed(state, reply, state.now() - began)

    def _rights(self, task: Task) -> Rights:
        if not task.kind:
            return self.team.rights
        allowed = self.team.task_types.get(task.kind)
        if allowed is None:
            known = ", ".join(sorted(self.team.task_types)) or "none"
            raise Invalid(
                f"the team has no task type {task.kind!r}", code="unknown_task_type", hint=f"task types: {known}"
            )
        return self.team.rights.narrow(Rights(allowed, self.team.rights.members))

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
            async with open_resources(self.team.resources, places) as resources:
                yield resources

    def _assemble(self) -> Crew:
        stragglers = self.held.stragglers
        tools = ToolCore(self._ports.offload(stragglers), stragglers)
        pipelines = compose(self.held, Cores(deliver, self._adapters.__call__, tools.__call__))
        return Crew(self.team, pipelines.model, pipelines.tool, pipelines.delegation, self.settings.model_timeout_s)


def _task(task: str | Task) -> Task:
    if not isinstance(task, str | Task):
        raise Invalid(f"a task is text, not {type(task).__name__}", code="bad_task", hint="pass a str or a Task")
    return task if isinstance(task, Task) else Task(text=task)


def _who(tenant: str, user: str | None, session: str | None) -> TenantContext:
    for name, given in (("tenant", tenant), ("user", user), ("session", session)):
        if given is None and name != "tenant":
            continue
        if not isinstance(given, str) or not given or not given.isprintable():
            raise Invalid(
                f"{name}={given!r} names nobody", code="bad_tenant", hint=f"{name} is text without control characters"
            )
    return TenantContext(tenant, user, session)
