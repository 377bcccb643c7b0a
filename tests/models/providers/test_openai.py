"""What OpenAI's chat completions want of a request beyond their protocol, and servers that speak them."""

import json
from typing import Any

import httpx
import pytest

from coordinator.domain.content import Message, Origin, Text, ToolResult, ToolUse
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.model import ModelRequest
from coordinator.models.openai_chat import CompatibleChat, OpenAIChat
from coordinator.models.openai_responses import OpenAIResponses
from tests.models.providers.recordings import KEY, TYPED, WITH_TOOLS

NOTHING: dict[str, Any] = {}


async def sent(adapter: Any, model: str, request: ModelRequest = WITH_TOOLS, **options: Any) -> dict[str, Any]:
    """Return the body that goes out."""
    seen: list[dict[str, Any]] = []

    def handle(asked: httpx.Request) -> httpx.Response:
        seen.append(json.loads(asked.content))
        return httpx.Response(500)

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    with pytest.raises(CoordinatorError):
        await adapter(key=KEY, base_url="http://x/v1", client=client, options=options)(model, request)
    return seen[0]


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gpt-4.1-mini", None), ("gpt-5-mini", None), ("gpt-5.1", None), ("o4-mini", None), ("gpt-5.4", "none"),
        ("gpt-5.4-mini", "none"), ("gpt-5.5-2026-04-23", "none"), ("gpt-5.6-terra", "none"), ("gpt-5.10", "none"),
        ("gpt-6", "none"), ("gpt-5.4-pro", None), ("gpt-5.5-codex", None), ("gpt-5.6-chat-latest", None),
        ("openai/gpt-5.6", None), ("gpt-oss-120b", None),
    ],
)  # fmt: skip
async def test_models_that_use_tools_only_without_thoughts_are_asked_for_none(model, effort):
    assert (await sent(OpenAIChat, model)).get("reasoning_effort") == effort
    assert "reasoning_effort" not in await sent(OpenAIChat, model, TYPED), "without tools they may think"
    assert "reasoning_effort" not in await sent(CompatibleChat, model)
    assert (await sent(OpenAIChat, model, reasoning_effort="low")).get("reasoning_effort") in ("low", None)


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-4o-mini", "gpt-5-chat-latest", "chatgpt-4o-latest", "ft:gpt-4.1:x"])
async def test_how_hard_to_think_is_not_said_to_models_that_do_not(model):
    assert (await sent(OpenAIChat, model, reasoning_effort="low", verbosity="low"))["verbosity"] == "low"
    assert "reasoning_effort" not in await sent(OpenAIChat, model, reasoning_effort="low")
    assert "reasoning" not in await sent(OpenAIResponses, model, reasoning_effort="low")


@pytest.mark.parametrize("model", ["gpt-5.5", "o3", "openai/gpt-4", "gpt-oss-120b", "mine"])
async def test_how_hard_to_think_is_said_to_models_that_do_and_to_those_that_nobody_knows(model):
    assert (await sent(OpenAIChat, model, reasoning_effort="low"))["reasoning_effort"] == "low"
    assert (await sent(OpenAIResponses, model, reasoning_effort="low"))["reasoning"] == {"effort": "low"}
    assert (await sent(CompatibleChat, "gpt-4", reasoning_effort="low"))["reasoning_effort"] == "low"


@pytest.mark.parametrize("adapter", [OpenAIChat, CompatibleChat, OpenAIResponses])
@pytest.mark.parametrize(
    ("written", "object_"),
    [
        ('{"order": "1042"}', {"order": "1042"}), ('{"order": 10', {"text": '{"order": 10'}), ("[1]", {"text": "[1]"}),
        ("half \ud83d", {"text": "half ?"}), ('{"text": "{"}', {"text": "{"}),
    ],
)  # fmt: skip
async def test_arguments_go_back_as_an_object_whatever_the_model_wrote(adapter, written, object_):
    talk = (
        Message("user", (Text("Where is 1042?"),)),
        Message("assistant", (ToolUse("use-1", "look_up", written),)),
        Message("tool", (ToolResult("use-1", "look_up", '{"status":"error"}', Origin("tool")),)),
    )
    body = await sent(adapter, "m-1", ModelRequest(talk))
    if adapter is OpenAIResponses:
        arguments = next(item["arguments"] for item in body["input"] if "arguments" in item)
    else:
        arguments = body["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == object_
    assert arguments == written or object_ == {"text": written.replace("\ud83d", "?")}
