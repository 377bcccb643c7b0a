import asyncio
from typing import Any

import pytest

from coordinator.domain.calls import RunReply
from coordinator.domain.errors import Refused
from coordinator.policies.admission import Admission


class Door:
    """Runs that stay inside until they are let go."""

    def __init__(self, admission: Admission, calls: Any) -> None:
        self.admission = admission
        self.calls = calls
        self.inside: list[int] = []
        self.most = 0
        self.go: dict[int, asyncio.Event] = {}

    def knock(self, number: int, deadline: float = float("inf")) -> asyncio.Task[Any]:
        async def then(call: Any) -> Any:
            self.inside.append(number)
            self.most = max(self.most, self.admission.snapshot().running)
            await self.go.setdefault(number, asyncio.Event()).wait()
            return RunReply(number)

        call = self.calls.of_run(deadline)
        return asyncio.get_running_loop().create_task(self.admission(call, then))

    def leave(self, number: int) -> None:
        self.go.setdefault(number, asyncio.Event()).set()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_so_many_work_the_next_wait_in_order_and_the_rest_are_refused(calls):
    door = Door(Admission(2, 2), calls)
    tasks = [door.knock(number) for number in range(5)]
    await settle()
    assert door.inside == [0, 1]
    with pytest.raises(Refused) as refused:
        await tasks[4]
    assert refused.value.code == "admission_full"
    assert refused.value.retry_after >= 1
    for number in range(4):
        door.leave(number)
        await settle()
    assert [reply.output for reply in await asyncio.gather(*tasks[:4])] == [0, 1, 2, 3]
    assert door.inside == [0, 1, 2, 3]
    assert door.most == 2
    assert (door.admission.snapshot().running, door.admission.snapshot().waiting) == (0, 0)


async def test_a_newcomer_never_overtakes_who_waits(calls):
    door = Door(Admission(1, 5), calls)
    first, second = door.knock(0), door.knock(1)
    await settle()
    door.leave(0)
    third = door.knock(2)
    await settle()
    assert door.inside == [0, 1]
    door.leave(1), door.leave(2)
    await asyncio.gather(first, second, third)


@pytest.mark.parametrize("ticks", range(6))
async def test_a_run_cancelled_at_any_point_leaves_its_place_to_the_next(calls, ticks):
    door = Door(Admission(1, 5), calls)
    first, second, third = (door.knock(number) for number in range(3))
    await settle()
    door.leave(0)
    for _ in range(ticks):
        await asyncio.sleep(0)
    second.cancel()
    await settle()
    assert door.inside[-1] == 2
    door.leave(2)
    await asyncio.wait([first, second, third])
    assert second.cancelled()
    assert door.admission.snapshot().running == 0
    assert door.admission.snapshot().waiting == 0


async def test_who_waits_beyond_the_deadline_is_refused_and_leaves_the_line(calls):
    door = Door(Admission(1, 5), calls)
    first = door.knock(0)
    await settle()
    with pytest.raises(Refused) as refused:
        await door.knock(1, deadline=asyncio.get_running_loop().time() + 3)
    assert refused.value.code == "deadline_exceeded"
    assert door.admission.snapshot().waiting == 0
    door.leave(0)
    await first
    assert door.admission.snapshot().running == 0


async def test_a_run_inside_another_is_refused_rather_than_wait_for_the_place_that_one_holds(calls):
    admission = Admission(2, 5)

    async def leaf(call: Any) -> RunReply:
        return RunReply("leaf")

    async def tool(call: Any) -> Any:
        await asyncio.sleep(0)  # both hold their places
        return await asyncio.get_running_loop().create_task(admission(calls.of_run(), leaf))

    refused = await asyncio.gather(*(admission(calls.of_run(), tool) for _ in range(2)), return_exceptions=True)
    assert [error.code for error in refused] == ["admission_full"] * 2
    assert all(error.retry_after >= 1 for error in refused)
    assert (await admission(calls.of_run(), tool)).output == "leaf"  # with a place to spare
    assert (admission.snapshot().running, admission.snapshot().waiting) == (0, 0)


async def test_what_a_run_has_left_behind_may_wait_as_everybody_does(calls, make):
    door, past, left = Door(Admission(1, 5), calls), make(), []

    async def manager(call: Any) -> RunReply:
        left.append(asyncio.get_running_loop().create_task(later()))
        return RunReply("")

    async def later() -> Any:
        await asyncio.sleep(1)
        return await door.knock(1)

    await door.admission(past.of_run(), manager)
    past.run.ended = True
    first = door.knock(0)
    await asyncio.sleep(2)
    door.leave(0), door.leave(1)
    assert [reply.output for reply in await asyncio.gather(first, *left)] == [0, 1]
