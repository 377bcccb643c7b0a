import asyncio
from typing import Any

import pytest

from coordinator.domain.errors import Fault, Reached, Refused
from coordinator.domain.limits import BreakerLimits
from coordinator.policies.breaker import Breaker
from coordinator.stores.memory.breaker import Breakers


async def down(call: Any) -> Any:
    raise Fault("down", reached=Reached.NO)


async def well(call: Any) -> Any:
    return "answer"


async def test_what_is_down_is_not_called_until_a_probe_succeeds_and_each_change_is_an_event(calls):
    layer = Breaker(Breakers(BreakerLimits(failures=2, cooldown_s=10)))
    for _ in range(2):
        with pytest.raises(Fault):
            await layer(calls.of_tool(), down)
    with pytest.raises(Refused) as refused:
        await layer(calls.of_tool(), well)
    assert refused.value.passing
    assert refused.value.retry_after == pytest.approx(10, abs=1e-3)
    await asyncio.sleep(10)
    assert await layer(calls.of_tool(), well) == "answer"
    changes = [(event.data["from"], event.data["to"]) for event in calls.events]
    assert changes == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]
    assert {event.data["dependency"] for event in calls.events} == {"find#0"}


async def test_one_tier_down_leaves_the_others_alone(calls):
    layer = Breaker(Breakers(BreakerLimits(failures=1)))
    with pytest.raises(Fault):
        await layer(calls.of_tool(), down)
    assert await layer(calls.of_tool(dependency="find#1"), well) == "answer"


async def test_a_foreign_error_is_a_failure(calls):
    breakers = Breakers(BreakerLimits(failures=1))

    async def crashes(call: Any) -> Any:
        raise LookupError

    with pytest.raises(LookupError):
        await Breaker(breakers)(calls.of_tool(), crashes)
    assert breakers.snapshot()[0].state == "open"


@pytest.mark.parametrize("ticks", range(4))
async def test_a_probe_cancelled_at_any_point_gives_its_permit_back(calls, ticks):
    breakers = Breakers(BreakerLimits(failures=1, cooldown_s=10))
    layer = Breaker(breakers)
    with pytest.raises(Fault):
        await layer(calls.of_tool(), down)
    await asyncio.sleep(10)

    async def slow(call: Any) -> Any:
        for _ in range(10):
            await asyncio.sleep(0)

    probe = asyncio.get_running_loop().create_task(layer(calls.of_tool(), slow))
    for _ in range(ticks):
        await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert not breakers.snapshot()[0].probing
    assert await layer(calls.of_tool(), well) == "answer"
