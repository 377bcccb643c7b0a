"""Servers that speak OpenAI's protocol in ways of their own, and answers that are handed in by a tool."""

import json
from typing import Any

import httpx
import pytest

from coordinator.domain.content import StopReason
from coordinator.domain.errors import Invalid
from coordinator.domain.model import ModelReply, ModelRequest, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.compatible import Compatible
from tests.models.providers.recordings import FULL, PROTOCOLS, STREAM, TALK, TYPED, VERDICT, WITH_TOOLS, adapter

MODEL = "llama3.2@http://localhost:11434/v1"


class Server:
    """Answers with the given choices, and keeps what it was asked."""

    def __init__(self, *deltas: Any, finish: str = "stop", **more: Any) -> None:
        self.chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}], **more} for delta in deltas]
        self.chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], **more})
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in self.chunks) + "data: [DONE]\n\n"
        return httpx.Response(200, headers=STREAM, content=body.encode())

    async def reply(self, request: ModelRequest = WITH_TOOLS) -> ModelReply:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return await Compatible(client=client)(MODEL, request)

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.asked[0].content)


def call(index: int | None, name: str | None, tool: str, arguments: Any) -> dict[str, Any]:
    piece: dict[str, Any] = {"function": {"name": tool, "arguments": arguments}, "type": "function"}
    if name is not None:
        piece["id"] = name
    if index is not None:
        piece["index"] = index
    return {"tool_calls": [piece]}


async def test_a_server_is_asked_in_words_that_all_of_them_know(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-others")
    monkeypatch.delenv("COMPATIBLE_API_KEY", raising=False)
    server = Server({"content": "hello"})
    reply = await server.reply(WITH_TOOLS)
    assert (reply.text, reply.model) == ("hello", "compatible:llama3.2")
    assert str(server.asked[0].url) == "http://localhost:11434/v1/chat/completions"
    assert (server.body["model"], server.body["max_tokens"]) == ("llama3.2", 300)
    assert "max_completion_tokens" not in server.body
    assert "authorization" not in server.asked[0].headers


async def test_a_key_of_its_own_is_sent(monkeypatch):
    monkeypatch.setenv("COMPATIBLE_API_KEY", "its-own")
    server = Server({"content": "hello"})
    await server.reply()
    assert server.asked[0].headers["authorization"] == "Bearer its-own"


async def test_who_does_not_say_what_was_used_is_billed_at_the_bound():
    assert (await Server({"content": "hello"}).reply()).usage == Usage(WITH_TOOLS.size, 300)


async def test_calls_that_share_an_index_are_told_apart_by_their_names():
    server = Server(call(0, "a", "look_up", '{"order":"1"}'), call(0, "b", "look_up", '{"order":"2"}'))
    reply = await server.reply()
    assert [(use.id, use.arguments) for use in reply.tool_uses] == [("a", '{"order":"1"}'), ("b", '{"order":"2"}')]


async def test_a_name_that_comes_with_every_piece_is_one_name():
    server = Server(call(0, "a", "look_up", '{"order":'), call(0, "a", "look_up", '"1"}'))
    assert [(use.name, use.arguments) for use in (await server.reply()).tool_uses] == [("look_up", '{"order":"1"}')]


async def test_calls_without_names_get_names_of_their_own():
    two = {
        "tool_calls": [
            call(None, None, "look_up", "{}")["tool_calls"][0],
            call(None, None, "find", {"a": 1})["tool_calls"][0],
        ]
    }
    reply = await Server(two, finish="tool_calls", id="chat-7").reply()
    assert [(use.id, use.name, use.arguments) for use in reply.tool_uses] == [
        ("chat-7-1", "look_up", "{}"), ("chat-7-2", "find", '{"a":1}'),
    ]  # fmt: skip


async def test_a_typed_answer_beside_tools_is_handed_in_by_a_tool():
    server = Server(call(0, "a", "final_answer", '{"accept":true,"why":""}'), finish="tool_calls")
    reply = await server.reply(FULL)
    assert (reply.text, reply.tool_uses, reply.stop) == ('{"accept":true,"why":""}', (), StopReason.END)
    assert [tool["function"]["name"] for tool in server.body["tools"]] == ["look_up", "final_answer"]
    assert server.body["tool_choice"] == "required"
    assert "response_format" not in server.body


async def test_a_typed_answer_without_tools_is_written_by_its_schema():
    server = Server({"content": '{"accept":true,"why":""}'})
    assert (await server.reply(TYPED)).text == '{"accept":true,"why":""}'
    assert server.body["response_format"]["json_schema"]["name"] == "Verdict"


async def test_an_answer_written_as_text_is_taken_as_well():
    reply = await Server({"content": '{"accept":false}'}).reply(FULL)
    assert (reply.text, reply.stop) == ('{"accept":false}', StopReason.END)


async def test_an_answer_beside_calls_is_dropped_because_it_was_written_without_their_results():
    deltas = call(0, "a", "look_up", "{}"), call(1, "b", "final_answer", '{"accept":true}')
    reply = await Server(*deltas, finish="tool_calls").reply(FULL)
    assert ([use.name for use in reply.tool_uses], reply.text, reply.stop) == (["look_up"], "", StopReason.TOOL_USE)


async def test_an_answer_that_was_cut_is_no_answer():
    server = Server(call(0, "a", "final_answer", '{"accept":tr'), finish="length")
    reply = await server.reply(FULL)
    assert (reply.text, reply.tool_uses, reply.stop) == ("", (), StopReason.MAX_TOKENS)


@pytest.mark.parametrize("protocol", ["anthropic", "google"])
async def test_no_tool_may_have_the_name_of_the_one_that_takes_the_answer(protocol):
    taken = ToolSpec.of("final_answer", "Mine.", {"type": "object"})
    model = adapter(protocol, lambda _: httpx.Response(500))
    with pytest.raises(Invalid) as caught:
        await model(PROTOCOLS[protocol]["model"], ModelRequest(TALK, (taken,), VERDICT))
    assert caught.value.code == "bad_tool"


@pytest.mark.parametrize("closing", [{"usage": {"prompt_tokens": 7, "completion_tokens": 3}}, {"choices": None}])
async def test_a_last_chunk_without_choices_spoils_no_reply(closing):
    server = Server({"content": "hello"})
    server.chunks.append(closing)
    reply = await server.reply()
    assert (reply.text, reply.stop) == ("hello", StopReason.END)
