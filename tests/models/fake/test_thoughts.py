"""Models that think, over the wire of the fake providers, which refuse what the real ones refuse about thoughts."""

import json

import pytest

from coordinator.domain.content import Message, Origin, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage

THINKERS = {
    "openai": "gpt-5-mini", "openai-responses": "gpt-6-sol", "compatible": "any", "anthropic": "claude-opus-5-5",
    "google": "gemini-3-flash-preview",
}  # fmt: skip
ASKED = Message("user", (Text("Where is 1042?"),))
LOOK = ToolSpec.of("look", "Looks. Only reads.", {"type": "object", "properties": {}})
ANSWER = OutputSpec.of("Answer", {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]})
CALLED = ModelReply("", (ToolUse("call-1", "look", "{}"),), StopReason.TOOL_USE, Usage(100, 20), "x:m")


def answered(reply: ModelReply) -> tuple[Message, Message]:
    results = tuple(ToolResult(use.id, use.name, '{"status":"ok"}', Origin("tool")) for use in reply.tool_uses)
    return Message("assistant", reply.tool_uses), Message("tool", results)


@pytest.mark.parametrize("model", ["gpt-5.4", "gpt-5.6-terra"])
async def test_tools_are_used_in_chat_completions_by_models_that_else_would_think(pairs, model):
    there = pairs["openai"](CALLED)
    assert (await there(ModelRequest((ASKED,), (LOOK,), ANSWER), model)).tool_uses
    assert json.loads(there.wired.questions[0].body)["reasoning_effort"] == "none"


async def test_a_conversation_with_a_model_that_thinks_goes_on_with_what_it_thought(pair, name):
    there = pair(CALLED)
    messages: tuple[Message, ...] = (ASKED,)
    for _ in range(3):
        reply = await there(ModelRequest(messages, (LOOK,), ANSWER, max_output_tokens=5000), THINKERS[name])
        messages = (*messages, *answered(reply))
    signed = [part.signature for message in messages for part in message.parts if isinstance(part, ToolUse)]
    assert all(signed) == (name in ("anthropic", "openai-responses", "google"))


@pytest.mark.parametrize("other", sorted(THINKERS))
async def test_a_conversation_may_change_its_model_amid_its_steps(pair, pairs, name, other):
    reply = await pair(CALLED)(ModelRequest((ASKED,), (LOOK,), ANSWER), THINKERS[name])
    request = ModelRequest((ASKED, *answered(reply)), (LOOK,), ANSWER, max_output_tokens=5000)
    assert (await pairs[other](CALLED)(request, THINKERS[other])).tool_uses


@pytest.mark.parametrize("model", ["any", "claude-opus-5-5"])
async def test_without_a_typed_answer_the_tools_of_a_request_are_all_for_work(pairs, model):
    there = pairs["anthropic"](CALLED)
    await there(ModelRequest((ASKED,), (LOOK,)), model)
    assert (there.asked[0].output, [tool.name for tool in there.asked[0].tools]) == (None, ["look"])


TYPED = {"format": {"type": "json_schema", "schema": ANSWER.schema | {"additionalProperties": False}}}
OPEN = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
LONGEST = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 3}}, "additionalProperties": False}
FORCED = {"tool_choice": {"type": "tool", "name": "look"}, "thinking": {"type": "disabled"}}
REFUSED = {
    "forced and new": ("anthropic", FORCED, "not be forced"),
    "typed and old": ("anthropic", {"model": "claude-sonnet-4-0", "output_config": TYPED}, "output format"),
    "open": ("anthropic", {"output_config": OPEN}, "set to false"),
    "bound": ("anthropic", {"output_config": {"format": {"type": "json_schema", "schema": LONGEST}}}, "'maximum'"),
    "forced": ("anthropic", {"tool_choice": {"type": "any"}}, "forces tool use"),
    "too large a budget": ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 9000}}, "budget_tokens"),
    "too small a budget": ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 9}}, "budget_tokens"),
    "without its thoughts": ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, "but found"),
    "thoughts beside tools": ("openai", {"model": "gpt-5.6", "reasoning_effort": "low"}, "/v1/responses"),
    "thoughts unasked for": ("openai", {"model": "gpt-5.6"}, "/v1/responses"),
    "sealed": ("openai-responses", {"model": "gpt-4.1", "include": ["reasoning.encrypted_content"]}, "Encrypted"),
    "unsigned": ("google", {}, "thought_signature"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_the_real_provider_refuses_about_thoughts_is_refused(case, pairs):
    name, changed, said = REFUSED[case]
    there = pairs[name](CALLED)
    await there(ModelRequest((ASKED, *answered(CALLED)), (LOOK,), None, max_output_tokens=5000), THINKERS[name])
    question = there.wired.questions[0]
    body = json.loads(question.body.replace(b"skip_thought_signature_validator", b"made up")) | changed
    answer = await there.post(json.dumps(body).encode(), question.path, authorization="Bearer any", x_api_key="any")
    assert (answer.status, said in answer.parts[0].decode()) == (400, True)
