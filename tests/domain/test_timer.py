import asyncio

import pytest

from coordinator.domain.timer import Timer


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
    timer._expire()
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
