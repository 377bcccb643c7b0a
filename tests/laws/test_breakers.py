"""Law: half-open admits one probe, open none; a cancelled probe gives its permit back; late results change nothing.

And an outage opens it as soon as it shows, however many call at once; a few failures that come first do not.

Each law is held against the breaker and against one with a planted defect, which it must find.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from coordinator.domain.calls import ModelCall
from coordinator.domain.errors import Fault, Reached, Refused
from coordinator.domain.limits import BreakerLimits
from coordinator.domain.model import ModelRequest
from coordinator.domain.scope import RunLimits, RunState, Scope, TenantContext
from coordinator.policies.breaker import Breaker as Layer
from coordinator.simulation.clock import VirtualLoop
from coordinator.stores.memory.breaker import Breaker, Trial

LIMITS = BreakerLimits(failures=3, cooldown_s=10)
CALLERS = 1000
SEEDS = range(5)

Law = Callable[["World"], Coroutine[Any, Any, None]]


class World:
    """One breaker behind its layer, and a dependency that is up or down and counts who reaches it."""

    def __init__(self, breaker: type[Breaker]) -> None:
        self.changes: list[tuple[str, str]] = []
        self.breaker = breaker("m", LIMITS, lambda _, old, new: self.changes.append((old, new)))
        self.layer = Layer(self)
        self.down = True
        self.reached = 0
        run = RunState("r", TenantContext("t"), RunLimits(1), lambda: 0.0)
        request = ModelRequest((), model="m", max_output_tokens=1)
        self.call = ModelCall(Scope(run, "a", "s"), "s", request, dependency="m")

    def of(self, _dependency: str) -> Breaker:
        return self.breaker

    async def answer(self, _call: Any) -> str:
        self.reached += 1
        down = self.down
        await asyncio.sleep(1)
        if down:
            raise Fault("down", reached=Reached.NO)
        return "answer"

    async def ask(self) -> str:
        try:
            return await self.layer(self.call, self.answer)
        except Refused:
            return "refused"
        except Fault:
            return "failed"

    def crowd(self) -> list[asyncio.Task[str]]:
        return [asyncio.get_running_loop().create_task(self.ask()) for _ in range(CALLERS)]

    async def trip(self) -> None:
        # Calls under way might go well: they have to be outweighed.
        for _ in range(max(LIMITS.failures, self.breaker.snapshot().under_way)):
            await self.ask()
        assert self.breaker.state == "open"
        self.reached = 0


async def one_probe(world: World) -> None:
    await world.trip()
    await asyncio.sleep(LIMITS.cooldown_s)
    world.down = False
    answers = await asyncio.gather(*world.crowd())
    assert (world.reached, answers.count("answer")) == (1, 1)
    assert world.changes[1:] == [("open", "half-open"), ("half-open", "closed")]


async def open_admits_none(world: World) -> None:
    await world.trip()
    for _ in range(4):
        await asyncio.sleep(LIMITS.cooldown_s / 5)
        assert set(await asyncio.gather(*world.crowd())) == {"refused"}
    assert world.reached == 0


async def cancelled_probe_returns(world: World) -> None:
    await world.trip()
    await asyncio.sleep(LIMITS.cooldown_s)
    world.down = False
    for _ in range(10):
        crowd = world.crowd()
        await asyncio.sleep(0.5)
        for task in crowd:
            task.cancel()
        await asyncio.wait(crowd)
        assert not world.breaker.snapshot().probing
    assert world.reached == 10
    assert await world.ask() == "answer"


async def late_results_change_nothing(world: World) -> None:
    early = [world.breaker.admit() for _ in range(CALLERS)]
    await world.trip()
    await asyncio.sleep(LIMITS.cooldown_s)
    probe = world.breaker.admit()
    before = list(world.changes)
    for trial in early[::2]:
        trial.failed(Fault("down", reached=Reached.NO))
    for trial in early[1::2]:
        trial.succeeded()
    assert world.changes == before
    assert world.breaker.snapshot().probing
    probe.succeeded()
    for trial in early:
        trial.failed(Fault("down", reached=Reached.NO))
    assert (world.breaker.state, world.breaker.snapshot().failures) == ("closed", 0)


async def a_few_that_fail_first_do_not_open_it(world: World) -> None:
    async def mostly_well(_call: Any) -> str:
        world.reached += 1
        if world.reached % 10 == 0:
            raise Fault("down", reached=Reached.NO)
        await asyncio.sleep(1)
        return "answer"

    world.answer = mostly_well  # type: ignore[method-assign]  # another dependency
    for _ in range(3):
        answers = await asyncio.gather(*world.crowd())
        assert answers.count("failed") == CALLERS // 10
    assert world.changes == []


async def an_outage_opens_it_when_the_first_crowd_has_failed(world: World) -> None:
    world.down = False
    await asyncio.gather(*world.crowd())
    world.down = True
    began = asyncio.get_running_loop().time()
    assert set(await asyncio.gather(*world.crowd())) == {"failed"}
    assert world.changes == [("closed", "open")]
    assert asyncio.get_running_loop().time() - began < 1.1
    assert set(await asyncio.gather(*world.crowd())) == {"refused"}


class ForgetsItsProbe(Breaker):
    """Lets everybody through while it is half-open."""

    def admit(self) -> Trial:
        self._probe = None
        return super().admit()


class AdmitsWhenOpen(Breaker):
    """Takes a tenth of its cooldown for all of it."""

    def admit(self) -> Trial:
        if self.state == "open":
            self._opened_at -= 0.9 * LIMITS.cooldown_s
        return super().admit()


class KeepsThePermit(Breaker):
    """Does not give the permit of a cancelled probe back."""

    def ended(self, trial: Trial, *, failed: bool | None) -> None:
        if failed is not None:
            super().ended(trial, failed=failed)


class ForgetsEpochs(Breaker):
    """Takes every result for one of the present."""

    def ended(self, trial: Trial, *, failed: bool | None) -> None:
        if self.state != "open":
            super().ended(self._probe or self._calm, failed=failed)


class ForgetsWhoIsUnderWay(Breaker):
    """Counts failures in a row as if nobody else had been let through."""

    def admit(self) -> Trial:
        trial = super().admit()
        trial.under_way = 0
        return trial


class KeepsWhoHasEnded(Breaker):
    """Takes what has ended for under way."""

    def admit(self) -> Trial:
        trial = super().admit()
        trial.under_way += 1
        return trial


LAWS: list[tuple[Law, type[Breaker]]] = [
    (one_probe, ForgetsItsProbe),
    (open_admits_none, AdmitsWhenOpen),
    (cancelled_probe_returns, KeepsThePermit),
    (late_results_change_nothing, ForgetsEpochs),
    (a_few_that_fail_first_do_not_open_it, ForgetsWhoIsUnderWay),
    (an_outage_opens_it_when_the_first_crowd_has_failed, KeepsWhoHasEnded),
]
every_law = pytest.mark.parametrize(("law", "defect"), LAWS, ids=[law.__name__ for law, _ in LAWS])


def hold(law: Law, breaker: type[Breaker], seed: int) -> None:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        runner.run(law(World(breaker)))


@every_law
@pytest.mark.parametrize("seed", SEEDS)
def test_the_breaker_keeps_the_law(law: Law, defect: type[Breaker], seed: int) -> None:
    hold(law, Breaker, seed)


@pytest.mark.plants
@every_law
def test_the_law_finds_its_planted_defect(law: Law, defect: type[Breaker]) -> None:
    with pytest.raises(AssertionError):
        hold(law, defect, 0)
