"""What a model says arrives at the adapter as it was said, and what the adapter asks arrives at the model."""

import asyncio
import json
from typing import Literal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from coordinator.domain.content import INSTRUCTIONS, Message, Origin, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.fake.faults import WireFault


class Verdict(BaseModel):
    """The judgement of a draft."""

    decision: Literal["accept", "reject"] = Field(description="What becomes of it.")
    reasons: list[str] = Field(default=[], description="Why.")


LOOK = ToolSpec.of(
    "look", "Looks. Only reads.", {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
)
FIND = ToolSpec.of("find", "Finds. Only reads.", {"type": "object", "properties": {}})
OUTPUT = OutputSpec.of("Verdict", Verdict.model_json_schema())
TALK = (
    Message("system", (Text("Be brief.", INSTRUCTIONS),)),
    Message("user", (Text("Where is 1042?"),)),
    Message(
        "assistant", (Text("I look."), ToolUse("call-1", "look", '{"at":"1042"}'), ToolUse("call-2", "find", "{}"))
    ),
    Message("tool", (ToolResult("call-1", "look", '{"status":"ok","result":"Kiel"}', Origin("tool", "look")),)),
    Message("tool", (ToolResult("call-2", "find", '{"status":"error","code":"x"}', Origin("tool", "find")),)),
    Message("user", (Text("And 7?"),)),
)
ASK = ModelRequest((Message("user", (Text("Hello?"),)),), max_output_tokens=300)


def said(text="", *uses, stop=None, usage=None):
    stop = stop or (StopReason.TOOL_USE if uses else StopReason.END)
    return ModelReply(text, uses, stop, usage or Usage(100, 20), "x:m")


def seen(message):
    """A message without what no protocol carries: names of calls, origins, and where messages of one role part."""
    return [
        (message.role, type(part).__name__, getattr(part, "name", ""),
         orjson.loads(part.arguments) if isinstance(part, ToolUse) else part.text)
        for part in message.parts
    ]  # fmt: skip


async def test_a_text_arrives_whole_with_its_usage(pair):
    reply = await pair(said("Grüße aus Kiel. " * 20, usage=Usage(700, 90, 200, 30)))(ASK)
    assert (reply.text, reply.tool_uses, reply.stop) == ("Grüße aus Kiel. " * 20, (), StopReason.END)
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cached_tokens) == (700, 90, 200)
    assert reply.model.endswith(":m-1")
    assert reply.request_id


async def test_tool_calls_arrive_in_order_with_their_arguments(pair):
    uses = (ToolUse("call-1", "look", '{"at":"1042 – 東京"}'), ToolUse("call-2", "find", "{}"))
    reply = await pair(said("", *uses))(ModelRequest(ASK.messages, (LOOK, FIND)))
    told = [(use.name, orjson.loads(use.arguments)) for use in reply.tool_uses]
    assert told == [("look", {"at": "1042 – 東京"}), ("find", {})]
    assert reply.stop is StopReason.TOOL_USE
    assert len({use.id for use in reply.tool_uses}) == 2


@pytest.mark.parametrize("tools", [(), (LOOK,)], ids=["alone", "beside tools"])
async def test_a_typed_answer_arrives_as_json(pair, tools):
    answer = '{"decision":"accept","reasons":["it cites 1042"]}'
    there = pair(said(answer))
    reply = await there(ModelRequest(ASK.messages, tools, OUTPUT))
    assert orjson.loads(reply.text) == orjson.loads(answer)
    assert (reply.tool_uses, reply.stop) == ((), StopReason.END)
    asked = there.asked[0]
    assert asked.output.name == "Verdict"
    assert set(asked.output.schema["properties"]) == {"decision", "reasons"}
    assert [tool.name for tool in asked.tools] == [tool.name for tool in tools]


async def test_a_conversation_arrives_as_it_was(pair):
    there = pair(said("It is on its way."))
    await there(ModelRequest(TALK, (LOOK, FIND), max_output_tokens=77))
    asked = there.asked[0]
    assert [seen(message) for message in asked.messages if message.role == "system"] == [seen(TALK[0])]
    parts = [part for message in TALK for part in seen(message)]
    assert [part for message in asked.messages for part in seen(message)] == parts
    assert (asked.model, asked.max_output_tokens) == ("m-1", 77)
    assert [(tool.name, tool.description) for tool in asked.tools] == [
        ("look", LOOK.description), ("find", FIND.description)
    ]  # fmt: skip
    calls = [part.id for message in asked.messages for part in message.parts if isinstance(part, ToolUse)]
    results = [part.id for message in asked.messages for part in message.parts if isinstance(part, ToolResult)]
    assert calls == results
    assert len(set(calls)) == 2


