"""Many team runs: one wave after another, to see what is left of them in memory; and very many at once, over a ramp.

    python benchmarks/waves.py                           a short look, as in `make bench`
    python benchmarks/waves.py --runs 100000 --ramp 10000  the whole: about three minutes

The team run is that of `team_run.py`, with every layer on. In the ramp a model call takes 1 to 4 seconds, as real ones
do, and runs begin so fast that nearly all are in flight before the first have ended.
"""

import argparse
import asyncio
import os
import random
import sys
import time

from team_run import Script, coordinator_with, count

from coordinator import Coordinator, Status
from coordinator.app.collector import relax_collector
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.load.histogram import Histogram
from coordinator.load.memory import resident

WAVE = 1000
SETTLED = 5
"""Waves after which all that is kept once is there: compiled patterns, schemas, arenas of memory."""
PER = 10_000
MIB = 1024 * 1024
RAMP_S = 18.0
"""A run takes about 22.5 seconds: nine model calls of 2.5 on average."""
SHORTEST_S, LONGEST_S = 1.0, 4.0
LAG_EVERY_S = 0.01


class Real(Script):
    """Takes as long as real models do."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(self._chance.uniform(SHORTEST_S, LONGEST_S))
        return await super().__call__(model, request)


async def waves(runs: int) -> None:
    """Print by how much memory grows while *runs* are made in waves."""
    grown: list[int] = []
    began = time.perf_counter()
    async with coordinator_with(Script(), count) as coordinator:
        for number in range(runs // WAVE):
            await _wave(coordinator, number)
            grown.append(resident())
    took = time.perf_counter() - began
    per = _slope(grown[SETTLED:]) * PER / WAVE
    print(
        f"{runs:,} runs in waves of {WAVE:,}: {per / MIB:+.2f} MiB per {PER:,}, {grown[-1] / MIB:.0f} MiB in the end, "
        f"{runs / took:,.0f} runs a second"
    )


async def _wave(coordinator: Coordinator, number: int) -> None:
    """Make one wave, by other users and in other sessions than the waves before."""
    asked = (
        coordinator.run("help", tenant=f"t-{place % 50}", user=f"u-{number}-{place}", session=f"s-{number}-{place}")
        for place in range(WAVE)
    )
    results = await asyncio.gather(*asked)
    assert all(result.status is Status.COMPLETED for result in results)


def _slope(values: list[int]) -> float:
    """Return by how much *values* grow from one to the next, by least squares."""
    middle_x, middle_y = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((x - middle_x) ** 2 for x in range(len(values)))
    return sum((x - middle_x) * (y - middle_y) for x, y in enumerate(values)) / spread


async def ramp(runs: int) -> None:
    """Print how late the event loop is while *runs* are in flight together, and how they end."""
    lag, seconds, wrong = Histogram(), Histogram(), 0
    in_flight = peak = 0
    loop = asyncio.get_running_loop()

    async def one(due: float, coordinator: Coordinator) -> None:
        nonlocal in_flight, peak, wrong
        await asyncio.sleep(due - loop.time())
        in_flight += 1
        peak = max(peak, in_flight)
        began = loop.time()
        result = await coordinator.run("help", tenant=f"t-{runs % 50}")
        wrong += result.status is not Status.COMPLETED
        seconds.add(loop.time() - began)
        in_flight -= 1

    async with coordinator_with(Real(random.Random(1)), count) as coordinator:
        watching = asyncio.create_task(_watch(lag))
        await asyncio.sleep(0.1)
        begin, busy = loop.time(), time.process_time()
        await asyncio.gather(*(one(begin + RAMP_S * place / runs, coordinator) for place in range(runs)))
        cpu = (time.process_time() - busy) / (loop.time() - begin)
        watching.cancel()
    print(
        f"{runs:,} runs over a ramp of {RAMP_S:.0f} s, model calls of {SHORTEST_S:.0f} to {LONGEST_S:.0f} s: "
        f"{peak:,} in flight, {wrong} errors, loop lag p50 {lag.percentile(0.5) * 1e3:.1f} ms, "
        f"p99 {lag.percentile(0.99) * 1e3:.0f} ms, max {lag.most * 1e3:.0f} ms; a run took "
        f"{seconds.percentile(0.5):.1f} s; {cpu:.0%} of a core"
    )


async def _watch(lag: Histogram) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        lag.add(max(0.0, loop.time() - due))


def main() -> None:
    """Print what the arguments ask for, and how busy the machine was."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20_000, help="runs in waves")
    parser.add_argument("--ramp", type=int, default=1000, help="runs in flight together")
    asked = parser.parse_args()
    relax_collector()
    if asked.runs:
        asyncio.run(waves(asked.runs))
    if asked.ramp:
        asyncio.run(ramp(asked.ramp))
    print(f"(load average of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")


if __name__ == "__main__":
    sys.exit(main())
