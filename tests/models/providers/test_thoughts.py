"""Models that think: their thoughts come back to them, and to nobody else, and have room beside the reply."""

import json
from typing import Any

import httpx
import pytest

from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent
from coordinator.domain.content import Message, Origin, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, Target
from coordinator.models.reasoning import FOREIGN, ROOM, room, thinks
from tests.models.providers.recordings import LOOK_UP, STREAM, VERDICT, adapter

ASKED = Message("user", (Text("Where is 1042?"),))
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
ADAPTIVE = {"thinking": {"type": "adaptive"}}
THOUGHT = {"type": "thinking", "thinking": "Größe?", "signature": "c2lnbmVk"}
HIDDEN = {"type": "redacted_thinking", "data": "c2VhbGVk"}
SEALED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbGVk"}


class Talk:
    """A conversation with one model: every reply is answered, and asked on."""

    def __init__(self, protocol: str, model: str, replies: list[bytes], **options: Any) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.replies = iter(replies)
        self.model = model
        self.adapter = adapter(protocol, self._answer, options=options)
        self.messages: tuple[Message, ...] = (ASKED,)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        return httpx.Response(200, headers=STREAM, content=next(self.replies))

    async def turn(self, *, tools: Any = (LOOK_UP,), output: Any = VERDICT, most: int = 3000) -> ModelReply:
        """Ask; the calls of the reply are answered."""
        reply: ModelReply = await self.adapter(self.model, ModelRequest(self.messages, tools, output, "small", most))
        text = (Text(reply.text),) if reply.text else ()
        results = tuple(ToolResult(use.id, use.name, '{"status":"ok"}', Origin("tool")) for use in reply.tool_uses)
        self.messages = (*self.messages, Message("assistant", (*text, *reply.tool_uses)), Message("tool", results))
        return reply


def events(*told: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in told)


def gemini(*parts: dict[str, Any]) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP"}
    return events({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 9}, "responseId": "r-1"})


def called(name: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}, **more}}


