"""Laws of the edges: rights of agents, foreign cancellations, crashes, lives of coordinators and contexts."""

import asyncio
from typing import Any

import pytest

from coordinator import (
    AgentContext,
    Brief,
    Coordinator,
    Effect,
    Event,
    Invalid,
    Kind,
    Plan,
    PlanStep,
    Refused,
    Reply,
    Settings,
    Status,
    Team,
    agent,
    tool,
)
from coordinator.domain.content import StopReason
from coordinator.domain.model import ModelReply
from coordinator.domain.money import Usage
from coordinator.engine.slots import Place, Slots
from coordinator.engine.tools import contained


@tool()
async def look(word: str) -> str:
    """Look a word up."""
    return f"<{word}>"


@agent(tools=[look])
async def analyst(brief: Brief, ctx: AgentContext) -> str:
    """Looks up."""
    return await ctx.use(look, {"word": brief.goal})


@agent(delegates=[analyst])
async def lead(brief: Brief, ctx: AgentContext) -> str:
    """Passes on."""
    return str((await ctx.delegate(analyst, brief)).result())


async def result_of(manager: Any, *, observers: Any = (), **settings: Any) -> Any:
    team = manager if isinstance(manager, Team) else Team(manager)
    async with Coordinator(team, Settings(**{"world": {}, **settings}), observers=observers) as coordinator:
        return await coordinator.run("hi")


async def test_rights_reach_a_member_through_one_who_has_no_use_for_them() -> None:
    @agent(delegates=[lead])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return str((await ctx.delegate(lead, Brief(request="r", goal="deep"))).result())

    assert (await result_of(manager)).text == "<deep>"


@pytest.mark.parametrize("step", ["use", "delegate"])
async def test_nobody_uses_what_only_a_member_declares(step: str) -> None:
    @agent(delegates=[lead])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        if step == "use":
            return await ctx.use(look, {"word": "a"})
        return str(await ctx.delegate(analyst, brief))

    assert (await result_of(manager)).code in ("unknown_tool", "unknown_member")


async def test_what_a_task_type_takes_away_no_member_gets_back() -> None:
    @agent(delegates=[analyst])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return str((await ctx.delegate(analyst, brief)).result())

    from coordinator import Task

    team = Team(manager, task_types={"quiet": []})
    async with Coordinator(team, Settings(world={})) as coordinator:
        assert (await coordinator.run("hi")).status is Status.COMPLETED
        assert (await coordinator.run(Task(text="hi", kind="quiet"))).code == "unknown_tool"


async def test_a_cancellation_that_nobody_asked_for_is_a_crash_of_the_agent() -> None:
    @agent()
    async def helper(brief: Brief, ctx: AgentContext) -> str:
        raise asyncio.CancelledError

    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        report = await ctx.delegate(helper, brief)
        if brief.request == "hi":
            return report.code
        raise asyncio.CancelledError

    result = await result_of(manager)
    assert (result.text, result.status) == ("agent_crashed", Status.FLAGGED)

    @agent()
    async def careless(brief: Brief, ctx: AgentContext) -> str:
        raise asyncio.CancelledError

    assert (await result_of(careless)).code == "agent_crashed"


async def test_a_tool_that_raises_a_cancellation_of_its_own_is_a_crash_of_the_tool() -> None:
    @tool()
    async def odd() -> str:
        """Be odd."""
        raise asyncio.CancelledError

    @agent(tools=[odd])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.use(odd, {})

    assert (await result_of(manager)).code == "tool_crashed"


class Leaving(BaseException):
    """An error of a kind of its own, which no `except Exception` catches."""


@pytest.mark.parametrize("where", ["agent", "tool", "blocking_tool"])
@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), Leaving()], ids=lambda error: type(error).__name__)
async def test_leaving_the_interpreter_is_a_crash_not_an_exit(where: str, error: BaseException) -> None:
    @tool()
    async def leave() -> str:
        """Leave."""
        raise error

    @tool()
    def block() -> str:
        """Leave a thread."""
        raise error

    @agent(tools=[leave, block])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        if where == "agent":
            raise error
        return await ctx.use(leave if where == "tool" else block, {})

    assert (await result_of(manager)).code == f"{where.removeprefix('blocking_')}_crashed"


