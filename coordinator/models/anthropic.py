"""Anthropic's messages: https://docs.claude.com/en/api/messages and .../build-with-claude/streaming."""

from collections.abc import Mapping
from typing import Any

import orjson
from orjson import Fragment

from coordinator.domain.content import Message, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.adapter import Adapter
from coordinator.models.draft import Draft, ErrorEventError, count, fields_of, unsupported, went_wrong, wish
from coordinator.models.keys import ANTHROPIC
from coordinator.models.schemas import ANSWER, answer_tool, check_names

VERSION = "2023-06-01"

STOPS = {
    "end_turn": StopReason.END, "stop_sequence": StopReason.END, "tool_use": StopReason.TOOL_USE,
    "max_tokens": StopReason.MAX_TOKENS, "model_context_window_exceeded": StopReason.MAX_TOKENS,
    "refusal": StopReason.REFUSAL,
}  # fmt: skip


class Anthropic(Adapter):
    """Anthropic's models; a typed answer is handed in by a tool, which every one of them can."""

    __slots__ = ()

    vendor = ANTHROPIC

    def access(self, key: str) -> dict[str, str]:
        """Return the header that carries the key, and the version of the protocol."""
        return {"x-api-key": key, "anthropic-version": VERSION}

    def path(self, model: str) -> str:
        """Return the same path for every model."""
        return "/v1/messages"

    def ask(self, model: str, request: ModelRequest) -> tuple[dict[str, Any], Draft]:
        """Return a streamed request, with the system text apart."""
        system: list[str] = []
        messages: list[dict[str, Any]] = []
        for message in request.messages:
            if message.role == "system":
                system.append(message.text)
            else:
                _say(message, messages)
        body: dict[str, Any] = {
            "model": model, "max_tokens": request.max_output_tokens, "messages": messages, "stream": True,
        }  # fmt: skip
        if any(system):
            body["system"] = "\n\n".join(system)
        tools = [*map(self.tools, request.tools)]
        if request.output is not None:
            check_names(request.tools)
            body["tool_choice"] = {"type": "any"} if tools else {"type": "tool", "name": ANSWER}
            tools.append(self.formats(request.output))
        if tools:
            body["tools"] = tools
        return body, MessageDraft(request, ANSWER if request.output is not None else "")

    def tool(self, spec: ToolSpec) -> Fragment:
        """Write a tool with the schema of its input."""
        told = {"name": spec.name, "description": spec.description, "input_schema": spec.schema}
        return Fragment(orjson.dumps(told))

    def form(self, output: OutputSpec) -> Fragment:
        """Write the tool by which an answer is handed in."""
        return self.tool(answer_tool(output))


class MessageDraft(Draft):
    """A reply in blocks, each in pieces; its usage in two parts, at the beginning and at the end."""

    __slots__ = ("_blocks", "_used")

    def __init__(self, request: ModelRequest, answer: str = "") -> None:
        super().__init__(request, answer)
        self._blocks: dict[int, tuple[str, str, list[str]]] = {}
        self._used: dict[str, Any] = {}

    def read(self, event: Mapping[str, Any]) -> None:
        """Take in one event, or a whole message from a server that does not stream."""
        match event["type"]:
            case "content_block_delta":
                self._grow(event["index"], event["delta"])
            case "content_block_start":
                self._open(event["index"], event["content_block"])
            case "message_start":
                self._begin(event["message"])
            case "message_delta":
                self._used.update(_told(event.get("usage")))
                self._finish(event["delta"]["stop_reason"])
            case "message_stop":
                self.ended = True
            case "error":
                raise ErrorEventError(event["error"])
            case "message":
                self._begin(event)
                for index, block in enumerate(event["content"]):
                    self._open(index, block)
                self._finish(event["stop_reason"])

    def _begin(self, message: Mapping[str, Any]) -> None:
        self.begun = True
        self.id, self.model = message.get("id") or "", message.get("model") or ""
        self._used.update(_told(message.get("usage")))

    def _open(self, index: int, block: Mapping[str, Any]) -> None:
        if block["type"] == "text":
            self.text.append(block["text"])
        elif block["type"] == "tool_use":
            given = block.get("input")
            self._blocks[index] = (block["id"], block["name"], [orjson.dumps(given).decode()] if given else [])

    def _grow(self, index: int, delta: Mapping[str, Any]) -> None:
        if delta["type"] == "text_delta":
            self.text.append(delta["text"])
        elif delta["type"] == "input_json_delta" and index in self._blocks:
            self._blocks[index][2].append(delta["partial_json"])

    def _finish(self, reason: str | None) -> None:
        if reason is None:
            return
        if reason not in STOPS:
            raise ErrorEventError({"message": f"the reply ended with {reason}"})
        self._count()
        self.uses = [wish(name, tool, "".join(pieces)) for name, tool, pieces in self._blocks.values()]
        self.stop = STOPS[reason]
        if self.stop is StopReason.REFUSAL:
            self.refused = self.text or ["the provider stopped it"]

    def _count(self) -> None:
        used = self._used
        if not used:
            return
        read, written = count(used, "cache_read_input_tokens"), count(used, "cache_creation_input_tokens")
        reasoning = used.get("output_tokens_details") or {}
        self.usage = Usage(
            count(used, "input_tokens") + read + written, count(used, "output_tokens"), read,
            count(reasoning, "thinking_tokens"), written,
        )  # fmt: skip


def _told(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what *usage* says: the end of a reply repeats only a part of its beginning."""
    return {name: held for name, held in (usage or {}).items() if held is not None}


def _say(message: Message, into: list[dict[str, Any]]) -> None:
    blocks: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Text):
            if part.text.strip():  # blank text is refused
                blocks.append({"type": "text", "text": part.text})
        elif isinstance(part, ToolUse):
            blocks.append({"type": "tool_use", "id": part.id, "name": part.name, "input": fields_of(part.arguments)})
        elif isinstance(part, ToolResult):
            block = {"type": "tool_result", "tool_use_id": part.id, "content": part.text}
            blocks.append({**block, "is_error": True} if went_wrong(part) else block)
        else:
            raise unsupported(part, "anthropic")
    if blocks:
        into.append({"role": "assistant" if message.role == "assistant" else "user", "content": blocks})
