import asyncio
import math
import time

import pytest

from coordinator.domain.timer import Alarms, Timer, clock


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_expiry_is_a_timeout_error_and_leaves_no_cancellation_behind():
    with pytest.raises(TimeoutError), Timer(now() + 5):
        await asyncio.sleep(60)
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(1)


async def test_work_that_ends_in_time_is_untouched():
    with Timer(now() + 5) as timer:
        await asyncio.sleep(1)
    await asyncio.sleep(60)
    assert not timer.expired


async def test_a_cancellation_from_outside_stays_one():
    async def work():
        with Timer(now() + 5):
            await asyncio.sleep(60)

    task = asyncio.get_running_loop().create_task(work())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_at_the_instant_of_expiry_wins():
    timer = Timer(now() + 1)

    async def work():
        with timer:
            await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(work())
    await asyncio.sleep(0)
    timer.expire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("outer", "inner", "who"), [(1, 2, "outer"), (2, 1, "inner")])
async def test_the_nearer_of_two_timers_fires(outer, inner, who):
    far, near = Timer(now() + outer), Timer(now() + inner)
    with pytest.raises(TimeoutError), far, near:
        await asyncio.sleep(60)
    assert (far.expired, near.expired) == (who == "outer", who == "inner")


async def test_an_expiry_does_not_hide_an_error_of_clean_up():
    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            raise LookupError

    with pytest.raises(LookupError), Timer(now() + 1):
        await work()
    assert asyncio.current_task().cancelling() == 0


async def test_a_timer_works_in_a_task_that_is_already_being_cancelled():
    outcome = []

    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            with pytest.raises(TimeoutError), Timer(now() + 1):
                await asyncio.sleep(60)
            outcome.append("cleaned up")
            raise

    task = asyncio.get_running_loop().create_task(work())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outcome == ["cleaned up"]


async def test_one_handle_wakes_many_timers_each_at_its_own_time() -> None:
    loop, alarms = asyncio.get_running_loop(), Alarms()
    woken: dict[int, float] = {}

    async def wait(seconds: int) -> None:
        try:
            with Timer(loop.time() + seconds, loop, alarms):
                await asyncio.sleep(100)
        except TimeoutError:
            woken[seconds] = round(loop.time())

    async with asyncio.TaskGroup() as tasks:
        for seconds in (5, 3, 9, 3, 7):
            tasks.create_task(wait(seconds))
    assert woken == {3: 3, 5: 5, 7: 7, 9: 9}


async def test_a_cleared_timer_is_never_woken_and_does_not_delay_the_others() -> None:
    loop, alarms = asyncio.get_running_loop(), Alarms()
    with Timer(loop.time() + 1, loop, alarms):
        await asyncio.sleep(0.5)
    with pytest.raises(TimeoutError), Timer(loop.time() + 2, loop, alarms):
        await asyncio.sleep(10)
    assert round(loop.time(), 3) == 2.5


async def test_a_timer_that_never_rings_and_one_in_the_past_are_fine() -> None:
    loop, alarms = asyncio.get_running_loop(), Alarms()
    with Timer(math.inf, loop, alarms), pytest.raises(TimeoutError), Timer(loop.time() - 1, loop, alarms):
        await asyncio.sleep(10)


async def test_the_clock_is_that_of_the_loop_also_where_somebody_has_set_another():
    loop, plain = asyncio.get_running_loop(), asyncio.new_event_loop()
    try:
        assert clock(loop)() == pytest.approx(loop.time(), abs=1e-3)
        assert clock(plain) is time.monotonic
        plain.time = lambda: 42.0
        assert clock(plain)() == 42
    finally:
        plain.close()
