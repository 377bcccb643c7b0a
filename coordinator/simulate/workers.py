"""Worlds spread over processes: seeds do not know one another, so that every core may simulate its share."""

import multiprocessing
import signal
import threading  # noqa: TID251 - only to see that there are none, because a fork would lose them
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from multiprocessing.connection import Connection, wait

from coordinator.app.collector import relax_collector
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.value import changed
from coordinator.simulate.world import WorldReport

Live = Callable[[int], WorldReport]

AHEAD = 2
"""Seeds that a worker has in hand, so that it never waits for the next one."""


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
        lines = []
        for _ in range(min(workers, len(seeds))):
            ours, theirs = forks.Pipe()
            process = forks.Process(target=_work, args=(live, theirs), daemon=True)
            process.start()
            theirs.close()
            stack.callback(process.join)
            stack.callback(process.terminate)
            lines.append(_Line(ours))
        yield from _in_order(lines, seeds)


class _Line:
    """The line to one worker, and the seeds that it was *given*: the one that it works at comes first."""

    __slots__ = ("end", "given")

    def __init__(self, end: Connection) -> None:
        self.end = end
        self.given: deque[int] = deque()

    def give(self, seeds: Iterable[int]) -> None:
        """Hand over *seeds*, to be simulated after those that the worker has."""
        for seed in seeds:
            self.given.append(seed)
            self.end.send(seed)

    def turn(self, seeds: Iterable[int]) -> tuple[int, WorldReport]:
        """Hand over *seeds*, and return the seed that is done, with its world."""
        try:
            self.give(seeds)
            world: WorldReport = self.end.recv()
        except (EOFError, OSError):
            raise CoordinatorError(
                f"the worker that simulated seed {self.given[0]} ended before it was done", code="worker_lost",
                hint="what it said stands above; `--workers 1` simulates in one process",
            ) from None  # fmt: skip
        return self.given.popleft(), world


def _in_order(lines: Sequence[_Line], seeds: Sequence[int]) -> Iterator[WorldReport]:
    """Hand out *seeds*, the next one to whoever is done first, and yield their worlds in the order of *seeds*."""
    left = iter(seeds)
    done: dict[int, WorldReport] = {}
    for line in lines:
        line.give(islice(left, AHEAD))
    for seed in seeds:
        while seed not in done:
            heard = wait([line.end for line in lines if line.given])
            done.update(line.turn(islice(left, 1)) for line in lines if line.end in heard)
        yield done.pop(seed)


def _work(live: Live, line: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted as well, and ends its workers
    relax_collector(seldom=False)  # a world is dropped whole, and the next one takes its place
    while True:
        try:
            seed = line.recv()
        except EOFError:  # the parent is gone
            return
        line.send(changed(live(seed), results=()))


def _may_fork() -> bool:
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
