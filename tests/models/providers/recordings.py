"""Recorded-shape conversations of every protocol, and adapters that hear them instead of a provider."""

import importlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from coordinator.domain.content import Message, Origin, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, Quota, ToolSpec
from coordinator.domain.money import Usage

FILES = sorted((Path(__file__).parent / "recordings").glob("*.yaml"))
PROTOCOLS: dict[str, dict[str, Any]] = {file.stem: YAML(typ="safe", pure=True).load(file) for file in FILES}
KEY = "test-key-0123456789"
STREAM = {"content-type": "text/event-stream; charset=utf-8"}

LOOK_UP = ToolSpec.of(
    "look_up", "Looks an order up. Only reads.",
    {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
)  # fmt: skip
VERDICT = OutputSpec.of(
    "Verdict",
    {
        "type": "object", "title": "Verdict",
        "properties": {"accept": {"type": "boolean"}, "why": {"type": "string", "default": ""}},
        "required": ["accept"],
    },
)  # fmt: skip
TALK = (
    Message("system", (Text("Be brief."),)),
    Message("user", (Text("Where is 1042?"),)),
    Message(
        "assistant",
        (
            Text("Let me look."),
            ToolUse("use-1", "look_up", '{"order":"1042"}', signature="c2lnbmVk"),
            ToolUse("use-2", "search", '{"words":"delays"}'),
        ),
    ),
    Message(
        "tool",
        (
            ToolResult("use-1", "look_up", '{"status":"ok","code":"ok","result":{"state":"sent"}}', Origin("tool")),
            ToolResult("use-2", "search", '{"status":"error","code":"timeout","message":"slow"}', Origin("tool")),
        ),
    ),
    Message("user", (Text("Go on."),)),
)
FULL = ModelRequest(TALK, (LOOK_UP,), VERDICT, "small", 300)
WITH_TOOLS = ModelRequest(TALK, (LOOK_UP,), None, "small", 300)
TYPED = ModelRequest(TALK[:2], (), VERDICT, "small", 300)


def asked(case: str) -> ModelRequest:
    return TYPED if case == "typed" else WITH_TOOLS


def expected(reply: dict[str, Any], signature: str = "") -> ModelReply:
    """Return the reply that a recording promises."""
    uses = tuple(ToolUse(*use) for use in reply.get("uses", ()))
    quota = Quota(**reply["quota"]) if "quota" in reply else None
    return ModelReply(
        reply.get("text", ""), uses, reply["stop"], Usage(**reply["usage"]), reply["model"], reply["request_id"], 0,
        quota,
    )  # fmt: skip


def plain(reply: ModelReply) -> ModelReply:
    """Return *reply* without the signatures of its calls, which recordings do not spell out."""
    uses = tuple(ToolUse(use.id, use.name, use.arguments) for use in reply.tool_uses)
    return ModelReply(
        reply.text, uses, reply.stop, reply.usage, reply.model, reply.request_id, reply.cost, reply.quota,
        uncertain=reply.uncertain,
    )  # fmt: skip


class Chunks(httpx.AsyncByteStream):
    """A body that comes in given pieces, and may end in an error."""

    def __init__(self, pieces: Iterable[bytes], error: Exception | None = None) -> None:
        self.pieces = list(pieces)
        self.error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.error is not None:
            raise self.error


Handle = Callable[[httpx.Request], httpx.Response]


def adapter(protocol: str, handle: Handle, **more: Any) -> Any:
    """Return the protocol's adapter with *handle* in place of the provider."""
    module, _, name = PROTOCOLS[protocol]["adapter"].partition(":")
    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return getattr(importlib.import_module(module), name)(key=KEY, client=client, **more)


def answering(
    protocol: str, body: bytes | Iterable[bytes], headers: dict[str, str] | None = None,
    error: Exception | None = None, status: int = 200,
) -> Any:  # fmt: skip
    """Return the protocol's adapter, whose provider answers every request with *body*, whole or in pieces."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    held = {**STREAM, **(headers or {})}
    return adapter(protocol, lambda _: httpx.Response(status, headers=held, stream=Chunks(pieces, error)))
