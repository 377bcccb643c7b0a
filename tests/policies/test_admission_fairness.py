import asyncio
from typing import Any

import pytest

from coordinator.domain.calls import RunCall, RunReply, Task
from coordinator.domain.errors import Refused
from coordinator.domain.scope import RunLimits, RunState, Scope, TenantContext
from coordinator.policies.admission import Admission


def now() -> float:
    return asyncio.get_running_loop().time()


class Door:
    """Runs of tenants that each stay inside for a second."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.admission = Admission(at_once, waiting)
        self.inside: list[str] = []
        self.orders: list[int] = []

    def knock(self, tenant: str, weight: int = 1, deadline: float = float("inf")) -> asyncio.Task[Any]:
        scope = Scope(RunState("r", TenantContext(tenant, weight=weight), RunLimits(1), lambda: 0.0), "m", "run")

        async def then(call: Any) -> Any:
            self.inside.append(tenant)
            self.orders.append(call.scope.run.order)
            await asyncio.sleep(1)
            return RunReply("")

        return asyncio.get_running_loop().create_task(self.admission(RunCall(scope, Task(text="?"), deadline), then))


async def test_tenants_take_turns_by_their_weights():
    door = Door(1, 100)
    tasks = [door.knock("flood") for _ in range(7)]
    await asyncio.sleep(0.1)
    tasks += [door.knock("heavy", 2) for _ in range(4)] + [door.knock("light")]
    await asyncio.gather(*tasks)
    assert "".join(name[0] for name in door.inside) == "ffhhlfhhffff"


async def test_runs_are_numbered_in_the_order_of_their_admission():
    door = Door(2, 100)
    await asyncio.gather(*(door.knock(name) for name in "aaabb"))
    assert door.orders == [1, 2, 3, 4, 5]


async def test_a_full_door_makes_room_for_a_tenant_with_less_than_its_share():
    door = Door(1, 3)
    flood = [door.knock("flood") for _ in range(4)]
    await asyncio.sleep(0.1)
    other = door.knock("other")
    with pytest.raises(Refused) as refused:
        await flood[-1]
    assert refused.value.code == "admission_full"
    assert refused.value.retry_after >= 1
    with pytest.raises(Refused):
        await door.knock("flood")
    assert now() < 0.2
    await asyncio.gather(other, *flood[:-1])


async def test_a_run_whose_turn_would_come_after_its_deadline_is_refused_on_arrival():
    door = Door(1, 100)
    await door.knock("flood")
    flood = [door.knock("flood") for _ in range(10)]
    await asyncio.sleep(0.1)
    began = now()
    with pytest.raises(Refused) as refused:
        await door.knock("flood", deadline=began + 5)
    assert refused.value.code == "deadline_out_of_reach"
    assert refused.value.retry_after == pytest.approx(10, abs=1.1)
    assert now() - began < 0.05
    other = door.knock("other", deadline=began + 5)
    await asyncio.gather(other, *flood)


async def test_who_stops_admits_no_more_refuses_who_waits_and_lets_the_rest_end():
    door = Door(2, 10)
    tasks = [door.knock(name) for name in "abcd"]
    await asyncio.sleep(0.5)
    door.admission.stop()
    assert door.admission.snapshot().draining
    for refused in (tasks[2], tasks[3], door.knock("e")):
        with pytest.raises(Refused) as error:
            await refused
        assert (error.value.code, error.value.retry_after) == ("draining", 5.0)
    assert await door.admission.drained(0.2) == 2
    assert await door.admission.drained(10) == 0
    assert now() == pytest.approx(1, abs=0.01)
    assert await door.admission.drained(10) == 0
    await asyncio.gather(*tasks[:2])


@pytest.mark.parametrize("ticks", range(6))
async def test_a_run_that_is_turned_away_while_it_is_cancelled_leaves_nothing(ticks):
    door = Door(1, 10)
    first, second = door.knock("a"), door.knock("b")
    await asyncio.sleep(0.5)
    for tick in range(6):
        if tick == ticks:
            second.cancel()
        if tick == 3:
            door.admission.stop()
        await asyncio.sleep(0)
    await asyncio.wait([first, second])
    assert (door.admission.snapshot().running, door.admission.snapshot().waiting) == (0, 0)


async def test_whoever_waits_for_the_end_may_be_cancelled():
    door = Door(1, 1)
    run = door.knock("a")
    await asyncio.sleep(0.1)
    waiting = asyncio.get_running_loop().create_task(door.admission.drained(float("inf")))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait([waiting])
    await run
    assert not door.admission._empty
