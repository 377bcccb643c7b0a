import asyncio
from contextlib import suppress
from typing import Any

import pytest

from coordinator.domain.errors import Refused
from coordinator.policies.deadline import Deadline


def now() -> float:
    return asyncio.get_running_loop().time()


async def forever(call: Any) -> Any:
    await asyncio.Event().wait()


async def lasts(call: Any) -> Any:
    await asyncio.sleep(60)
    return "answer"


async def test_a_run_that_outlives_its_deadline_is_refused_after_its_clean_up(make):
    calls, cleaned = make(deadline_s=5.0), []

    async def work(call: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    with pytest.raises(Refused) as refused:
        await Deadline()(calls.of_run(), work)
    assert refused.value.code == "deadline_exceeded"
    assert cleaned == ["up"]
    assert asyncio.current_task().cancelling() == 0


async def test_who_swallows_its_deadline_comes_too_late(make):
    async def stubborn(call: Any) -> Any:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "as if nothing had happened"

    with pytest.raises(Refused) as refused:
        await Deadline()(make(deadline_s=5.0).of_run(), stubborn)
    assert refused.value.code == "deadline_exceeded"


async def test_the_deadline_ends_the_whole_task_group_of_a_run(make):
    calls, ended = make(deadline_s=5.0), []

    async def member(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(number)

    async def work(call: Any) -> Any:
        async with asyncio.TaskGroup() as tasks:
            for number in range(3):
                tasks.create_task(member(number))

    with pytest.raises(Refused) as refused:
        await Deadline()(calls.of_run(), work)
    assert refused.value.code == "deadline_exceeded"
    assert sorted(ended) == [0, 1, 2]


async def test_the_clocks_of_a_run_start_when_it_is_admitted(make):
    calls = make(deadline_s=60.0, soft_deadline_s=45.0)
    await asyncio.sleep(10)
    began = now()

    async def work(call: Any) -> Any:
        return call

    await Deadline()(calls.of_run(), work)
    assert calls.run.deadline == pytest.approx(began + 60, abs=1e-3)
    assert calls.run.soft_deadline == pytest.approx(began + 45, abs=1e-3)


async def test_a_delegation_ends_at_its_own_nearer_deadline(calls):
    calls.run.deadline = now() + 60
    with pytest.raises(Refused, match="delegate1"):
        await Deadline()(calls.of_member(deadline=now() + 2), forever)
    assert now() == pytest.approx(2, abs=1e-3)


async def test_a_delegation_without_a_nearer_deadline_leaves_the_expiry_to_the_run(make):
    calls = make(deadline_s=3.0)
    ends = []

    async def delegate(call: Any) -> Any:
        try:
            await Deadline()(calls.of_member(deadline=calls.run.deadline), forever)
        except BaseException as error:
            ends.append(type(error))
            raise

    with pytest.raises(Refused):
        await Deadline()(calls.of_run(), delegate)
    assert ends == [asyncio.CancelledError]


async def test_under_the_deadline_of_its_run_a_delegation_sets_no_timer(calls):
    calls.run.deadline = now() + 1
    assert await Deadline()(calls.of_member(deadline=calls.run.deadline), lasts) == "answer"


async def test_a_cancellation_from_outside_is_no_expiry(make):
    calls = make(deadline_s=60.0)
    task = asyncio.get_running_loop().create_task(Deadline()(calls.of_run(), forever))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
