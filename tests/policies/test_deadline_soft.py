"""The deadline of a run reaches everything in it, and its soft deadline lets the manager finish."""

import asyncio
import math
from typing import Any

import pytest
from pydantic import BaseModel

from coordinator import AgentContext, Brief, Coordinator, CoordinatorError, Settings, Status, Team, agent, tool
from coordinator.domain.content import StopReason, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage


class Answer(BaseModel):
    """What agents hand back."""

    text: str


@tool(timeout=100)
async def look(word: str) -> str:
    """Look a word up."""
    return word


@agent(tools=[look], max_turns=50)
async def analyst(brief: Brief, ctx: AgentContext) -> Answer:
    """Looks for ever."""
    return await ctx.solve(brief, instructions="", output=Answer)


class Thinker:
    """Thinks for a second, and looks a new word up as long as it may; without tools it answers."""

    def __init__(self) -> None:
        self.offered: list[int] = []

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        self.offered.append(len(request.tools))
        await asyncio.sleep(1)
        usage = Usage(1, 1)
        if request.tools:
            use = ToolUse("u", "look", f'{{"word":"{len(self.offered)}"}}')
            return ModelReply("", (use,), StopReason.TOOL_USE, usage, "m:m")
        return ModelReply('{"text":"what I have"}', (), StopReason.END, usage, "m:m")


async def run(team: Team, **more: Any) -> tuple[Any, Thinker]:
    model = Thinker()
    settings = Settings(models={"small": "m"}, prices={"m:*": {"input": 0, "output": 0}}, world={}, **more)
    async with Coordinator(team, settings, models={"m": model}) as coordinator:
        return await coordinator.run("hi"), model


async def test_a_member_whose_time_is_nearly_over_answers_at_its_next_turn_with_what_it_has() -> None:
    @agent(delegates=[analyst])
    async def manager(brief: Brief, ctx: AgentContext) -> Answer:
        """Asks the analyst."""
        return (await ctx.delegate(analyst, brief)).result()

    result, model = await run(Team(manager), deadline_s=20, soft_deadline_s=9.5)
    assert model.offered == [1, 1, 1, 1, 1, 1, 1, 1, 0]
    assert (result.status, result.stop_reason, result.text) == (Status.FLAGGED, "soft_deadline", "what I have")
    assert [issue.code for issue in result.issues] == ["soft_deadline"]
    assert 9 <= result.duration_s < 9.1


async def test_a_manager_whose_delegations_are_refused_finishes_flagged() -> None:
    @agent(delegates=[analyst])
    async def manager(brief: Brief, ctx: AgentContext) -> Answer:
        """Comes too late."""
        await asyncio.sleep(6)
        with pytest.raises(CoordinatorError) as refused:
            await ctx.delegate(analyst, brief)
        assert refused.value.code == "soft_deadline"
        return Answer(text="on my own")

    result, model = await run(Team(manager), deadline_s=20, soft_deadline_s=5)
    assert model.offered == []
    assert (result.status, result.stop_reason, result.text) == (Status.FLAGGED, "soft_deadline", "on my own")


async def test_a_managers_own_loop_keeps_its_tools_and_is_told_of_the_refusal() -> None:
    told: list[str] = []

    class Delegating(Thinker):
        async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
            await asyncio.sleep(6)
            if len(request.messages) > 1:
                told.append(str(request.messages[-1].parts[0]))
                return ModelReply('{"text":"done"}', (), StopReason.END, Usage(1, 1), "m:m")
            use = ToolUse("u", "analyst", '{"request":"r"}')
            return ModelReply("", (use,), StopReason.TOOL_USE, Usage(1, 1), "m:m")

    @agent(delegates=[analyst])
    async def manager(brief: Brief, ctx: AgentContext) -> Answer:
        """Lets its model decide."""
        return await ctx.solve(brief, instructions="", output=Answer)

    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 0, "output": 0}}, world={}, deadline_s=20, soft_deadline_s=5
    )  # fmt: skip
    async with Coordinator(Team(manager), settings, models={"m": Delegating()}) as coordinator:
        result = await coordinator.run("hi")
    assert '"rejected"' in told[0]
    assert "soft_deadline" in told[0]
    assert (result.status, result.stop_reason) == (Status.FLAGGED, "soft_deadline")


