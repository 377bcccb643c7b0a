"""Laws of contexts: ids from structure, one task each, branches by fork and gather."""

import asyncio
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from coordinator import AgentContext, Brief, Coordinator, Event, Invalid, Kind, Settings, Team, agent, tool
from coordinator.models.scripted import ScriptedModel, ScriptedReply

Desk = Callable[..., Coordinator]


class Answer(BaseModel):
    """A typed answer."""

    text: str


@tool()
async def look(word: str) -> str:
    """Look."""
    return word


@agent(tools=[look])
async def helper(brief: Brief, ctx: AgentContext) -> Answer:
    return await ctx.solve(brief, instructions="", output=Answer)


@agent(tools=[look], delegates=[helper])
async def manager(brief: Brief, ctx: AgentContext) -> str:
    await ctx.ask("one")
    await ctx.use(look, {"word": "a"})
    await ctx.delegate(helper, brief)
    await ctx.gather(*(_branch(ctx.fork(name)) for name in ("x", "y")))
    ctx.enter("finalize", "all is known")
    return "done"


async def _branch(ctx: AgentContext) -> None:
    await ctx.ask("in a branch")
    await ctx.use(look, {"word": "b"})


LOOK = {"name": "look", "arguments": {"word": "c"}}


async def events_of_a_run() -> list[Event]:
    seen: list[Event] = []
    script = ScriptedModel(
        [
            ScriptedReply.model_validate({"when": '"request":"hi"', "tools": [LOOK]}),
            ScriptedReply.model_validate({"when": '"request":"hi"', "output": {"text": "found"}}),
            ScriptedReply.model_validate({"text": "x", "times": None}),
        ]
    )  # fmt: skip
    settings = Settings(models={"small": "scripted"}, world={})
    async with Coordinator(
        Team(manager), settings, observers=[seen.append], models={"scripted": script}
    ) as coordinator:
        assert (await coordinator.run("hi")).status == "completed"
    return seen


async def test_step_ids_come_from_structure() -> None:
    steps = {event.step for event in await events_of_a_run()}
    assert steps == {
        "run", "run/turn1", "run/use1", "run/delegate1", "run/delegate1/turn1", "run/delegate1/turn1/tool1",
        "run/delegate1/turn2", "run/x/turn1", "run/x/use1", "run/y/turn1", "run/y/use1",
    }  # fmt: skip


async def test_events_of_a_run_are_numbered_without_gaps_and_balanced() -> None:
    seen = await events_of_a_run()
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert (seen[0].kind, seen[-1].kind) == (Kind.RUN_STARTED, Kind.RUN_ENDED)
    for what in ("run", "delegation", "model", "tool"):
        kinds = [event.kind.value for event in seen]
        assert kinds.count(f"{what}.started") == kinds.count(f"{what}.ended") > 0


async def test_every_transition_of_an_agent_is_an_event() -> None:
    states = [event.data for event in await events_of_a_run() if event.kind is Kind.STATE]
    assert states == [{"state": "finalize", "reason": "all is known"}]


async def test_a_context_used_from_another_task_names_the_remedy(desk: Desk) -> None:
    @agent(tools=[look])
    async def careless(brief: Brief, ctx: AgentContext) -> str:
        await ctx.use(look, {"word": "a"})

        async def elsewhere() -> str:
            return await ctx.use(look, {"word": "b"})

        async with asyncio.TaskGroup() as tasks:
            other = tasks.create_task(_caught(elsewhere()))
        return other.result()

    async with desk(careless) as coordinator:
        result = await coordinator.run("hi")
    assert "foreign_task" in result.text
    assert "ctx.fork(name)" in result.text
    assert "ctx.gather" in result.text


async def _caught(work: object) -> str:
    try:
        await work  # type: ignore[misc]  # a coroutine
    except Invalid as error:
        return f"{error.code}: {error}"
    return "no error"


@pytest.mark.parametrize("name", ["", "a/b", "twice"])
async def test_a_fork_needs_a_name_of_its_own(desk: Desk, name: str) -> None:
    @agent()
    async def forker(brief: Brief, ctx: AgentContext) -> str:
        ctx.fork("twice")
        ctx.fork(name)
        return "x"

    async with desk(forker) as coordinator:
        assert (await coordinator.run("hi")).code == "bad_fork"


async def test_when_one_branch_fails_the_others_are_cancelled_and_its_error_is_raised(desk: Desk) -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append("slow")

    async def fails() -> None:
        raise Invalid("this one", code="this_one")

    @agent()
    async def gatherer(brief: Brief, ctx: AgentContext) -> str:
        await ctx.gather(slow(), fails())
        return "x"

    async with desk(gatherer) as coordinator:
        result = await coordinator.run("hi")
    assert (result.code, ended, result.duration_s < 1) == ("this_one", ["slow"], True)


async def test_passages_that_tools_retrieve_are_known_to_the_whole_run(desk: Desk) -> None:
    from coordinator import Passage

    @tool()
    async def search(word: str) -> list[Passage]:
        """Search."""
        return [Passage(text=f"about {word}", source=f"{word}.md", line=3)]

    @agent(tools=[search])
    async def finder(brief: Brief, ctx: AgentContext) -> str:
        await ctx.use(search, {"word": "b"})
        return "found"

    @agent(tools=[search], delegates=[finder])
    async def lead(brief: Brief, ctx: AgentContext) -> str:
        await ctx.use(search, {"word": "a"})
        report = await ctx.delegate(finder, brief)
        return f"{[p.source for p in report.passages]} {[p.source for p in ctx.passages]}"

    async with desk(lead) as coordinator:
        assert (await coordinator.run("hi")).text == "['b.md'] ['a.md', 'b.md']"
