"""Laws of started runs: they belong to the coordinator, a key starts one run, watchers cannot hurt them."""

import asyncio
import gc
import logging
from collections.abc import Awaitable
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Event, Invalid, Kind, Settings, Status, Team, agent
from coordinator.domain.content import StopReason
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage


@agent()
async def manager(brief: Brief, ctx: AgentContext) -> str:
    """Works for as many seconds as it is asked to."""
    for second in range(int(brief.request)):
        ctx.enter(f"second {second + 1}")
        await asyncio.sleep(1)
    return f"slept {brief.request}"


def fresh() -> Coordinator:
    return Coordinator(Team(manager), Settings(world={}, deadline_s=10_000))


async def test_a_started_run_goes_on_when_its_watcher_goes_away() -> None:
    async with fresh() as coordinator:
        handle = coordinator.start("3")
        watcher = asyncio.ensure_future(handle.result())
        await asyncio.sleep(1)
        watcher.cancel()
        assert (await handle.result()).text == "slept 3"


async def test_a_cancelled_run_has_a_result_that_says_so() -> None:
    async with fresh() as coordinator:
        handle = coordinator.start("100")
        await asyncio.sleep(1.5)
        result = await handle.cancel()
        assert (result.status, result.code, result.run_id) == (Status.CANCELLED, "cancelled", handle.run_id)
        assert 1.4 < result.duration_s < 1.6
        assert await handle.cancel() == result


async def test_a_run_that_was_called_off_is_cancelled_also_when_its_agent_swallows_that() -> None:
    @agent()
    async def stubborn(brief: Brief, ctx: AgentContext) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return "as if nothing had happened"
        return "slept"

    async with Coordinator(Team(stubborn), Settings(world={})) as coordinator:
        handle = coordinator.start("1")
        await asyncio.sleep(1)
        assert (await handle.cancel()).status is Status.CANCELLED


async def test_a_key_whose_run_was_refused_for_now_may_be_tried_again() -> None:
    settings = Settings(world={}, admission={"runs": 1, "waiting": 0}, deadline_s=10_000)
    async with Coordinator(Team(manager), settings) as coordinator:
        busy = coordinator.start("5")
        await asyncio.sleep(0)
        refused = await coordinator.start("1", key="k").result()
        assert (refused.status, refused.code) == (Status.REFUSED, "admission_full")
        await busy.result()
        assert (await coordinator.start("1", key="k").result()).status is Status.COMPLETED


