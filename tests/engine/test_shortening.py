"""A conversation that is too long for its model is shortened once, and told of."""

import json
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Invalid, Kind, Reply, Settings, Status, Team, agent, tool
from coordinator.domain.content import Message, Origin, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage


class Narrow:
    """Calls the tools that it is told to, turn by turn, then answers; more than *most* bytes are too long for it."""

    def __init__(self, most: int, *turns: tuple[str, ...]) -> None:
        self.most = most
        self.turns = turns
        self.seen: list[ModelRequest] = []
        self.refused = 0

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        if request.size > self.most:
            self.refused += 1
            raise Invalid("the request is too long", code="context_too_long", hint="ask with less")
        place = sum(1 for message in request.messages if message.role == "assistant")
        self.seen.append(request)
        if place < len(self.turns):
            uses = tuple(ToolUse(f"{place}-{n}", name, "{}") for n, name in enumerate(self.turns[place]))
            return ModelReply("", uses, StopReason.TOOL_USE, Usage(10, 10), "narrow:n")
        return ModelReply('{"text":"done"}', (), StopReason.END, Usage(10, 10), "narrow:n")


@tool()
async def short() -> str:
    """Says little."""
    return "little"


@tool()
async def long() -> str:
    """Says much."""
    return "much and " * 600


@tool()
async def longer() -> str:
    """Says even more."""
    return "more and " * 900


@agent(tools=[short, long, longer])
async def reader(brief: Brief, ctx: AgentContext) -> Reply:
    """Reads."""
    return await ctx.solve(brief, instructions="Read.", output=Reply)


async def run(model: Narrow, team: Team | None = None) -> tuple[Any, list[Any]]:
    events: list[Any] = []
    settings = Settings(world={}, models={"small": "narrow:n"}, prices={"narrow:*": {"input": 1, "output": 1}})
    more: dict[str, Any] = {"models": {"narrow": model}, "observers": [events.append]}
    async with Coordinator(team or Team(reader), settings, **more) as coordinator:
        result = await coordinator.run("What is there?")
    return result, [event for event in events if event.kind is Kind.COMPRESSED]


def results(request: ModelRequest) -> list[dict[str, Any]]:
    parts = [part for message in request.messages for part in message.parts if isinstance(part, ToolResult)]
    return [json.loads(part.text) for part in parts]


async def test_the_oldest_results_are_shortened_first_and_every_call_keeps_its_own():
    model = Narrow(13_000, ("long",), ("longer", "short"))
    result, told = await run(model)
    assert (result.status, result.text, model.refused) == (Status.FLAGGED, "done", 1)
    last = model.seen[-1]
    assert [found.get("code") for found in results(last)] == ["shortened", "shortened", "ok"]
    uses = [part.id for message in last.messages for part in message.parts if isinstance(part, ToolUse)]
    answers = [part.id for message in last.messages for part in message.parts if isinstance(part, ToolResult)]
    assert uses == answers
    assert [event.data["results"] for event in told] == [2]
    assert told[0].data["bytes_left"] < told[0].data["bytes"]
    assert told[0].step == "run/turn3"


async def test_what_was_read_already_may_be_shortened_without_a_note():
    model = Narrow(13_500, ("longer",), ("long",))
    result, told = await run(model)
    assert (result.status, result.issues, len(told)) == (Status.COMPLETED, [], 1)
    assert [found.get("code") for found in results(model.seen[-1])] == ["shortened", "ok"]


async def test_a_result_that_nobody_has_read_is_noted_when_it_is_shortened():
    result, _ = await run(Narrow(5_000, ("longer",)))
    assert (result.status, [issue.code for issue in result.issues]) == (Status.FLAGGED, ["shortened"])


async def test_what_cannot_be_shortened_ends_with_its_hint():
    result, told = await run(Narrow(200))
    assert (result.status, result.code, told) == (Status.FAILED, "context_too_long", [])
    assert "ask with less" in result.issues[0].message


async def test_a_conversation_that_is_still_too_long_ends():
    model = Narrow(2_900, ("long", "long", "long"))
    result, told = await run(model)
    assert (result.status, result.code, model.refused, len(told)) == (Status.FAILED, "context_too_long", 2, 1)


FOUND = Message("tool", (ToolResult("1", "long", "much and " * 600, Origin("tool", "long")),))
HEARD = (Message("user", (Text("Read."),)), Message("assistant", (ToolUse("1", "long", "{}"),)), FOUND)


@pytest.mark.parametrize("output", [None, Reply])
async def test_a_conversation_that_an_agent_hands_over_is_shortened_once_too(output):
    @agent()
    async def teller(brief: Brief, ctx: AgentContext) -> str:
        """Asks once about what was found."""
        return str(await ctx.ask(HEARD, output=output))

    model = Narrow(3_000)
    result, told = await run(model, Team(teller))
    assert ("done" in result.text, model.refused, len(told)) == (True, 1, 1)


async def test_what_a_member_cannot_shorten_is_told_once_with_its_hint():
    @agent(delegates=[reader])
    async def head(brief: Brief, ctx: AgentContext) -> str:
        """Goes on without its member."""
        await ctx.delegate(reader, brief)
        return "nothing"

    result, _ = await run(Narrow(200), Team(head))
    assert [issue.code for issue in result.issues] == ["context_too_long"]
    assert result.issues[0].message == "reader could not do its part: the request is too long. ask with less"
