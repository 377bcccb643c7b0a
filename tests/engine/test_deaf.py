"""Laws of agents that do not end when they are cancelled: they hold nobody, and nothing of what others need."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest

from coordinator import (
    AgentContext,
    Brief,
    Coordinator,
    CoordinatorError,
    Event,
    Kind,
    Report,
    RunResult,
    Settings,
    Status,
    Team,
    agent,
    tool,
)

Desk = Callable[..., Coordinator]

SECOND = 1.0
FREE: asyncio.Event
LOGGED: ContextVar[str] = ContextVar("LOGGED")


@pytest.fixture(autouse=True)
async def free() -> asyncio.Event:
    """What deaf agents wait for, whatever they are told."""
    global FREE
    FREE = asyncio.Event()
    return FREE


async def unheard() -> None:
    while not FREE.is_set():
        try:
            await FREE.wait()
        except asyncio.CancelledError:
            continue


@agent(parallel=1)
async def deaf(brief: Brief, ctx: AgentContext) -> str:
    """Hears nothing, except that a goal is short."""
    if brief.goal != "short":
        await unheard()
    return "done"


@agent(delegates=[deaf])
async def lead(brief: Brief, ctx: AgentContext) -> str:
    """Hands on what it is asked."""
    return str((await ctx.delegate(deaf, brief)).output)


def now() -> float:
    return asyncio.get_running_loop().time()


async def cancelled(coordinator: Coordinator) -> RunResult:
    handle = coordinator.start("hi")
    await asyncio.sleep(1)
    asked_at = now()
    result = await handle.cancel()
    assert now() - asked_at < SECOND
    return result


@pytest.mark.parametrize("team", [deaf, lead], ids=["manager", "member"])
async def test_a_run_whose_agent_swallows_its_cancellation_is_over_within_a_second(desk: Desk, team: Any) -> None:
    async with desk(team) as coordinator:
        result = await cancelled(coordinator)
        assert (result.status, result.code) == (Status.CANCELLED, "cancelled")
        assert [issue.code for issue in result.issues] == ["agent_left", "cancelled"]
        assert "agent deaf did not end" in result.issues[0].message
        state = coordinator.snapshot()
        assert (state.admission.running, state.stragglers.working) == (0, ("agent deaf",))
        assert all(account.reserved == 0 for account in state.accounts)
        FREE.set()
        assert await coordinator.drain(1) == 0
    assert coordinator.held.stragglers.snapshot().ended == 1


async def test_a_caller_who_is_cancelled_is_not_held_either(desk: Desk) -> None:
    async with desk(deaf) as coordinator:
        running = asyncio.ensure_future(coordinator.run("hi"))
        await asyncio.sleep(1)
        asked_at = now()
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert now() - asked_at < SECOND
        FREE.set()


@pytest.mark.parametrize("team", [deaf, lead], ids=["manager", "member"])
async def test_a_deadline_is_not_held_either(desk: Desk, team: Any) -> None:
    async with desk(team, deadline_s=5, soft_deadline_s=5) as coordinator:
        result = await coordinator.run("hi")
        assert (result.status, result.code) == (Status.FAILED, "deadline_exceeded")
        assert result.duration_s < 5 + SECOND
        FREE.set()


async def test_leaving_a_coordinator_is_not_held_either(desk: Desk) -> None:
    async with desk(lead) as coordinator:
        handle = coordinator.start("hi")
        await asyncio.sleep(1)
        asked_at = now()
    assert now() - asked_at < SECOND
    assert (await handle.result()).status is Status.CANCELLED
    FREE.set()


async def test_leaving_a_coordinator_ends_by_force_what_was_left() -> None:
    ended: list[str] = []

    @tool()
    async def stubborn() -> str:
        """Hear nothing, and fail at the end: a token belongs to the context that took it."""
        token = LOGGED.set("tool")
        try:
            await unheard()
        finally:
            ended.append("tool")
            LOGGED.reset(token)
        return "late"

    @agent(tools=[stubborn])
    async def boss(brief: Brief, ctx: AgentContext) -> str:
        """Calls the tool, and hears nothing."""
        with suppress(asyncio.CancelledError):
            await ctx.use(stubborn, {})
        try:
            await unheard()
        finally:
            ended.append("agent")
        return "late"

    events: list[Event] = []
    async with Coordinator(Team(boss), Settings(world={}), observers=[events.append]) as coordinator:
        await cancelled(coordinator)
        assert ended == []
    assert sorted(ended) == ["agent", "tool"]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [event.data["outcome"] for event in events if event.kind is Kind.TOOL_LATE] == ["cancelled"]
    assert [event for event in events if event.kind is Kind.CRASH] == []
    state = coordinator.held.stragglers.snapshot()
    assert (state.working, state.ended) == ((), 2)


async def test_the_place_of_a_member_that_was_left_is_free_for_the_next_brief(desk: Desk) -> None:
    @agent(delegates=[deaf])
    async def impatient(brief: Brief, ctx: AgentContext) -> str:
        async def within(branch: AgentContext, goal: str) -> Report[str] | None:
            try:
                async with asyncio.timeout(2):
                    return await branch.delegate(deaf, Brief(request="r", goal=goal))
            except TimeoutError:
                return None

        assert await within(ctx.fork("a"), "long") is None
        found = await within(ctx.fork("b"), "short")
        return found.output if found else "nothing"

    async with desk(impatient) as coordinator:
        result = await coordinator.run("hi")
        assert (result.text, result.status) == ("done", Status.FLAGGED)
        assert [issue.code for issue in result.issues] == ["agent_left"]
        FREE.set()


async def test_work_that_nobody_awaits_does_not_hold_the_end_of_a_run(desk: Desk) -> None:
    @agent(delegates=[deaf])
    async def hasty(brief: Brief, ctx: AgentContext) -> str:
        asyncio.ensure_future(ctx.delegate(deaf, brief))  # noqa: RUF006 - nobody awaits it
        await asyncio.sleep(1)
        return "early"

    async with desk(hasty) as coordinator:
        result = await coordinator.run("hi")
        assert (result.text, result.duration_s < 2) == ("early", True)
        FREE.set()


@agent(delegates=[deaf])
async def just_in_time(brief: Brief, ctx: AgentContext) -> str:
    """Answers shortly before the deadline of five seconds, while a member works on."""
    asyncio.ensure_future(ctx.delegate(deaf, brief))  # noqa: RUF006 - nobody awaits it
    await asyncio.sleep(4.8)
    return "in time"


async def test_an_answer_that_was_there_before_the_deadline_outlives_a_member_that_does_not_end(desk: Desk) -> None:
    async with desk(just_in_time, deadline_s=5, soft_deadline_s=5) as coordinator:
        result = await coordinator.run("hi")
        assert (result.text, result.status, result.code) == ("in time", Status.FLAGGED, "agent_left")
        assert result.duration_s < 5 + SECOND
        FREE.set()


async def test_a_run_that_is_called_off_while_a_member_does_not_end_is_cancelled(desk: Desk) -> None:
    async with desk(just_in_time) as coordinator:
        handle = coordinator.start("hi")
        await asyncio.sleep(5)
        result = await handle.cancel()
        assert (result.status, result.text) == (Status.CANCELLED, "")
        assert now() < 5 + SECOND
        FREE.set()


async def test_an_agent_that_was_left_can_do_nothing_more(desk: Desk) -> None:
    told: list[str] = []

    async def tried(what: Callable[[], Awaitable[Any]]) -> None:
        try:
            await what()
        except CoordinatorError as error:
            told.append(error.code)
        except asyncio.CancelledError:
            told.append("cancelled")

    @agent(delegates=[deaf])
    async def stubborn(brief: Brief, ctx: AgentContext) -> str:
        await unheard()
        await tried(lambda: ctx.ask("hello"))
        await tried(lambda: ctx.delegate(deaf, brief))
        return "late"

    async with desk(stubborn, {"text": "hello"}) as coordinator:
        result = await cancelled(coordinator)
        FREE.set()
        assert await coordinator.drain(1) == 0
    assert told == ["run_over", "run_over"]
    assert (result.steps, result.cost_usd) == (0, 0)


async def test_an_agent_that_ends_in_its_own_time_but_soon_is_waited_for(desk: Desk) -> None:
    ended: list[str] = []

    @agent()
    async def tidy(brief: Brief, ctx: AgentContext) -> str:
        try:
            await asyncio.sleep(50)
        finally:
            await asyncio.sleep(0.5)
            ended.append("tidy")
        return "never"

    async with desk(tidy) as coordinator:
        result = await cancelled(coordinator)
        assert coordinator.snapshot().stragglers.working == ()
    assert (ended, [issue.code for issue in result.issues]) == (["tidy"], ["cancelled"])


async def test_a_manager_whose_task_somebody_else_cancelled_has_crashed(desk: Desk) -> None:
    @agent()
    async def confused(brief: Brief, ctx: AgentContext) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)
        return "never"

    async with desk(confused) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.code) == (Status.FAILED, "agent_crashed")


@pytest.mark.parametrize("forked", [False, True], ids=["context", "fork"])
async def test_an_agent_that_first_uses_its_context_when_it_is_cancelled_begins_nothing(
    desk: Desk, forked: bool
) -> None:
    begun = []

    @agent()
    async def member(brief: Brief, ctx: AgentContext) -> str:
        """Works."""
        begun.append(brief.request)
        return "done"

    @agent(delegates=[member])
    async def late(brief: Brief, ctx: AgentContext) -> str:
        """Delegates only to clean up."""
        mine = ctx.fork("late") if forked else ctx
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
            await mine.delegate(member, brief)
            raise
        return "never"

    async with desk(late) as coordinator:
        assert (await cancelled(coordinator)).status is Status.CANCELLED
    assert begun == []
