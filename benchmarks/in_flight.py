"""A thousand team runs in flight: CPU and wall time, with the default collector and with a tuned one; memory of a run.

The team run is that of `team_run.py`, with every layer on and every event told to an observer that counts. Tuned means
`relax_collector()`, as the command line and services do. Run it on a quiet machine.
"""

import asyncio
import gc
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from measured import build
from team_run import Bare, Script, bare, coordinator_with, count, in_flight, one_after_another

from coordinator import Coordinator, Status
from coordinator.app.collector import relax_collector
from coordinator.domain.content import Text
from coordinator.domain.model import ModelReply, ModelRequest

RUNS = 1000
ROUNDS = 5
MODEL_S = 0.05
CALLS = 9
"""Model calls of a run, one after another: their time is the least that it can take."""


class Parked(Script):
    """Keeps every analyst waiting in its last call, when the run has the most to remember."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.all_here = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        part = request.messages[0].parts[0]
        if isinstance(part, Text) and part.text == "analyst" and len(request.messages) == 6:
            self.waiting += 1
            if self.waiting == RUNS:
                self.all_here.set()
            await self.go_on.wait()
        return await super().__call__(model, request)


@contextmanager
def tuned() -> Iterator[None]:
    """Collect garbage as the command line does."""
    before = gc.get_threshold()
    relax_collector()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@contextmanager
def untouched() -> Iterator[None]:
    """Collect garbage as Python does by default."""
    yield


def asking(coordinator: Coordinator) -> Callable[[], Awaitable[Any]]:
    """Return what makes one run and checks its result."""

    async def run() -> None:
        result = await coordinator.run("help")
        assert result.status is Status.COMPLETED, result

    return run


async def cpu() -> None:
    """Print the CPU of a run with a thousand in flight."""
    async with coordinator_with(Script(), count) as coordinator:
        await one_after_another(asking(coordinator), 100)
        for name, collector in (("default gc", untouched), ("tuned gc", tuned)):
            with collector():
                pairs = [await _pair(asking(coordinator)) for _ in range(ROUNDS)]
            mine, theirs = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
            print(f"{RUNS} in flight, {name}: {mine:.0f} us CPU a run, bare loop {theirs:.0f} us")


async def _pair(run: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    gc.collect()
    return await in_flight(run, RUNS, RUNS), await in_flight(bare, RUNS, RUNS)


async def wall() -> None:
    """Print how long a thousand runs at once take, with 50 ms a model call."""
    async with coordinator_with(Script(MODEL_S), count) as coordinator:
        for name, collector in (("default gc", untouched), ("tuned gc", tuned)):
            with collector():
                took = [(await _seconds(asking(coordinator)), await _seconds(Bare(MODEL_S))) for _ in range(ROUNDS)]
            mine, theirs = (statistics.median(pair[place] for pair in took) for place in (0, 1))
            figures = f"{mine:.2f} s, ideal {CALLS * MODEL_S:.2f} s, bare loop {theirs:.2f} s"
            print(f"{RUNS} runs at once, {MODEL_S * 1e3:.0f} ms a model call, {name}: {figures}")


async def _seconds(run: Callable[[], Awaitable[Any]]) -> float:
    gc.collect()
    began = time.perf_counter()
    await in_flight(run, RUNS, RUNS)
    return time.perf_counter() - began


async def memory() -> None:
    """Print what a run takes that waits in the middle of its work."""
    script = Parked()
    async with coordinator_with(script, count) as coordinator:
        script.go_on.set()
        await in_flight(asking(coordinator), RUNS, RUNS)
        script.go_on.clear()
        script.all_here.clear()
        script.waiting = 0
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        async with asyncio.TaskGroup() as tasks:
            for _ in range(RUNS):
                tasks.create_task(coordinator.run("help"))
            await script.all_here.wait()
            gc.collect()
            held = tracemalloc.get_traced_memory()[0] - before
            script.go_on.set()
        tracemalloc.stop()
    print(f"memory of a run in flight, of {RUNS}: {held / RUNS / 1024:.1f} KB")


def main() -> None:
    """Print all figures, and how busy the machine was."""
    print(f"a thousand team runs, {build()}:")
    for measure in (cpu, wall, memory):
        asyncio.run(measure())
    print(f"(load average of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")


if __name__ == "__main__":
    sys.exit(main())