async def test_names_of_calls_come_back_so_that_a_model_without_memory_knows_them(pair):
    there = pair(said("", ToolUse("loop-3", "find", "{}")))
    reply = await there(ModelRequest(ASK.messages, (FIND,)))
    use = reply.tool_uses[0]
    result = ToolResult(use.id, "find", '{"status":"ok"}', Origin("tool", "find"))
    await there(ModelRequest((*ASK.messages, Message("assistant", (use,)), Message("tool", (result,))), (FIND,)))
    assert there.asked[1].messages[1].parts[0].id == "loop-3"


async def test_a_refusal_arrives_as_one(pair):
    reply = await pair(said("I will not.", stop=StopReason.REFUSAL))(ASK)
    assert (reply.text, reply.stop) == ("I will not.", StopReason.REFUSAL)


async def test_what_was_cut_at_its_limit_says_so_and_keeps_no_call(pair):
    reply = await pair(said("Once upon a", stop=StopReason.MAX_TOKENS))(ASK)
    assert (reply.text, reply.stop) == ("Once upon a", StopReason.MAX_TOKENS)
    use = ToolUse("call-1", "look", '{"at":"10')
    reply = await pair(said("", use, stop=StopReason.MAX_TOKENS))(ModelRequest(ASK.messages, (LOOK,)))
    assert (reply.tool_uses, reply.stop) == ((), StopReason.MAX_TOKENS)


async def test_a_typed_answer_that_was_cut_at_its_limit_is_no_answer(pair):
    reply = await pair(said('{"decision":"acc', stop=StopReason.MAX_TOKENS))(ModelRequest(ASK.messages, (), OUTPUT))
    assert (reply.tool_uses, reply.stop) == ((), StopReason.MAX_TOKENS)


async def test_not_streamed_says_the_same_as_streamed(pair):
    there = pair(said("One.", ToolUse("call-1", "look", '{"at":"x"}'), usage=Usage(10, 5)))
    request = ModelRequest(ASK.messages, (LOOK,))
    streamed = await there(request)
    question = there.wired.questions[0]
    body = orjson.dumps({**orjson.loads(question.body), "stream": False})
    if "/models/" in question.path:
        path = question.path.replace("streamGenerateContent?alt=sse", "generateContent")
        answer = await there.post(question.body, path)
    else:
        body = {name: held for name, held in orjson.loads(body).items() if name != "stream_options"}
        answer = await there.post(orjson.dumps(body))
    _, draft = there.adapter.ask("m-1", request)
    draft.read(orjson.loads(answer.parts[0]))
    whole = draft.reply("x", "m-1", "", None)
    assert (whole.text, whole.usage, whole.stop) == (streamed.text, streamed.usage, streamed.stop)
    assert [use.arguments for use in whole.tool_uses] == [use.arguments for use in streamed.tool_uses]


async def test_a_reply_need_not_say_what_was_used(pair):
    reply = await pair(said("Fine."), faults=(WireFault(fail="no_usage"),))(ASK)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (ASK.size, 300)


async def test_a_stream_of_google_without_events_is_one_array(pairs):
    there = pairs["google"](said("Fine, thank you, and how are you today?"))
    await there(ASK)
    answer = await there.post(there.wired.questions[0].body, "/v1beta/models/m-1:streamGenerateContent")
    told = json.loads(b"".join(answer.parts))
    assert "".join(one["candidates"][0]["content"]["parts"][0]["text"] for one in told).startswith("Fine, thank you")


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(text=texts, asked=texts, argument=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_survives_the_way_there_and_back(pairs, text, asked, argument):
    async def there_and_back(pair):
        use = ToolUse("call-1", "look", orjson.dumps({"at": argument}).decode())
        there = pair(said(text, use))
        reply = await there(ModelRequest((Message("user", (Text(asked),)),), (LOOK,)))
        assert reply.text == text
        assert orjson.loads(reply.tool_uses[0].arguments) == {"at": argument}
        assert there.asked[0].messages[0].text == asked

    for pair in pairs.values():
        asyncio.run(there_and_back(pair))
