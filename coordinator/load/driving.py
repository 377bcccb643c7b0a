"""A load test: runs that begin at a rate or one after another at a time, and everything about them that is measured."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import field
from typing import Any, cast

from coordinator.app import Coordinator, Ports
from coordinator.domain.events import Event
from coordinator.domain.result import RunResult, Status
from coordinator.domain.scope import TenantContext
from coordinator.domain.surfaces import Surface
from coordinator.domain.value import changed, value
from coordinator.load.auditing import Audited
from coordinator.load.callers import USERS, callers
from coordinator.load.measuring import Measured
from coordinator.load.plan import LoadPlan
from coordinator.load.rehearsing import rehearse
from coordinator.load.sampling import EVERY_S, Sampler
from coordinator.load.workplace import Workplace
from coordinator.pipelines import Holders
from coordinator.settings import Settings
from coordinator.simulate.bounds import bounds_of
from coordinator.simulate.tenants import tenant_names
from coordinator.simulate.world import Scripts
from coordinator.simulation.arrivals import Arrivals
from coordinator.simulation.bounds import MOST_SCOPES, Bounds
from coordinator.simulation.chance import Dice
from coordinator.simulation.invariants import Invariants, Watched
from coordinator.simulation.probes import Probes
from coordinator.simulation.touched import Books


@value
class Progress:
    """How far a load test is. Money in micro-dollars; *seconds* are those of the test's own clock."""

    seconds: float
    runs: int
    started: int
    ended: int
    in_flight: int
    refused: int
    spent: int
    p50_s: float
    p99_s: float
    down: tuple[str, ...]


LOOK_EVERY_S = 0.25
"""In real time."""
CHECK_EVERY_S = 2.0
"""Checking the accounts of 10,000 runs takes some 10 ms."""
GATES_EVERY = 64
"""Events after which gates are looked at; with more gates than this, after as many as there are."""

# A call is let through in one turn of the loop and arrives in the next, and each may last longer than the lag tells.
_LATE_TURNS = 2

Told = Callable[[Progress], None]


@value
class LoadJob:
    """What a load test is made of."""

    name: str
    place: Workplace
    plan: LoadPlan
    runs: int
    """Runs that are carried out."""
    virtual: bool = False
    ports: Ports = field(default_factory=Ports)
    told: Told | None = None


