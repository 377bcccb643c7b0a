import asyncio
import time

import anyio
import pytest
from aiolimiter import AsyncLimiter
from anyio import to_thread

from coordinator.simulation import clock
from coordinator.simulation.clock import Deadlock, VirtualLoop


async def test_a_day_passes_at_once():
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.sleep(86_400 * 3)
    assert loop.time() - start == pytest.approx(86_400 * 3, abs=1e-3)


async def test_timers_fire_in_the_order_of_their_times():
    fired = []
    loop = asyncio.get_running_loop()
    for when in (3, 1, 2):
        loop.call_later(when, fired.append, when)
    await asyncio.sleep(4)
    assert fired == [1, 2, 3]


async def test_time_creeps_so_that_a_limiter_at_its_limit_makes_progress():
    limiter = AsyncLimiter(3, 1)
    for _ in range(30):
        await limiter.acquire()
    assert asyncio.get_running_loop().time() == pytest.approx(9, abs=0.1)


async def test_anyio_and_asyncio_timeouts_fire_in_virtual_time():
    with anyio.move_on_after(50) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(50):
            await asyncio.Event().wait()


def test_a_blocked_world_is_a_deadlock_that_names_its_tasks():
    async def blocked():
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.raises(Deadlock, match=r"test_clock\.py:\d+"):
        runner.run(blocked())


@pytest.mark.parametrize(
    "start", [to_thread.run_sync, lambda *work: asyncio.get_running_loop().run_in_executor(None, *work)]
)
async def test_time_stands_still_while_a_thread_is_out(start):
    loop = asyncio.get_running_loop()
    loop.call_later(1, lambda: None)
    before = loop.time()
    await start(time.sleep, 0.01)
    assert loop.time() - before < 0.5


@pytest.mark.real_time
async def test_the_marker_real_time_opts_out():
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)


def test_tasks_that_wake_one_another_for_ever_are_a_livelock(monkeypatch):
    monkeypatch.setattr(clock, "MOST_TURNS", 1_000)

    async def dance():
        while True:
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.raises(Deadlock, match=r"livelock.*\n.*test_clock"):
        runner.run(dance())


def test_time_that_passes_is_no_livelock(monkeypatch):
    monkeypatch.setattr(clock, "MOST_TURNS", 1_000)

    async def walk():
        for _ in range(5_000):
            await asyncio.sleep(0.001)

    for seed in (None, 1):
        with asyncio.Runner(loop_factory=lambda seed=seed: VirtualLoop(seed)) as runner:
            runner.run(walk())
