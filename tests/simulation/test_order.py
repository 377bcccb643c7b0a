"""The seeded order: explores interleavings, repeats exactly, and breaks none of asyncio's promises."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.simulation.clock import Deadlock, VirtualLoop

pytestmark = pytest.mark.real_time  # each test owns its loops


def run(seed, main):
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        return runner.run(main())


async def three_tasks():
    order = []

    async def work(name):
        for _ in range(3):
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            tasks.create_task(work(name))
    return "".join(order)


def test_seeds_explore_orders_and_repeat_them():
    seen = {run(seed, three_tasks) for seed in range(40)}
    assert len(seen) > 20
    assert [run(7, three_tasks) for _ in range(3)] == [run(7, three_tasks)] * 3


def test_without_a_seed_the_order_is_that_of_asyncio():
    assert run(None, three_tasks) == "abcabcabc"


@pytest.mark.parametrize("seed", range(20))
def test_plain_callbacks_keep_their_order(seed):
    async def main():
        loop, called = asyncio.get_running_loop(), []

        async def nothing():
            await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(nothing())
                loop.call_soon(called.append, number)
        return called

    assert run(seed, main) == list(range(10))


@pytest.mark.parametrize("seed", range(10))
def test_no_timer_fires_before_its_time_and_distinct_times_keep_their_order(seed):
    async def main():
        loop, fired = asyncio.get_running_loop(), []
        whens = [0.5, 0.5 + 5e-7, 0.50001, 0.7]
        for when in whens:
            loop.call_at(when, lambda when=when: fired.append((when, loop.time())))
        await asyncio.sleep(1)
        assert all(now >= when for when, now in fired)
        return [when for when, _ in fired]

    order = run(seed, main)
    assert order[2:] == [0.50001, 0.7]


def test_a_time_out_and_a_completion_at_one_moment_come_in_either_order():
    async def main():
        loop, happened = asyncio.get_running_loop(), []
        loop.call_at(1.0, happened.append, "done")
        loop.call_at(1.0 + 1e-8, happened.append, "timeout")
        await asyncio.sleep(2)
        return happened[0]

    assert {run(seed, main) for seed in range(20)} == {"done", "timeout"}


async def cancelled_siblings():
    order = []

    async def waits(name):
        try:
            await asyncio.sleep(10)
        finally:
            order.append(name)

    async def fails():
        await asyncio.sleep(1)
        raise ValueError

    try:
        async with asyncio.TaskGroup() as tasks:
            for name in range(30):
                tasks.create_task(waits(name))
            tasks.create_task(fails())
    except* ValueError:
        pass
    return order


def test_siblings_are_cancelled_in_one_order_whatever_their_addresses():
    first = run(3, cancelled_siblings)
    ballast = [object() for _ in range(10_000)]  # moves the addresses of what comes next
    assert run(3, cancelled_siblings) == first
    assert ballast


def test_the_order_is_the_same_in_every_process():
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_order import cancelled_siblings, run, three_tasks
ballast = [object() for _ in range(int(sys.argv[1]))]
print([(run(seed, cancelled_siblings), run(seed, three_tasks)) for seed in range(5)])
"""
    told = set()
    for number in (0, 1, 2):
        env = {**os.environ, "PYTHONHASHSEED": str(number)}
        argv = [sys.executable, "-c", script, str(number * 12_345)]
        told.add(subprocess.run(argv, env=env, capture_output=True, check=True, text=True).stdout)
    assert len(told) == 1


def test_a_deadlock_shows_the_whole_chain_of_awaits():
    async def inner():
        await asyncio.get_running_loop().create_future()

    async def outer():
        await inner()

    with pytest.raises(Deadlock, match=r"inner < .*outer"):
        run(1, outer)


def test_a_seeded_world_with_threads_still_waits_for_them():
    async def main():
        return await asyncio.get_running_loop().run_in_executor(None, sum, [1, 2])

    assert run(1, main) == 3


def test_ten_thousand_cancelled_timers_are_thrown_away():
    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(10_000):
            loop.call_later(1000, print).cancel()
            if _ % 100 == 0:
                await asyncio.sleep(0)
        return len(loop._scheduled)

    assert run(1, main) < 2_000
