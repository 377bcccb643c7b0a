"""Worlds spread over processes: seeds do not know one another, so that every core may simulate its share."""

import multiprocessing
import signal
import threading  # noqa: TID251 - only to see that there are none, because a fork would lose them
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection

from coordinator.app.collector import relax_collector
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.value import changed
from coordinator.simulate.world import WorldReport

Live = Callable[[int], WorldReport]


def spread(live: Live, seeds: Sequence[int], workers: int) -> Iterator[WorldReport]:
    """Yield the world of every seed, in the order of *seeds*, from so many processes.

    Workers are forks, so that a team needs no name and nothing of it is pickled. Where that is impossible the worlds
    come from this process, and are the same.

    Raises:
        CoordinatorError: `worker_lost`, when a worker ended before its last seed.
    """
    if min(workers, len(seeds)) < 2 or not _may_fork():
        yield from map(live, seeds)
        return
    forks = multiprocessing.get_context("fork")
    with ExitStack() as stack:
        ears = []
        for share in range(workers):
            ear, mouth = forks.Pipe(duplex=False)
            process = forks.Process(target=_work, args=(live, seeds[share::workers], mouth), daemon=True)
            process.start()
            mouth.close()
            stack.callback(process.join)
            stack.callback(process.terminate)
            ears.append(ear)
        for index, seed in enumerate(seeds):
            yield _heard(ears[index % workers], seed)


def _work(live: Live, seeds: Sequence[int], mouth: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted as well, and ends its workers
    relax_collector(seldom=False)  # a world is dropped whole, and the next one takes its place
    for seed in seeds:
        mouth.send(changed(live(seed), results=()))


def _heard(ear: Connection, seed: int) -> WorldReport:
    try:
        world: WorldReport = ear.recv()
    except EOFError:
        raise CoordinatorError(
            f"the worker that simulated seed {seed} ended before it was done", code="worker_lost",
            hint="what it said stands above; `--workers 1` simulates in one process",
        ) from None  # fmt: skip
    return world


def _may_fork() -> bool:
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