def test_a_tool_that_is_closed_from_outside_ends_in_silence() -> None:
    ended = []

    async def hang() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("closed")
        return ""

    async def open_and_leave() -> None:
        work = contained(hang())
        work.send(None)
        work.close()

    asyncio.run(open_and_leave())
    assert ended == ["closed"]


async def test_a_refusal_inside_an_agents_own_task_group_keeps_its_code() -> None:
    @agent(tools=[look])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_refused())
        return "x"

    async def _refused() -> None:
        raise Refused("no", code="budget_exhausted")

    assert (await result_of(manager)).code == "budget_exhausted"


async def test_a_crash_is_told_in_events_with_its_traceback() -> None:
    seen: list[Event] = []

    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        raise ZeroDivisionError("in the middle")

    await result_of(manager, observers=[seen.append])
    crash = next(event for event in seen if event.kind is Kind.CRASH)
    assert "in the middle" in crash.data["traceback"]
    assert "test_edges.py" in crash.data["traceback"]


async def test_needing_a_person_flags_the_run_even_when_the_agent_hides_it() -> None:
    @tool(effect=Effect.FINANCIAL)
    async def pay(amount: int) -> str:
        """Pay."""
        return "paid"

    @agent(tools=[pay])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        try:
            return await ctx.use(pay, {"amount": 1})
        except Refused:
            return "I paid."

    result = await result_of(manager)
    assert (result.status, result.code) == (Status.FLAGGED, "needs_approval")


@pytest.mark.parametrize("said", [None, "", Reply(text=" ")])
async def test_an_empty_reply_is_never_completed(said: object) -> None:
    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> Any:
        return said

    assert (await result_of(manager)).code == "empty_reply"


async def test_arguments_that_json_cannot_hold_are_invalid_not_a_crash() -> None:
    @agent(tools=[look])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.use(look, {"word": b"bytes"})

    assert (await result_of(manager)).code == "invalid_arguments"


async def test_a_context_does_nothing_after_its_run() -> None:
    kept: list[AgentContext] = []

    @agent(tools=[look])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        kept.append(ctx)
        return "done"

    async with Coordinator(Team(manager), Settings(world={})) as coordinator:
        await coordinator.run("hi")
        with pytest.raises(Invalid) as caught:
            kept[0].fork("late").use(look, {"word": "a"})
    assert caught.value.code == "run_over"


@pytest.mark.parametrize("who", [{"tenant": 5}, {"tenant": ""}, {"tenant": "a\nb"}, {"user": 7}, {"session": ""}])
async def test_who_asks_is_checked_before_anything_runs(who: dict[str, Any]) -> None:
    async with Coordinator(Team(analyst), Settings(world={})) as coordinator:
        with pytest.raises(Invalid) as caught:
            await coordinator.run("hi", **who)
        assert caught.value.code == "bad_tenant"
        with pytest.raises(Invalid, match="a task is text"):
            await coordinator.run(None)  # type: ignore[arg-type]  # the law under test


async def test_a_coordinator_is_opened_once() -> None:
    async with Coordinator(Team(analyst), Settings(world={})) as coordinator:
        with pytest.raises(Invalid) as caught:
            await coordinator.__aenter__()
        assert caught.value.code == "reopened"


async def test_what_runs_work_with_is_closed_after_they_have_ended() -> None:
    from contextlib import asynccontextmanager

    told: list[str] = []

    @asynccontextmanager
    async def opened(world: object) -> Any:
        yield told
        told.append("closed")

    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        await asyncio.sleep(5)
        told.append("worked")
        return "done"

    async with Coordinator(Team(manager, resources=opened), Settings(world={})) as coordinator:
        running = asyncio.ensure_future(coordinator.run("hi"))
        await asyncio.sleep(1)
    assert (await running).status is Status.COMPLETED
    assert told == ["worked", "closed"]