def claude(*blocks: dict[str, Any]) -> bytes:
    told: list[dict[str, Any]] = [{"type": "message_start", "message": {"id": "msg-1", "usage": {"input_tokens": 9}}}]
    for index, block in enumerate(blocks):
        told.append({"type": "content_block_start", "index": index, "content_block": _begun(block)})
        told += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in _deltas(block)]
        told.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    told += [{"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
    return events(*told)


def _begun(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "thinking": "", "signature": ""} if block["type"] == "thinking" else block


def _deltas(block: dict[str, Any]) -> list[dict[str, Any]]:
    if block["type"] != "thinking":
        return []
    halves = block["thinking"][:3], block["thinking"][3:]
    told: list[dict[str, Any]] = [{"type": "thinking_delta", "thinking": half} for half in halves]
    return [*told, {"type": "signature_delta", "signature": block["signature"]}]


def use(name: str, number: int = 1) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {"order": "1042"}}


def response(*items: dict[str, Any]) -> bytes:
    whole = {"id": "resp-1", "status": "completed", "output": list(items), "usage": {"input_tokens": 9}}
    return events({"type": "response.completed", "response": whole})


def wished(name: str, number: int = 1) -> dict[str, Any]:
    return {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": name, "arguments": "{}"}


ANYTHING = OutputSpec.of("Anything", {"type": "object", "additionalProperties": True})
ANSWER = {"type": "tool_use", "id": "toolu_9", "name": "final_answer", "input": {"accept": True, "why": ""}}


# Google


async def test_the_signature_of_an_answer_that_is_dropped_goes_with_the_first_call_that_is_kept():
    signed = {**called("final_answer"), "thoughtSignature": "c2lnbmVk"}
    talk = Talk("google", "gemini-3-flash", [gemini(signed, called("look_up"), called("search")), gemini(signed)])
    assert [use.name for use in (await talk.turn()).tool_uses] == ["look_up", "search"]
    await talk.turn()
    parts = talk.bodies[1]["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == ["c2lnbmVk", None]


async def test_a_call_keeps_its_own_signature_when_an_answer_beside_it_is_dropped():
    own = {**called("look_up"), "thoughtSignature": "b3du"}
    other = {**called("final_answer"), "thoughtSignature": "b3RoZXI="}
    talk = Talk("google", "gemini-3-flash", [gemini(own, other), gemini(own)])
    await talk.turn()
    await talk.turn()
    assert [part.get("thoughtSignature") for part in talk.bodies[1]["contents"][1]["parts"]] == ["b3du"]


@pytest.mark.parametrize(
    ("model", "signatures"),
    [
        ("gemini-3-flash-preview", [FOREIGN, None]),
        ("models/gemini-4-argon", [FOREIGN, None]),
        ("gemini-flash-latest", [FOREIGN, None]),
        ("gemini-2.5-flash", [None, None]),
        ("gemini-2.0-flash", [None, None]),
        ("gemma-3", [None, None]),
    ],
)
async def test_calls_of_another_model_carry_what_google_allows_in_place_of_a_signature(model, signatures):
    talk = Talk("google", model, [gemini({"text": "{}"})])
    theirs = Origin("model", "anthropic:claude-opus-5")
    uses = (ToolUse("toolu_1", "look_up", "{}", theirs, "theirs"), ToolUse("toolu_2", "search", "{}", theirs))
    results = tuple(ToolResult(use.id, use.name, "{}", Origin("tool")) for use in uses)
    talk.messages = (ASKED, Message("assistant", uses), Message("tool", results))
    await talk.turn()
    assert [part.get("thoughtSignature") for part in talk.bodies[0]["contents"][1]["parts"]] == signatures


async def test_google_hears_the_id_of_a_call_again_with_its_result():
    talk = Talk("google", "gemini-3-flash", [gemini(called("look_up", id="fc-7")), gemini({"text": "{}"})])
    assert [use.id for use in (await talk.turn()).tool_uses] == ["fc-7"]
    await talk.turn()
    said, answered = talk.bodies[1]["contents"][1:]
    assert said["parts"][0]["functionCall"]["id"] == answered["parts"][0]["functionResponse"]["id"] == "fc-7"


# Anthropic


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("claude-haiku-4-5", THINKING), ("claude-haiku-4-5", ADAPTIVE), ("claude-opus-5-5", {}),
        ("claude-opus-5-5", {"thinking": {"type": "disabled"}}), ("claude-sonnet-4-0", THINKING),
    ],
)  # fmt: skip
async def test_a_model_that_thinks_or_is_new_is_asked_for_its_answer_and_not_forced(model, options):
    talk = Talk("anthropic", model, [claude(ANSWER)], **options)
    assert json.loads((await talk.turn(output=ANYTHING)).text) == {"accept": True, "why": ""}
    assert "tool_choice" not in talk.bodies[0]
    assert "final_answer" in talk.bodies[0]["system"]


@pytest.mark.parametrize(("model", "output"), [("claude-sonnet-4-0", VERDICT), ("claude-haiku-4-5", ANYTHING)])
async def test_an_answer_that_no_schema_binds_is_handed_in_by_a_tool_that_is_forced(model, output):
    talk = Talk("anthropic", model, [claude(ANSWER), claude(ANSWER)])
    await talk.turn(output=output)
    await talk.turn(tools=(), output=output)
    assert all("output_config" not in body for body in talk.bodies)
    assert [body["tool_choice"]["type"] for body in talk.bodies] == ["any", "tool"]
    assert all("system" not in body for body in talk.bodies)


@pytest.mark.parametrize(("model", "options"), [("claude-haiku-4-5", THINKING), ("claude-opus-5-5", {})])
async def test_thoughts_come_back_before_the_call_they_led_to_exactly_as_they_came(model, options):
    first = claude(THOUGHT, HIDDEN, {"type": "text", "text": "I look."}, use("look_up"))
    talk = Talk("anthropic", model, [first, claude(THOUGHT, use("look_up", 2)), claude(ANSWER)], **options)
    for _ in range(3):
        await talk.turn()
    said = [message["content"] for message in talk.bodies[2]["messages"] if message["role"] == "assistant"]
    assert [[block["type"] for block in blocks] for blocks in said] == [
        ["thinking", "redacted_thinking", "text", "tool_use"], ["thinking", "tool_use"],
    ]  # fmt: skip
    assert said[0][:2] == [THOUGHT, HIDDEN]


async def test_thoughts_stay_away_when_anything_before_them_has_changed():
    talk = Talk("anthropic", "claude-opus-5-5", [claude(THOUGHT, use("look_up")), claude(ANSWER), claude(ANSWER)])
    await talk.turn()
    await talk.turn(tools=())
    kept = talk.messages
    talk.messages = (Message("user", (Text("Where is 7?"),)), *kept[1:])
    await talk.turn()
    assert "thinking" not in json.dumps([body["messages"] for body in talk.bodies[1:]])


async def test_thoughts_go_to_no_other_model():
    one = Talk("anthropic", "claude-opus-5-5", [claude(THOUGHT, use("look_up"))])
    await one.turn()
    for protocol, model in (
        ("anthropic", "claude-sonnet-5-5"), ("google", "gemini-3-flash"), ("openai_chat", "gpt-5"),
        ("openai_responses", "gpt-5"),
    ):  # fmt: skip
        other = Talk(protocol, model, [b""])
        other.messages = one.messages
        with pytest.raises(Exception, match="broke off"):
            await other.turn()
        assert "c2lnbmVk" not in json.dumps(other.bodies)


async def test_who_thinks_by_a_budget_does_not_begin_amid_the_steps_of_another_model():
    talk = Talk("anthropic", "claude-haiku-4-5", [claude(ANSWER)], **THINKING)
    theirs = ToolUse("call_1", "look_up", "{}", Origin("model", "openai:gpt-5"))
    talk.messages = (ASKED, Message("assistant", (theirs,)), Message("tool", (ToolResult("call_1", "", "", ENGINE),)))
    await talk.turn()
    assert talk.bodies[0]["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize(
    ("most", "thinking"),
    [
        (2600, {"type": "enabled", "budget_tokens": 2000}),
        (2000, {"type": "enabled", "budget_tokens": 1744}),
        (300, {"type": "disabled"}),
    ],
)
async def test_a_budget_for_thoughts_leaves_something_of_the_limit_to_the_reply(most, thinking):
    talk = Talk("anthropic", "claude-haiku-4-5", [claude(ANSWER)], **THINKING)
    await talk.turn(most=most)
    assert (talk.bodies[0]["max_tokens"], talk.bodies[0]["thinking"]) == (most, thinking)


ENGINE = Origin("tool")


# OpenAI


async def test_sealed_thoughts_come_back_before_their_calls():
    bare = {"type": "reasoning", "id": "rs_0", "summary": []}  # what is not sealed nobody kept
    text = {"type": "message", "content": [{"type": "output_text", "text": "I look."}]}
    first = response(bare, SEALED, text, wished("look_up"), {**SEALED, "id": "rs_2"}, wished("search", 2))
    talk = Talk("openai_responses", "gpt-5", [first, response(text)])
    await talk.turn()
    await talk.turn()
    said = talk.bodies[1]["input"]
    assert [item.get("id") or item.get("name") or item.get("role") for item in said[1:6]] == [
        "rs_1", "assistant", "look_up", "rs_2", "search",
    ]  # fmt: skip
    assert said[1] == SEALED
    assert talk.bodies[0]["include"] == ["reasoning.encrypted_content"]


async def test_a_model_without_thoughts_is_not_asked_for_them():
    talk = Talk("openai_responses", "gpt-4.1-mini", [response()])
    await talk.turn()
    assert "include" not in talk.bodies[0]


async def test_one_setting_of_openai_fits_both_of_its_protocols():
    for protocol, sent in (
        ("openai_chat", {"reasoning_effort": "low", "verbosity": "low"}),
        ("openai_responses", {"reasoning": {"effort": "low"}}),
    ):
        talk = Talk(protocol, "gpt-5", [b""], reasoning_effort="low", verbosity="low")
        with pytest.raises(Exception, match="broke off"):
            await talk.turn()
        body = talk.bodies[0]
        assert {name: body.get(name) for name in sent} == sent
        if protocol == "openai_responses":
            assert "reasoning_effort" not in body
            assert (body["text"]["verbosity"], body["text"]["format"]["name"]) == ("low", "Verdict")


# Room for thoughts

KNOWN = {
    "openai:gpt-4.1-mini": False, "openai:gpt-4o": False, "openai:gpt-5-chat-latest": False, "openai:o4-mini": True,
    "openai:gpt-5-mini": True, "openai-responses:gpt-6-sol": True, "anthropic:claude-3-5-haiku-latest": False,
    "anthropic:claude-sonnet-4-6": False, "anthropic:claude-opus-5-5": True, "anthropic:claude-fable-5": True,
    "google:gemini-2.0-flash": False, "google:gemini-2.5-flash-lite": False, "google:gemini-2.5-flash": True,
    "google:gemini-4-argon": True, "google:gemma-3": False, "compatible:qwen3@http://localhost/v1": False,
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_which_models_think_is_known_by_their_families(name):
    provider, _, model = name.partition(":")
    assert thinks(provider, model, {}) is KNOWN[name]
    assert room(provider, model, {}) == (ROOM if KNOWN[name] else 0)


@pytest.mark.parametrize(
    ("provider", "model", "options", "tokens"),
    [
        ("anthropic", "claude-haiku-4-5", THINKING, 2000),
        ("anthropic", "claude-haiku-4-5", ADAPTIVE, ROOM),
        ("anthropic", "claude-sonnet-5", {"thinking": {"type": "disabled"}}, 0),
        ("google", "gemini-2.5-flash", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 512}}}, 512),
        ("google", "gemini-2.5-flash", {"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}}, ROOM),
        ("google", "gemini-2.5-flash", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, 0),
        ("openai", "gpt-5.4", {"reasoning_effort": "none"}, 0),
        ("openai-responses", "gpt-5.4", {"reasoning": {"effort": "none"}}, 0),
        ("openai", "gpt-5.4", {"reasoning_effort": "high"}, ROOM),
    ],
)
def test_options_say_how_much_room_thoughts_need(provider, model, options, tokens):
    assert room(provider, model, options) == tokens


class Asked:
    """A provider that keeps the limits it was asked with, and what was held on the ledger meanwhile."""

    def __init__(self) -> None:
        self.limits: list[int] = []
        self.held: list[int] = []
        self.coordinator: Any = None

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        self.limits.append(request.max_output_tokens)
        self.held.append(max(account.reserved for account in self.coordinator.snapshot().accounts))
        raise RuntimeError


@pytest.mark.parametrize(
    ("model", "setting", "limit"),
    [
        ("openai:gpt-5-mini", {}, 600 + ROOM), ("openai:gpt-4.1-mini", {}, 600),
        ("openai:gpt-5-mini", {"openai": {"reasoning_tokens": 9000}}, 9600),
        ("openai:gpt-4.1-mini", {"openai": {"reasoning_tokens": 10}}, 610),
        ("anthropic:claude-haiku-4-5", {"anthropic": {"options": THINKING}}, 2600),
    ],
)  # fmt: skip
async def test_a_model_that_thinks_gets_room_beside_its_agents_limit_and_all_of_it_is_held(model, setting, limit):
    @agent(max_output_tokens=600)
    async def clerk(brief: Brief, ctx: AgentContext) -> str:
        return await ctx.ask(brief.request)

    asked, name = Asked(), model.partition(":")[0]
    settings = Settings(world={}, models={"small": model}, providers=setting)
    async with Coordinator(Team(clerk), settings, models={name: asked}) as coordinator:
        asked.coordinator = coordinator
        await coordinator.run("Where is order 1042?")
        price = coordinator.held.prices._prices[model]
    assert asked.limits == [limit]
    assert asked.held[0] >= price.bound(0, limit)


def test_room_for_thoughts_makes_no_other_model_of_a_model():
    assert Target("openai", "gpt-5", 4096) == Target("openai", "gpt-5")
