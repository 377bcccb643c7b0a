"""Laws of the reason-and-act loop: what a model is told, and when it is stopped."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from coordinator import AgentContext, Brief, Coordinator, Effect, Refused, Settings, Status, Team, agent, tool
from coordinator.domain.content import StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage

Desk = Callable[..., Coordinator]


class Answer(BaseModel):
    """What the agents under test hand back."""

    text: str


class NotThere(Exception):
    """A declared error of the tool under test."""


@tool(errors={NotThere: "not_there"})
async def look(word: str, limit: int = 3) -> dict[str, Any]:
    """Look a word up.

    Args:
        word: the word.
        limit: how many at most.
    """
    if word == "nothing":
        raise NotThere("there is no such word")
    if word == "crash":
        raise ZeroDivisionError
    return {"word": word, "limit": limit}


@tool(effect=Effect.FINANCIAL)
async def pay(amount: int) -> str:
    """Pay."""
    return "paid"


@agent(tools=[look, pay], max_turns=4)
async def manager(brief: Brief, ctx: AgentContext) -> Answer:
    """Looks things up."""
    return await ctx.solve(brief, instructions="be brief", output=Answer)


class Recorder:
    """A model that plays replies and remembers what it was told."""

    def __init__(self, *replies: ModelReply) -> None:
        self.replies = list(replies)
        self.requests: list[ModelRequest] = []

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        return self.replies.pop(0)

    def result(self, request: int = -1, part: int = 0) -> dict[str, Any]:
        """Return a tool result that the model was given in one of its requests."""
        told = self.requests[request].messages[-1].parts[part]
        assert isinstance(told, ToolResult)
        return dict(orjson.loads(told.text))

    def words(self, request: int = -1) -> dict[str, Any]:
        """Return the last user message of a request."""
        told = self.requests[request].messages[-1].parts[0]
        assert isinstance(told, Text)
        return dict(orjson.loads(told.text))


def wish(*uses: tuple[str, str], stop: StopReason = StopReason.TOOL_USE) -> ModelReply:
    wishes = tuple(ToolUse(f"u{index}", name, arguments) for index, (name, arguments) in enumerate(uses))
    return ModelReply("", wishes, stop, Usage(10, 10), "m:m")


def say(text: str, stop: StopReason = StopReason.END) -> ModelReply:
    return ModelReply(text, (), stop, Usage(10, 10), "m:m")


DONE = say('{"text":"done"}')


async def run(model: Recorder, team: Team | None = None, **more: Any) -> Any:
    settings = Settings(models={"small": "m"}, prices={"m:*": {"input": 0.1, "output": 0.1}}, world={}, **more)
    async with Coordinator(team or Team(manager), settings, models={"m": model}) as coordinator:
        return await coordinator.run("hi")


async def test_a_result_comes_back_with_its_status_and_value() -> None:
    model = Recorder(wish(("look", '{"word":"a"}')), DONE)
    assert (await run(model)).status is Status.COMPLETED
    assert model.result() == {"status": "ok", "code": "ok", "result": {"word": "a", "limit": 3}}


async def test_each_wrong_argument_is_named_to_the_model() -> None:
    model = Recorder(wish(("look", '{"limit":"many","colour":1}')), DONE)
    result = await run(model)
    told = model.result()
    assert (told["status"], told["code"], told["retryable"]) == ("error", "invalid_arguments", True)
    assert {field["field"] for field in told["fields"]} == {"word", "limit", "colour"}
    assert result.status is Status.COMPLETED


async def test_an_invented_tool_is_answered_with_the_nearest_names() -> None:
    model = Recorder(wish(("looks", "{}")), DONE)
    await run(model)
    told = model.result()
    assert (told["code"], told["nearest"]) == ("unknown_tool", ["look"])


async def test_a_declared_error_keeps_its_code_and_does_not_flag_the_run() -> None:
    model = Recorder(wish(("look", '{"word":"nothing"}')), DONE)
    assert (await run(model)).status is Status.COMPLETED
    assert (model.result()["status"], model.result()["code"]) == ("error", "not_there")


async def test_a_crash_is_an_error_to_the_model_and_flags_the_run() -> None:
    model = Recorder(wish(("look", '{"word":"crash"}')), DONE)
    result = await run(model)
    assert (model.result()["code"], model.result()["retryable"]) == ("tool_crashed", False)
    assert (result.status, result.code) == (Status.FLAGGED, "tool_unavailable")
    assert "ZeroDivisionError" in model.result()["message"]


async def test_a_tool_that_needs_a_person_is_rejected_with_that_reason() -> None:
    model = Recorder(wish(("pay", '{"amount":5}')), DONE)
    await run(model)
    told = model.result()
    assert (told["status"], told["code"], told["retryable"]) == ("rejected", "needs_approval", False)
    assert "person" in told["message"]


async def test_a_truncated_tool_call_is_never_executed() -> None:
    model = Recorder(wish(("look", '{"word":"crash"}'), stop=StopReason.MAX_TOKENS), DONE)
    result = await run(model)
    assert result.status is Status.COMPLETED
    assert model.words()["error"]["code"] == "truncated"


async def test_a_second_truncation_ends_the_agent() -> None:
    model = Recorder(say("{", StopReason.MAX_TOKENS), say("{", StopReason.MAX_TOKENS))
    result = await run(model)
    assert (result.status, result.stop_reason) == (Status.FAILED, "truncated")


async def test_an_answer_that_breaks_its_schema_is_asked_for_again_with_the_fields_named() -> None:
    model = Recorder(say('{"txet":"x"}'), DONE)
    assert (await run(model)).text == "done"
    assert model.words()["error"]["fields"] == [{"field": "text", "message": "Field required"}]


async def test_calls_beyond_the_limit_of_a_turn_are_rejected_not_run() -> None:
    model = Recorder(wish(*(("look", f'{{"word":"{word}"}}') for word in "abc")), DONE)
    await run(model, tool_calls_per_turn=2)
    assert [model.result(part=part)["status"] for part in range(3)] == ["ok", "ok", "rejected"]
    assert model.result(part=2)["code"] == "too_many_calls"


async def test_the_last_turn_offers_no_tools_and_flags_what_it_brings() -> None:
    wishes = [wish(("look", f'{{"word":"{word}"}}')) for word in "abc"]
    model = Recorder(*wishes, DONE)
    result = await run(model)
    assert [len(request.tools) for request in model.requests] == [2, 2, 2, 0]
    assert (result.status, result.stop_reason, result.text) == (Status.FLAGGED, "turn_limit", "done")


async def test_a_model_that_never_answers_ends_at_its_turn_limit() -> None:
    model = Recorder(*(wish(("look", f'{{"word":"{word}"}}')) for word in "abcd"))
    result = await run(model)
    assert (result.status, result.code) == (Status.FAILED, "turn_limit")


async def test_identical_calls_are_explained_and_then_stop_the_agent() -> None:
    @agent(tools=[look], max_turns=20)
    async def stubborn(brief: Brief, ctx: AgentContext) -> Answer:
        return await ctx.solve(brief, instructions="", output=Answer)

    model = Recorder(*[wish(("look", '{"word":"a"}'))] * 20)
    result = await run(model, Team(stubborn))
    assert (result.status, result.stop_reason) == (Status.FAILED, "loop_stopped")
    assert model.result()["code"] == "repeated_call"
    assert len(model.requests) == 6


async def test_a_refusing_model_ends_the_agent_with_its_own_words() -> None:
    result = await run(Recorder(say("I will not", StopReason.REFUSAL)))
    assert (result.code, "I will not" in result.issues[0].message) == ("model_refused", True)


async def test_members_are_offered_as_tools_and_their_reports_are_results() -> None:
    @agent()
    async def helper(brief: Brief, ctx: AgentContext) -> Answer:
        """Helps."""
        if brief.goal == "fail":
            raise Refused("not today", code="not_today")
        return Answer(text=f"{brief.request}/{brief.goal}")

    @agent(delegates=[helper])
    async def lead(brief: Brief, ctx: AgentContext) -> Answer:
        return await ctx.solve(brief, instructions="", output=Answer)

    good, bad = '{"request":"r","goal":"g"}', '{"request":"r","goal":"fail"}'
    model = Recorder(wish(("helper", good), ("helper", bad), ("helper", "{}")), DONE)
    result = await run(model, Team(lead))
    assert [spec.name for spec in model.requests[0].tools] == ["helper"]
    assert model.result(part=0)["result"] == {"text": "r/g"}
    assert model.result(part=1)["code"] == "not_today"
    assert model.result(part=2)["fields"] == [{"field": "request", "message": "Field required"}]
    assert (result.status, result.code) == (Status.FLAGGED, "not_today")


async def test_calls_of_one_turn_run_in_parallel_and_answer_in_order() -> None:
    @tool()
    async def nap(seconds: float) -> float:
        """Sleep."""
        await asyncio.sleep(seconds)
        return seconds

    @agent(tools=[nap])
    async def sleeper(brief: Brief, ctx: AgentContext) -> Answer:
        return await ctx.solve(brief, instructions="", output=Answer)

    model = Recorder(wish(("nap", '{"seconds":3}'), ("nap", '{"seconds":1}')), DONE)
    result = await run(model, Team(sleeper))
    assert [model.result(part=part)["result"] for part in range(2)] == [3, 1]
    assert 3 <= result.duration_s < 3.1


@pytest.mark.parametrize("text", ["not json", "[]", '{"text": 5}', ""])
async def test_whatever_a_model_writes_ends_in_a_status(text: str) -> None:
    result = await run(Recorder(*[say(text)] * 8))
    assert (result.status, result.code) == (Status.FAILED, "turn_limit")