async def test_who_returns_goes_before_who_is_new_and_holds_one_place() -> None:
    slots, order = Slots(1), []

    async def newcomer() -> None:
        await slots.take()
        order.append("new")
        slots.give()

    async def work() -> None:
        await asyncio.sleep(1)

    await slots.take()
    place = Place(slots)
    other = asyncio.ensure_future(_take_for(slots, 2))
    branches = asyncio.gather(place.while_lent(work()), place.while_lent(work()))
    await asyncio.sleep(0.5)
    new = asyncio.ensure_future(newcomer())
    await branches
    order.append("returned")
    assert not slots.try_take()
    place.leave()
    await asyncio.gather(new, other)
    assert order == ["returned", "new"]
    assert slots.try_take()
    assert not slots.try_take()


async def _take_for(slots: Slots, seconds: float) -> None:
    await slots.take()
    await asyncio.sleep(seconds)
    slots.give()


async def test_a_holder_that_is_cancelled_does_not_queue_again() -> None:
    slots = Slots(1)
    await slots.take()
    place = Place(slots)
    away = asyncio.ensure_future(place.while_lent(asyncio.sleep(10)))
    await asyncio.sleep(1)
    assert slots.try_take()
    away.cancel()
    await asyncio.wait([away])
    assert away.cancelled()
    place.leave()
    slots.give()
    assert slots.try_take()
    assert not slots.try_take()


async def test_a_refusal_that_ends_the_agent_ends_its_plan() -> None:
    @agent()
    async def broke(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.ask("x")

    @agent(delegates=[broke])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        step = PlanStep(id="a", member="broke", goal="g", needs=())
        reports = await ctx.execute(Plan(steps=(step,)), Brief(request="r"))
        return reports["a"].code

    result = await result_of(manager, run_usd=0.000001)
    assert (result.text, result.status) == ("budget_exhausted", Status.FLAGGED)


def test_the_soft_deadline_is_four_fifths_of_the_hard_one_unless_said() -> None:
    assert Settings(world={}, deadline_s=100).limits().soft_deadline_s == 80
    assert Settings(world={}, deadline_s=100, soft_deadline_s=50).limits().soft_deadline_s == 50


def test_a_hard_deadline_that_nobody_wrote_gives_way_to_the_soft_one() -> None:
    settings = Settings(world={}, soft_deadline_s=400, surfaces={"slow": {"soft_deadline_s": 800}})
    for limits, soft in ((settings.limits(), 400), (settings.limits(settings.surfaces["slow"]), 800)):
        assert (limits.soft_deadline_s, limits.deadline_s) == (soft, soft / 0.8)


@pytest.mark.parametrize("answer", [None, "text", Usage(-5, 0)])
async def test_an_adapter_that_answers_nonsense_fails_the_call_and_holds_no_money(answer: object) -> None:
    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.ask("x")

    async def odd(model: str, request: object) -> Any:
        return ModelReply("x", (), StopReason.END, answer, "odd:odd") if isinstance(answer, Usage) else answer

    prices = {"odd:*": {"input": 1, "output": 1}}
    settings = Settings(world={}, models={"small": "odd"}, prices=prices, global_usd=1)
    async with Coordinator(Team(manager), settings, models={"odd": odd}) as coordinator:
        result = await coordinator.run("hi")
        assert (result.status, result.code) == (Status.FAILED, "bad_reply")
        assert all(account.reserved == 0 for account in coordinator.snapshot().accounts)


@pytest.mark.parametrize("effect", [Effect.WRITE, Effect.READ])
async def test_an_effect_that_was_cut_off_stays_in_the_result(effect: Effect) -> None:
    @tool(effect=effect, timeout=60)
    async def save(word: str) -> str:
        """Save."""
        await asyncio.sleep(100)
        return word

    @agent(tools=[save])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.use(save, {"word": "a"})

    result = await result_of(manager, deadline_s=5)
    assert (result.status, result.code) == (Status.FAILED, "deadline_exceeded")
    assert ("unknown_outcome" in [issue.code for issue in result.issues]) is (effect is Effect.WRITE)
