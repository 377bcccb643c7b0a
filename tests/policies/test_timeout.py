import asyncio
from typing import Any

import pytest

from coordinator.domain.effects import Effect
from coordinator.domain.errors import Fault, Reached, UnknownOutcome
from coordinator.policies.timeout import Timeout


def now() -> float:
    return asyncio.get_running_loop().time()


async def slow(call: Any) -> Any:
    await asyncio.sleep(60)


async def test_a_read_that_takes_too_long_may_have_reached_its_goal(calls):
    with pytest.raises(Fault) as fault:
        await Timeout()(calls.of_model(timeout=2.0), slow)
    assert (fault.value.code, fault.value.reached, fault.value.transient) == ("timeout", Reached.MAYBE, True)
    assert now() == pytest.approx(2, abs=1e-3)


async def test_an_effect_that_takes_too_long_has_an_unknown_outcome_unless_it_is_keyed(calls):
    with pytest.raises(UnknownOutcome):
        await Timeout()(calls.of_tool("save", timeout=2.0), slow)
    with pytest.raises(Fault):
        await Timeout()(calls.of_tool("save", timeout=2.0, keyed=True), slow)


async def test_a_nearer_deadline_leaves_the_expiry_to_the_run(calls):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await Timeout()(calls.of_model(timeout=2.0, deadline=now() + 1), slow)


async def test_under_a_nearer_deadline_no_attempt_timer_is_set(calls):
    await Timeout()(calls.of_model(timeout=2.0, deadline=now() + 1), slow)
    assert now() == pytest.approx(60, abs=1e-3)


async def test_a_timeout_error_of_the_inside_is_not_taken_for_an_expiry(calls):
    async def raises(call: Any) -> Any:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Timeout()(calls.of_tool("save", timeout=2.0, effect=Effect.WRITE), raises)


async def test_a_cancellation_passes_unchanged(calls):
    task = asyncio.get_running_loop().create_task(Timeout()(calls.of_model(timeout=5.0), slow))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
