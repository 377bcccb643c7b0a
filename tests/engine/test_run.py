"""Laws of runs: explicit ends, and nothing left behind."""

import asyncio

import pytest

from coordinator import (
    AgentContext,
    Brief,
    Coordinator,
    Effect,
    Fault,
    Invalid,
    Issue,
    Reached,
    Refused,
    Reply,
    Settings,
    Status,
    Task,
    Team,
    UnknownOutcome,
    agent,
    tool,
)
from coordinator.models.scripted import ScriptedModel, ScriptedReply


def settings(**more: object) -> Settings:
    return Settings(**{"models": {"small": "scripted"}, "world": {}, **more})


def scripted(*replies: dict[str, object]) -> dict[str, ScriptedModel]:
    return {"scripted": ScriptedModel([ScriptedReply.model_validate(reply) for reply in replies])}


def managed(work: object) -> Team:
    return Team(agent()(work))  # type: ignore[arg-type]  # any coroutine function of a brief and a context


async def test_plain_text_of_the_manager_completes_the_run() -> None:
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.ask(brief.request)

    async with Coordinator(managed(manager), settings(), models=scripted({"text": "hello"})) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.text, result.code, result.turns) == (Status.COMPLETED, "hello", "ok", 1)
    assert result.model == "scripted:scripted"
    assert 0 < result.cost_usd < result.ceiling_usd


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused("no", code="budget_exhausted"), Status.REFUSED, "budget_exhausted"),
        (Refused("no", code="loop_stopped"), Status.FAILED, "loop_stopped"),
        (Refused("no", code="turn_limit"), Status.FAILED, "turn_limit"),
        (Fault("down", reached=Reached.YES, code="down"), Status.FAILED, "down"),
        (Invalid("wrong", code="wrong"), Status.FAILED, "wrong"),
        (UnknownOutcome("lost"), Status.ESCALATED, "unknown_outcome"),
        (ZeroDivisionError("oops"), Status.FAILED, "agent_crashed"),
    ],
)
async def test_every_error_of_the_manager_ends_the_run_in_one_explicit_status(
    error: Exception, status: Status, code: str
) -> None:
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        raise error

    async with Coordinator(managed(manager), settings(), models=scripted()) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.code, result.issues[-1].code) == (status, code, code)


async def test_a_run_with_an_issue_never_says_completed() -> None:
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        ctx.flag("missing", "one part is missing", "part 2")
        return "the rest"

    async with Coordinator(managed(manager), settings(), models=scripted()) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.code, result.text) == (Status.FLAGGED, "missing", "the rest")
    assert result.issues == [Issue(code="missing", message="one part is missing", part="part 2")]


async def test_a_failed_member_flags_the_run_even_when_the_manager_says_nothing() -> None:
    @agent()
    async def helper(brief: Brief, ctx: AgentContext) -> str:
        raise ZeroDivisionError

    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        await ctx.delegate(helper, brief)
        return "done"

    async with Coordinator(Team(manager), settings(), models=scripted()) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.code) == (Status.FLAGGED, "agent_crashed")


async def test_an_agent_that_breaks_its_promise_fails_with_bad_report() -> None:
    async def manager(brief: Brief, ctx: AgentContext) -> Reply:
        return "text"  # type: ignore[return-value]  # the broken promise under test

    async with Coordinator(managed(manager), settings(), models=scripted()) as coordinator:
        assert (await coordinator.run("hi")).code == "bad_report"


async def test_the_deadline_ends_the_run_and_says_so() -> None:
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        await asyncio.sleep(100)
        return "late"

    async with Coordinator(managed(manager), settings(deadline_s=5), models=scripted()) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.stop_reason) == (Status.FAILED, "deadline_exceeded")
    assert 5 <= result.duration_s < 5.1


async def test_a_ceiling_too_small_refuses_and_spends_nothing() -> None:
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.ask(brief.request)

    async with Coordinator(managed(manager), settings(run_usd=0.000001), models=scripted({"text": "x"})) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.code, result.cost_usd) == (Status.REFUSED, "budget_exhausted", 0)


async def test_use_outside_its_async_with_is_invalid() -> None:
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return "x"

    coordinator = Coordinator(managed(manager), settings(), models=scripted())
    with pytest.raises(Invalid) as caught:
        await coordinator.run("hi")
    assert caught.value.code == "not_open"


async def test_an_unknown_task_type_is_invalid_and_a_known_one_narrows_the_tools() -> None:
    @tool()
    async def look(word: str) -> str:
        """Look."""
        return word

    @tool(effect=Effect.WRITE)
    async def note(word: str) -> str:
        """Write down."""
        return word

    @agent(tools=[look, note])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        await ctx.use(look, {"word": "a"})
        return await ctx.use(note, {"word": "b"})

    team = Team(manager, task_types={"question": ["look"]})
    async with Coordinator(team, settings(), models=scripted()) as coordinator:
        assert (await coordinator.run("hi")).text == "b"
        assert (await coordinator.run(Task(text="hi", kind="question"))).code == "unknown_tool"
        with pytest.raises(Invalid, match="task type"):
            await coordinator.run(Task(text="hi", kind="other"))


async def test_tenants_reach_tools_and_never_models() -> None:
    seen: list[str] = []

    @tool()
    async def who(ctx: object) -> str:
        """Say who asks."""
        seen.append(ctx.tenant.tenant)  # type: ignore[attr-defined]  # a ToolContext
        return "known"

    @agent(tools=[who])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.use(who, {})

    async with Coordinator(Team(manager), settings(), models=scripted()) as coordinator:
        await coordinator.run("hi", tenant="acme")
    assert seen == ["acme"]


@pytest.mark.parametrize("status", ["flagged", "escalated"])
async def test_a_run_that_is_not_completed_says_why_even_when_its_manager_does_not(status: str) -> None:
    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> Reply:
        return Reply(text=brief.request, status=status)  # type: ignore[arg-type]  # one of the literals

    async with Coordinator(Team(manager), settings(), models=scripted()) as coordinator:
        silent, said = await coordinator.run(" "), await coordinator.run("ask\nthe desk " + "again " * 50)
    assert (silent.status, silent.code) == (status, status)
    assert silent.issues == [Issue(code=status, message=f"the manager ended the run {status} and gave no reason")]
    assert said.issues[0].message.startswith(f"the manager ended the run {status} and gave no reason: ask the desk")
    assert said.issues[0].message.endswith("…")
    assert len(said.issues[0].message) < 200


async def test_the_first_reason_of_the_manager_leads_whatever_was_noted_before() -> None:
    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> Reply:
        ctx.flag("left_out", "one file cannot be read")
        return Reply(text="", status="escalated", reasons=[Issue(code="nothing_found", message="no answer")])

    async with Coordinator(Team(manager), settings(), models=scripted()) as coordinator:
        result = await coordinator.run("hi")
    assert (result.code, [issue.code for issue in result.issues]) == ("nothing_found", ["left_out", "nothing_found"])
    assert result.reason == result.issues[1]
    with pytest.raises(Refused, match="no answer"):
        result.raise_for_status()
