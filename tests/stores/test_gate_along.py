"""Laws of what callers need beside a place: what goes wrong with it is theirs alone."""

import asyncio
import math
from typing import Any

import pytest

from coordinator.domain.fair_queue import Standing
from coordinator.domain.limits import GateLimits
from coordinator.stores.memory.gate import Gate
from coordinator.stores.memory.scopes import Way

LIMITS = GateLimits(requests=1, window_s=10)


def broken() -> float:
    raise ZeroDivisionError("a defect")


def begin(coroutine: Any) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(coroutine)


@pytest.mark.parametrize("woken_by", ["a new caller", "the timer", "a place that is given back"])
async def test_what_goes_wrong_in_one_callers_turn_ends_that_caller_alone(woken_by: str) -> None:
    gate = Gate("m", LIMITS)
    permit = None if woken_by == "a new caller" else gate.try_take(0)
    first = begin(gate.take(0, math.inf, along=broken))
    second = begin(gate.take(0, math.inf, along=lambda: 0.0))
    await asyncio.sleep(0)
    if permit is not None and woken_by == "a place that is given back":
        permit.refund()
    with pytest.raises(ZeroDivisionError):
        await first
    assert await second is not None
    state = gate.snapshot()
    assert (state.waiting, state.out) == (0, 1 + (woken_by == "the timer"))


async def test_what_goes_wrong_when_several_gates_are_passed_leaves_no_place_taken() -> None:
    narrow, wide = Gate("agent a", LIMITS), Gate("m", LIMITS)
    way = Way((narrow, wide), wide)
    taken = way.try_take(0)
    assert taken is not None
    first = begin(way.take(0, math.inf, Standing(), broken))
    second = begin(way.take(0, math.inf, Standing()))
    await asyncio.sleep(0)
    taken.refund()
    with pytest.raises(ZeroDivisionError):
        await first
    assert await second is not None
    assert [(gate.snapshot().waiting, gate.snapshot().out) for gate in (narrow, wide)] == [(0, 1)] * 2