class Drive:
    """Carries out a load test once, and keeps what was measured, also when it is interrupted.

    Args:
        test: what to do.
    """

    def __init__(self, test: LoadJob) -> None:
        self.test = test
        self.measured = Measured()
        self.interrupted = False
        self.breaches: tuple[str, ...] = ()
        self.rehearsal: RunResult | None = None
        self._scripts = Scripts(test.place.stage.script)
        self._invariants: Invariants
        self._arrivals: Arrivals
        self.coordinator: Coordinator = test.place.coordinator(
            test.plan, changed(test.ports, around=self._watched), self._scripts, self._heard, virtual=test.virtual
        )
        self.tenants = tenant_names(test.place.stage, test.plan.tenants)
        self._gates_at = GATES_EVERY
        self._flying: set[asyncio.Task[None]] = set()
        self._freed: deque[float] = deque()
        self._free: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop
        self._begin = self._check_at = 0.0
        self._pulse = (0.0, 0)
        """When events were last seen to have happened, and how many."""
        longest = _longest(test.place.settings)
        test.plan.check_warm_up(longest)
        self._patience = 2 * longest

    async def run(self) -> None:
        """Carry it out.

        Raises:
            Invalid: it cannot begin; nothing was started.
        """
        test = self.test
        self._loop = asyncio.get_running_loop()
        self.rehearsal = await rehearse(test.place, test.ports)
        async with AsyncExitStack() as stack:
            coordinator = await stack.enter_async_context(self.coordinator)
            await coordinator.furnish(self.tenants)
            self._begin = self._loop.time()
            with Sampler(self._loop, self._look, None if test.virtual else self.measured.lag.add):
                try:
                    await self._start_all()
                except asyncio.CancelledError:
                    self.interrupted = True
                    raise
                finally:
                    await self._call_off()
                    self._look(0.0)
                    self._at_end()

    def _watched(self, built: Holders) -> Holders:
        settings, virtual = self.test.place.settings, self.test.virtual
        held = changed(built, ledger=Audited(cast(Books, built.ledger), self._check))
        bounds = _bounds(settings, self.test.plan.tenants)
        self._invariants = Invariants(cast(Watched, held), bounds)
        self._arrivals = Arrivals(bounds.limits, self._invariants.breach, at_once=virtual)
        probes = Probes(held.breakers, self._invariants.breach)
        watches = (probes, self._arrivals) if settings.rates else (probes,)
        return changed(held, faults=(*watches, *held.faults), model_faults=(*watches, *held.model_faults))

    def _heard(self, event: Event) -> None:
        measured = self.measured
        measured(event)
        if measured.events >= self._gates_at:
            self._invariants.check_gates(self._loop.time())
            self._gates_at = measured.events + max(GATES_EVERY, len(measured.gate_states))

    def _check(self, account: Any) -> None:
        self._invariants.check_account(account)

    def breach(self, what: str) -> None:
        """Say that something did not hold."""
        self._invariants.breach(what)
        self.breaches = tuple(self._invariants.breaches)

    async def _start_all(self) -> None:
        who = callers(self.test.place.stage, self.tenants, Dice(self.test.plan.seed).stream("callers"))
        number = 0
        async for due in self._pace():
            task = self._loop.create_task(self._one(next(who), due, number))
            self._flying.add(task)
            task.add_done_callback(self._landed)
            number += 1
        while self._flying:
            await asyncio.wait(self._flying)

    async def _pace(self) -> AsyncIterator[float]:
        """Yield the moments at which runs are meant to begin, each when it has come."""
        plan, runs, loop = self.test.plan, self.test.runs, self._loop
        share = self.test.place.share
        if plan.rate is not None:
            for number in range(runs):
                due = self._begin + number / (plan.rate * share)
                await asyncio.sleep(max(0.0, due - loop.time()))
                yield due
            return
        places = max(1, round((plan.concurrency or 1) * share))
        self._free = asyncio.Semaphore(places)
        self._freed.extend([self._begin] * min(places, runs))
        for _ in range(runs):
            await self._free.acquire()
            yield self._freed.popleft()

    async def _one(self, who: TenantContext, due: float, number: int) -> None:
        measured, loop, begin = self.measured, self._loop, self._begin
        now = loop.time()
        measured.begin(now - begin, max(0.0, now - due))
        self._scripts.begin()
        try:
            result = await self.coordinator.run(
                self.test.place.stage.task, tenant=who.tenant, user=who.user, session=who.session
            )
        except BaseException:
            measured.gone(loop.time() - begin)
            raise
        now = loop.time()
        measured.end(now - begin, now - due, result, warm=self._warm(number, due - begin))

    def _warm(self, number: int, at: float) -> bool:
        warm_up = self.test.plan.warm_up
        if warm_up.seconds is not None:
            return at >= warm_up.seconds
        return number >= int(warm_up.share * self.test.runs)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        if self._free is not None:
            self._freed.append(self._loop.time())
            self._free.release()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.breach(f"crashed: a run raised {type(error).__name__}: {error}")

    async def _call_off(self) -> None:
        flying = list(self._flying)
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)

    def _look(self, since: float) -> float:
        """Look at everything; return in how many seconds to look again."""
        loop, measured = self._loop, self.measured
        at = loop.time() - self._begin
        measured.look(at, since, self.coordinator.held)
        self._invariants.check_gates(loop.time())
        self._arrivals.judge(_LATE_TURNS * (measured.lag.most + EVERY_S))
        if at >= self._check_at:
            self._check_at = at + CHECK_EVERY_S
            self._invariants.check_money()
            self._check_pulse(at)
        self.breaches = tuple(self._invariants.breaches)
        if self.test.told is not None:
            self.test.told(self.progress())
        return measured.timeline.width / 2 if self.test.virtual else LOOK_EVERY_S

    def _check_pulse(self, at: float) -> None:
        """Call everything off when nothing has happened for longer than any run may take."""
        if self.measured.events != self._pulse[1] or not self._flying:
            self._pulse = (at, self.measured.events)
        elif at - self._pulse[0] > self._patience:
            self._invariants.breach(f"hung: nothing has happened to {len(self._flying)} runs for {self._patience:g} s")
            for task in self._flying:
                task.cancel()

    def _at_end(self) -> None:
        self._invariants.at_end()
        self.breaches = tuple(self._invariants.breaches)

    def progress(self) -> Progress:
        """Return how far the test is."""
        measured = self.measured
        p50, p99 = measured.latency.percentile(0.5), measured.latency.percentile(0.99)
        return Progress(
            measured.now, self.test.runs, measured.started, measured.ended, measured.in_flight,
            measured.statuses[Status.REFUSED.value], measured.spent, p50, p99, tuple(measured.down),
        )  # fmt: skip


def _bounds(settings: Settings, tenants: int) -> Bounds:
    """Return the bounds that hold by *settings* for so many *tenants*."""
    bounds = bounds_of(settings)
    # Idle gates of many tenants are forgotten, and so they no longer add up to what has passed in all.
    return changed(bounds, everywhere=()) if tenants * (USERS + 1) > MOST_SCOPES / 2 else bounds


def _longest(settings: Settings) -> float:
    """Return the longest deadline of anybody, in seconds."""
    everybody = (Surface(), *settings.surfaces.values(), *settings.tenants.values())
    return max(settings.limits(one).deadline_s for one in everybody)
