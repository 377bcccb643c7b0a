"""The calls of one turn are judged in their order, in whatever order the loop takes up their tasks."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from coordinator import AgentContext, Brief, Coordinator, Effect, Settings, Team, agent, tool
from coordinator.domain.content import StopReason, ToolResult, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.engine import loop as reasoning
from coordinator.engine.together import together
from coordinator.simulation.clock import VirtualLoop


class Answer(BaseModel):
    """What the agent hands back."""

    text: str


@tool()
async def look(word: str, limit: int = 3) -> str:
    """Look a word up."""
    await asyncio.sleep(0.01)
    return word


@agent()
async def helper(brief: Brief, ctx: AgentContext) -> Answer:
    """Helps."""
    begun.append("helper")
    return Answer(text=brief.goal)


@tool(effect=Effect.WRITE)
async def pay(word: str) -> str:
    """Pay."""
    begun.append("pay")
    await asyncio.sleep(0.01)
    return word


begun: list[str] = []
"""What was not only judged."""


@agent(tools=[look, pay], delegates=[helper])
async def manager(brief: Brief, ctx: AgentContext) -> Answer:
    """Calls what its model wants."""
    return await ctx.solve(brief, instructions="", output=Answer)


SAME, WRITTEN_OTHERWISE, OTHER = '{"word":"a"}', '{ "limit": 3, "word": "a" }', '{"word":"b"}'
TOOLS = [("look", given) for given in (SAME, OTHER, WRITTEN_OTHERWISE, SAME, OTHER, SAME, OTHER)]
MEMBERS = [("helper", '{"request":"r","goal":"g"}')] * 4
CODES = {
    "tools": (TOOLS, ["ok", "ok", "ok", "repeated_call", "ok", "repeated_call", "repeated_call"]),
    "members": (MEMBERS, ["ok", "ok", "repeated_call", "repeated_call"]),
}


class Model:
    """Wishes for all calls in one turn, then answers; keeps what it was told."""

    def __init__(self, uses: Sequence[tuple[str, str]]) -> None:
        self.uses = uses
        self.told: list[str] = []

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        if len(request.messages) == 1:
            uses = tuple(ToolUse(f"u{place}", name, given) for place, (name, given) in enumerate(self.uses))
            return ModelReply("", uses, StopReason.TOOL_USE, Usage(1, 1), "m:m")
        for part in request.messages[-1].parts:
            assert isinstance(part, ToolResult)
            self.told.append(orjson.loads(part.text)["code"])
        return ModelReply('{"text":"x"}', (), StopReason.END, Usage(1, 1), "m:m")


async def told(uses: Sequence[tuple[str, str]]) -> list[str]:
    begun.clear()
    model = Model(uses)
    settings = Settings(models={"small": "m"}, prices={"m:*": {"input": 0, "output": 0}}, world={})
    async with Coordinator(Team(manager), settings, models={"m": model}) as coordinator:
        await coordinator.run("hi")
    return model.told


def shuffled(uses: Sequence[tuple[str, str]], seed: int) -> list[str]:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        return runner.run(told(uses))


@pytest.mark.parametrize("kind", CODES)
def test_the_calls_of_a_turn_are_judged_in_their_order_by_every_seed(kind: str) -> None:
    uses, codes = CODES[kind]
    for seed in range(30):
        assert shuffled(uses, seed) == codes


STOPPED = [("pay", SAME), ("helper", '{"request":"r"}'), *[("look", SAME)] * 6]


def test_nothing_is_begun_in_a_turn_that_ends_the_agent() -> None:
    for seed in range(30):
        assert shuffled(STOPPED, seed) == []
        assert begun == []
        assert shuffled(STOPPED[:-1], seed)[:2] == ["ok", "ok"]
        assert sorted(begun) == ["helper", "pay"]


async def at_once(branches: Any, begun: asyncio.Event) -> Any:
    begun.set()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(branch) for branch in branches]
    return [task.result() for task in running]


@pytest.mark.parametrize("kind", CODES)
def test_the_law_finds_an_engine_that_starts_them_in_any_order(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reasoning, "together", at_once)
    uses, codes = CODES[kind]
    assert any(shuffled(uses, seed) != codes for seed in range(30))


def test_branches_begin_in_their_order_and_then_go_their_own_ways() -> None:
    async def branches(seen: list[int]) -> list[int]:
        async def branch(place: int) -> int:
            seen.append(place)
            await asyncio.sleep(0)
            seen.append(-place)
            return place

        return await together([branch(place) for place in range(8)])

    ways = set()
    for seed in range(10):
        seen: list[int] = []
        with asyncio.Runner(loop_factory=lambda seed=seed: VirtualLoop(seed)) as runner:  # type: ignore[misc]
            assert runner.run(branches(seen)) == list(range(8))
        assert [place for place in seen if place > 0] == list(range(1, 8))
        ways.add(tuple(seen))
    assert len(ways) > 1


@pytest.mark.parametrize("seed", range(10))
def test_branches_whose_turn_never_came_are_dropped_in_silence(seed: int) -> None:
    async def fails() -> None:
        raise LookupError

    async def fine() -> None:
        await asyncio.sleep(1)

    async def outer() -> None:
        await together([fine() for _ in range(5)])

    async def main() -> None:
        with pytest.raises(LookupError):
            await together([fails(), *(fine() for _ in range(5))])
        for turns in range(4):
            task = asyncio.get_running_loop().create_task(outer())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        runner.run(main())