async def test_the_soft_deadline_of_a_run_reaches_every_child() -> None:
    seen: dict[str, float] = {}

    @tool()
    async def clock(ctx: Any) -> str:
        """Tell the time."""
        seen["tool"] = ctx.remaining()
        return "now"

    @agent(tools=[clock])
    async def member(brief: Brief, ctx: AgentContext) -> Answer:
        """Looks at its clock."""
        seen["member"] = ctx.remaining()
        await ctx.use(clock, {})
        return Answer(text="x")

    @agent(delegates=[member])
    async def lead(brief: Brief, ctx: AgentContext) -> Answer:
        """Delegates further."""
        seen["lead"] = ctx.remaining()
        return (await ctx.delegate(member, brief)).result()

    @agent(delegates=[lead])
    async def manager(brief: Brief, ctx: AgentContext) -> Answer:
        """Delegates."""
        return (await ctx.delegate(lead, brief)).result()

    await run(Team(manager), deadline_s=20, soft_deadline_s=15)
    assert [math.ceil(left) for left in seen.values()] == [15, 15, 15]


async def test_the_timeout_of_an_agent_bounds_it_and_what_it_delegates() -> None:
    seen: dict[str, float] = {}
    ended: list[float] = []

    @agent()
    async def sleeper(brief: Brief, ctx: AgentContext) -> Answer:
        """Sleeps."""
        seen["sleeper"] = ctx.remaining()
        await asyncio.sleep(100)
        return Answer(text="x")

    @agent(delegates=[sleeper], timeout=3)
    async def lead(brief: Brief, ctx: AgentContext) -> Answer:
        """Delegates further."""
        try:
            return (await ctx.delegate(sleeper, brief)).result()
        finally:
            ended.append(asyncio.get_running_loop().time())

    @agent(delegates=[lead])
    async def manager(brief: Brief, ctx: AgentContext) -> Answer:
        """Delegates."""
        with pytest.raises(CoordinatorError) as refused:
            await ctx.delegate(lead, brief)
        assert refused.value.code == "deadline_exceeded"
        return Answer(text="without")

    result, _ = await run(Team(manager), deadline_s=20)
    assert (result.text, math.ceil(seen["sleeper"])) == ("without", 3)
    assert ended == [pytest.approx(3, abs=1e-2)]


async def test_an_agent_that_swallows_its_cancellation_can_begin_nothing_more() -> None:
    begun: list[str] = []

    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> Answer:
        """Does not want to end."""
        for number in range(5):
            try:
                await ctx.ask(f"question {number}")
            except asyncio.CancelledError:
                begun.append("again")
        return Answer(text="as if nothing had happened")

    model = Thinker()
    settings = Settings(models={"small": "m"}, prices={"m:*": {"input": 0, "output": 0}}, world={})
    async with Coordinator(Team(manager), settings, models={"m": model}) as coordinator:
        task = asyncio.get_running_loop().create_task(coordinator.run("hi"))
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
        task.cancel()
        await asyncio.wait([task])
        assert asyncio.get_running_loop().time() - began < 0.01
    assert (len(begun), len(model.offered)) == (5, 1)


async def test_a_run_in_a_task_that_was_cancelled_before_works_as_ever() -> None:
    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> Answer:
        """Asks."""
        return Answer(text=await ctx.ask("hello"))

    async def late() -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return (await run(Team(manager)))[0]

    task = asyncio.get_running_loop().create_task(late())
    await asyncio.sleep(1)
    task.cancel()
    assert (await task).status is Status.COMPLETED
