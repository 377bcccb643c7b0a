"""Worlds spread over processes: their order, who takes the next one, and a worker that is lost."""

import multiprocessing
import os

import pytest

from coordinator.domain.errors import CoordinatorError
from coordinator.simulate.workers import spread
from coordinator.simulate.world import WorldReport

PATIENCE_S = 10.0


def world(seed: int) -> WorldReport:
    return WorldReport(seed, f"{seed:032x}", 1, {}, {}, {}, {}, 0.0, 0.0, 0, 0.0)


def test_worlds_come_in_the_order_of_their_seeds_from_any_number_of_workers():
    for workers in (1, 2, 3, 9):
        assert [one.seed for one in spread(world, range(5, 12), workers)] == list(range(5, 12))


def test_a_worker_with_a_long_world_leaves_the_seeds_that_are_left_to_the_others():
    last_is_done = multiprocessing.get_context("fork").Event()

    def live(seed: int) -> WorldReport:
        if seed == 1:
            assert last_is_done.wait(PATIENCE_S), "the others were left to whoever is busy"
        if seed == 11:
            last_is_done.set()
        return world(seed)

    assert [one.seed for one in spread(live, range(1, 12), 2)] == list(range(1, 12))


def test_a_lost_worker_is_told_with_the_seed_that_it_was_at():
    def live(seed: int) -> WorldReport:
        if seed == 4:
            os._exit(9)
        return world(seed)

    heard = []
    with pytest.raises(CoordinatorError, match="seed 4 ended before it was done") as lost:
        heard += spread(live, range(1, 9), 2)
    assert lost.value.code == "worker_lost"
