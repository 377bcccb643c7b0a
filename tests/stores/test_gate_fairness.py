import asyncio
import math

import pytest

from coordinator.domain.errors import Refused
from coordinator.domain.fair_queue import Standing
from coordinator.domain.limits import GateLimits
from coordinator.stores.memory.gate import Gate

SOON = 1e-3


def now() -> float:
    return asyncio.get_running_loop().time()


class Line:
    """A gate that lets one request pass a second, and those who wait at it, in the order of their grants."""

    def __init__(self, **limits) -> None:
        self.gate = Gate("m", GateLimits(requests=61, window_s=60, burst=1 / 61, **limits))
        self.granted: list[str] = []
        assert self.gate.try_take(0) is not None

    def wait(self, name: str, deadline: float = math.inf, **standing) -> asyncio.Task:
        standing.setdefault("tenant", name)

        async def one():
            (await self.gate.take(0, deadline, Standing(**standing))).keep()
            self.granted.append(name)

        return asyncio.get_running_loop().create_task(one())


async def test_tenants_take_turns_at_a_gate():
    line = Line()
    tasks = [line.wait("flood") for _ in range(5)]
    await asyncio.sleep(0.1)
    tasks += [line.wait("a"), line.wait("b"), line.wait("a")]
    await asyncio.gather(*tasks)
    assert line.granted == ["flood", "a", "b", "flood", "a", "flood", "flood", "flood"]


async def test_inside_a_tenant_the_oldest_run_goes_first_and_a_retry_keeps_its_place():
    line = Line()
    tasks = [
        line.wait("young", tenant="t", order=9),
        line.wait("old", tenant="t", order=2),
        line.wait("retry", tenant="t", order=2, attempt=2),
        line.wait("oldest", tenant="t", order=1),
    ]
    await asyncio.gather(*tasks)
    assert line.granted == ["oldest", "retry", "old", "young"]


async def test_a_full_queue_makes_room_for_a_tenant_with_less_than_its_share():
    line = Line(queue=4)
    flood = [line.wait("flood") for _ in range(4)]
    await asyncio.sleep(0)
    other = line.wait("other")
    with pytest.raises(Refused) as refused:
        await flood[-1]
    assert (refused.value.code, refused.value.passing) == ("gate_full", True)
    with pytest.raises(Refused):
        await line.wait("flood")
    await asyncio.gather(other, *flood[:-1])
    assert line.granted.index("other") == 1


async def test_a_flood_of_another_tenant_does_not_put_a_deadline_out_of_reach():
    line = Line()
    flood = [line.wait("flood") for _ in range(50)]
    await asyncio.sleep(0)
    other = line.wait("other", deadline=now() + 3)
    with pytest.raises(Refused) as refused:
        await line.wait("flood", deadline=now() + 3)
    assert refused.value.code == "deadline_out_of_reach"
    assert refused.value.retry_after == pytest.approx(51, abs=2)
    await other
    assert now() < 3
    for task in flood:
        task.cancel()
    await asyncio.wait(flood)


async def test_a_refund_returns_to_the_tenants_deficit():
    gate = Gate("m", GateLimits(requests=100, window_s=99, burst=0.01))
    gate.try_take(0)
    tasks = [asyncio.get_running_loop().create_task(gate.take(0, math.inf, Standing(name))) for name in "aab"]
    permit = await tasks[0]
    before = permit.flow.deficit
    permit.refund()
    assert permit.flow.deficit > before
    await asyncio.gather(*tasks)


async def test_a_permit_that_never_waited_owes_its_tenant_nothing():
    gate = Gate("m", GateLimits(requests=100))
    assert gate.try_take(0).flow is None


async def test_what_the_provider_says_is_left_is_not_exceeded_and_ends():
    gate = Gate("m", GateLimits())
    gate.remaining(2, None, 10)
    first = gate.try_take(5)
    assert gate.try_take(5) is not None
    assert gate.try_take(5) is None
    first.refund()
    assert gate.try_take(5) is not None
    await gate.take(5, math.inf)
    assert now() == pytest.approx(10, abs=SOON)
    for _ in range(100):
        assert gate.try_take(5) is not None


async def test_of_two_statements_about_one_period_the_smaller_holds():
    gate = Gate("m", GateLimits())
    gate.remaining(None, 100, 10)
    gate.try_take(90).correct(95)
    gate.remaining(None, 1000, 5)
    assert not gate.fits(10)
    assert gate.fits(5)
    gate.remaining(None, 1000, 30)
    assert gate.fits(1000)


async def test_a_statement_about_nothing_left_refuses_who_cannot_wait_so_long():
    gate = Gate("m", GateLimits())
    gate.remaining(0, 0, 10)
    with pytest.raises(Refused) as refused:
        await gate.take(1, now() + 5)
    assert refused.value.retry_after == pytest.approx(10, abs=SOON)
    await gate.take(1, now() + 11)


async def test_a_gate_is_idle_once_nothing_of_it_matters():
    gate = Gate("m", GateLimits(requests=60, tokens=600, window_s=60))
    assert gate.idle
    permit = gate.try_take(10)
    await asyncio.sleep(60)
    assert not gate.idle
    permit.keep()
    assert gate.idle
    gate.remaining(5, 5, 10)
    assert not gate.idle
    await asyncio.sleep(10)
    assert gate.idle
    gate.pause(5)
    assert not gate.idle


async def test_a_late_correction_gives_back_only_what_has_not_leaked_out():
    gate = Gate("m", GateLimits(tokens=1000, window_s=10, burst=0.5))
    early = gate.try_take(500)
    await asyncio.sleep(20)
    gate.try_take(500)
    early.correct(0)
    assert gate.snapshot().token_level == pytest.approx(500, abs=SOON)


async def test_a_correction_gives_back_all_of_it_only_while_the_bucket_never_ran_dry():
    gate = Gate("m", GateLimits(tokens=1000, window_s=10, burst=0.5))
    early = gate.try_take(100)
    for _ in range(20):
        gate.try_take(250)
        await asyncio.sleep(8)
    gate.try_take(400)
    level = gate.snapshot().token_level
    early.correct(0)
    assert level - gate.snapshot().token_level == pytest.approx(0, abs=SOON)
    early = gate.try_take(100)
    for _ in range(20):
        await asyncio.sleep(1)
        gate.try_take(50)
    level = gate.snapshot().token_level
    early.correct(0)
    assert level - gate.snapshot().token_level == pytest.approx(100, abs=SOON)