async def test_work_that_an_agent_leaves_behind_keeps_no_account_open() -> None:
    tasks = []

    @agent()
    async def careless(brief: Brief, ctx: AgentContext) -> str:
        branch = ctx.fork("behind")
        tasks.append(asyncio.ensure_future(ask(branch, brief)))
        await asyncio.sleep(0.5)
        return "done"

    async def ask(ctx: AgentContext, brief: Brief) -> str:
        return await ctx.ask(brief.request)

    async def slow(model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(3)
        return ModelReply("late", (), StopReason.END, Usage(1, 1), "slow:m")

    settings = Settings(models={"small": "slow:m"}, prices={"slow:*": {"input": 1, "output": 1}}, world={})
    async with Coordinator(Team(careless), settings, models={"slow": slow}) as coordinator:
        first = await coordinator.run("hello")
        assert first.status is Status.COMPLETED
        await tasks[0]
        await coordinator.run("hello")
        assert first.run_id not in str(coordinator.snapshot().accounts)
        await tasks[1]


async def test_one_key_starts_one_run_for_each_tenant() -> None:
    async with fresh() as coordinator:
        first, again = (coordinator.start("1", tenant="a", key="k") for _ in range(2))
        other = coordinator.start("1", tenant="b", key="k")
        assert first is again
        assert first.run_id != other.run_id
        await first.result()
        assert coordinator.start("1", tenant="a", key="k") is first
        with pytest.raises(Invalid) as caught:
            coordinator.start("2", tenant="a", key="k")
        assert caught.value.code == "key_reused"
        await other.result()


async def test_events_come_live_and_late_and_from_any_number_on() -> None:
    async with fresh() as coordinator:
        handle = coordinator.start("2")
        live = [event async for event in handle.events()]
        late = [event async for event in handle.events(after=2)]
    assert [event.seq for event in live] == list(range(1, len(live) + 1))
    assert (live[0].kind, live[-1].kind) == (Kind.RUN_STARTED, Kind.RUN_ENDED)
    assert late == live[2:]


@pytest.mark.real_time
async def test_a_handle_is_watched_and_cancelled_in_the_loop_of_its_run_alone() -> None:
    async with fresh() as coordinator:
        handle = coordinator.start("100")

        async def elsewhere() -> list[str]:
            return [await refused(handle.result()), await refused(handle.cancel()), await refused(anext(watching))]

        async def refused(asked: Awaitable[Any]) -> str:
            with pytest.raises(Invalid) as caught:
                await asyncio.wait_for(asked, 5)
            return caught.value.code

        watching = handle.events()
        assert await asyncio.to_thread(lambda: asyncio.run(elsewhere())) == ["wrong_loop"] * 3
        assert not handle.done
        assert (await handle.cancel()).status is Status.CANCELLED


async def test_a_reader_that_is_too_slow_is_dropped_with_a_marker() -> None:
    async with fresh() as coordinator:
        handle = coordinator.start("1500")
        events: list[Event] = []
        async for event in handle.events():
            events.append(event)
            if len(events) == 5:
                await handle.result()
    assert events[-1].kind is Kind.EVENTS_DROPPED
    assert events[-1].data["missed"] > 0
    assert len(events) == 6


async def test_leaving_the_coordinator_ends_what_it_started() -> None:
    async with fresh() as coordinator:
        handle = coordinator.start("100")
        await asyncio.sleep(1)
    assert (await handle.result()).status is Status.CANCELLED
    assert len(asyncio.all_tasks()) == 1


async def test_a_handle_that_is_dropped_leaves_a_line_in_the_log_and_no_complaint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def nobody(name: str) -> None:
        raise Invalid(f"there is no tenant {name}", code="unknown_tenant")

    caplog.set_level(logging.INFO)
    async with Coordinator(Team(manager), Settings(world={}), tenants=nobody) as coordinator:
        run_id = coordinator.start("1", tenant="ghost").run_id
        with pytest.raises(Invalid, match="no tenant ghost"):
            await coordinator.start("1", tenant="ghost").result()
    gc.collect()
    assert caplog.messages[0] == f"run {run_id} never began: there is no tenant ghost"
    assert all("never began" in message for message in caplog.messages)


async def test_starting_needs_an_open_coordinator() -> None:
    with pytest.raises(Invalid, match="not open"):
        fresh().start("1")


async def test_draining_admits_nobody_and_waits_for_those_at_work() -> None:
    async with fresh() as coordinator:
        handle = coordinator.start("3")
        await asyncio.sleep(1)
        draining = asyncio.ensure_future(coordinator.drain(10))
        await asyncio.sleep(1)
        late = await coordinator.run("1")
        assert (late.status, late.code) == (Status.REFUSED, "draining")
        assert late.retry_after is not None
        assert await draining == 0
        assert (await handle.result()).status is Status.COMPLETED


async def test_draining_says_how_many_are_left_when_patience_ends() -> None:
    async with fresh() as coordinator:
        coordinator.start("100")
        await asyncio.sleep(1)
        assert await coordinator.drain(5) == 1


async def test_a_snapshot_tells_the_state_of_every_holder() -> None:
    async with fresh() as coordinator:
        coordinator.start("10")
        await asyncio.sleep(1)
        snapshot = coordinator.snapshot()
        assert snapshot.admission.running == 1
        assert (snapshot.breakers, snapshot.gates) == ((), ())
