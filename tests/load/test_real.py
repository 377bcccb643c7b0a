"""Load tests in the caller's loop and in real time."""

import asyncio

import pytest

from coordinator.load import LoadPlan, LoadTest, load

pytestmark = pytest.mark.real_time


class Quick:
    """Answers at once."""

    def __init__(self, words):
        self._words = words

    async def __call__(self, model, request):
        return await self._words(model, request)


def quick(stage):
    from coordinator.models.offline import OfflineModel

    return type(stage)(
        stage.team, stage.settings, stage.task, stage.tenant, stage.user, models={"offline": Quick(OfflineModel())}
    )


async def test_it_runs_in_the_callers_loop_and_tells_how_far_it_is(staged):
    heard = []
    found = await load(quick(staged()), LoadPlan(200, concurrency=20, tenants=4), told=heard.append)
    assert (found.runs, found.statuses, found.virtual) == (200, {"completed": 200}, False)
    assert heard[-1].ended == 200
    assert found.memory.peak > 0


async def test_the_lag_of_the_loop_is_measured(staged):
    found = await load(quick(staged()), LoadPlan(20, rate=80))
    assert found.loop_lag_s is not None
    assert found.loop_lag_s.count > 2


async def test_a_cancelled_test_leaves_no_task_and_has_a_report(staged):
    test = LoadTest(staged(), LoadPlan(100, rate=1000))
    before = asyncio.all_tasks()
    task = asyncio.get_running_loop().create_task(test.run())
    while test.report().in_flight_peak < 5:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
    found = test.report()
    assert found.interrupted
    assert found.ok, found.breaches
    assert found.statuses["cancelled"] >= 5
