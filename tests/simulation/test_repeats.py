"""A seed is one world: whatever the collector finds, whatever the process is asked to watch, whatever ran before."""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest

from coordinator import AgentContext, Brief, Settings, Team, agent
from coordinator.domain.calls import Task
from coordinator.domain.events import Event, Kind
from coordinator.simulate import Stage, collecting, simulate
from coordinator.simulation.clock import VirtualLoop
from coordinator.simulation.fingerprint import Fingerprint

pytestmark = pytest.mark.real_time  # each world owns its loop

THRESHOLDS = gc.get_threshold()


class Undead:
    """Garbage that reads the clock of whichever world is running when the collector finds it."""

    found = 0

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        with suppress(RuntimeError):
            asyncio.get_running_loop().time()
            Undead.found += 1


@agent()
async def litterer(brief: Brief, ctx: AgentContext) -> str:
    """Leaves garbage behind."""
    Undead()
    await asyncio.sleep(1)
    return "done"


STAGE = Stage(Team(litterer), Settings(), Task(text="hi"))


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Leave the collector as it was; what a test has left is gone by then."""
    Undead.found = 0
    yield
    gc.enable()
    gc.set_threshold(*THRESHOLDS)
    gc.collect()


def world(threshold: int = 0) -> str:
    """Return the fingerprint of seed 3, where the collector would look whenever so many containers are new."""
    gc.set_threshold(threshold, 1, 1)
    return simulate(STAGE, seeds=1, seed=3).worlds[0].fingerprint


def test_a_seed_is_the_same_however_often_the_collector_would_look() -> None:
    assert len({world(threshold) for threshold in (0, 1, 10, 100, 1_000)}) == 1
    assert not Undead.found


def test_garbage_of_before_is_not_found_in_a_world() -> None:
    alone = world()
    gc.set_threshold(0)
    for _ in range(100):
        Undead()
    assert world(1) == alone
    assert not Undead.found


def test_a_long_world_is_rid_of_its_garbage_at_moments_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "EVERY", 40)
    worlds = set()
    for threshold in (0, 1, 100):
        Undead.found = 0
        worlds.add((world(threshold), Undead.found))
    [(_, found)] = worlds
    assert found > 20


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    simulate(STAGE, seeds=1, runs=1)
    assert gc.isenabled() is enabled


async def many_timers() -> float:
    """Set and cancel so many timers that asyncio sweeps them, and return the time."""
    loop, fired = asyncio.get_running_loop(), []
    for when in (number / 200 for number in range(20)):
        loop.call_at(when, lambda when=when: fired.append(when <= loop.time()))
    for number in range(3_000):
        loop.call_later(1000, print).cancel()
        if number % 100 == 0:
            await asyncio.sleep(0.001)
    await asyncio.sleep(1)
    assert fired == [True] * 20
    return loop.time()


def passed() -> float:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(3)) as runner:
        return runner.run(many_timers())


def test_debug_mode_and_a_coarse_clock_of_the_machine_change_no_world(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = passed()
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    assert passed() == plain
    monkeypatch.delenv("PYTHONASYNCIODEBUG")
    monkeypatch.setattr(time, "get_clock_info", lambda name: SimpleNamespace(resolution=0.1))
    assert passed() == plain


@pytest.mark.parametrize("seed", range(5))
def test_who_is_woken_in_one_turn_goes_on_in_an_order_that_the_seed_alone_decides(seed: int) -> None:
    """A set of futures is iterated in the order of their addresses, and so is what anyio cancels."""

    async def woken(order: list[int]) -> list[int]:
        loop, went_on = asyncio.get_running_loop(), []
        futures = [loop.create_future() for _ in range(8)]

        async def wait(number: int) -> None:
            await futures[number]
            went_on.append(number)

        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                tasks.create_task(wait(number))
            await asyncio.sleep(1)
            for number in order:
                futures[number].set_result(None)
        return went_on

    def one(order: list[int]) -> tuple[int, ...]:
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
            return tuple(runner.run(woken(order)))

    orders = ([*range(8)], [*range(7, -1, -1)], [3, 1, 4, 0, 5, 2, 6, 7])
    assert len({one(order) for order in orders}) == 1


def crash(**data: str) -> str:
    fingerprint = Fingerprint()
    fingerprint(Event("r-1", 1, 0.0, Kind.CRASH, "acme", "clerk", "run", data))
    return fingerprint.hexdigest()


def test_addresses_and_the_place_of_the_code_are_no_part_of_a_fingerprint() -> None:
    here = crash(error="<Shelf object at 0x7f0012abcdef>", traceback="File '/home/ann/crew.py', line 3")
    there = crash(error="<Shelf object at 0x7fff99abcd01>", traceback="File '/srv/crew.py', line 7")
    assert here == there
    assert here != crash(error="<Table object at 0x7f0012abcdef>", traceback="")
