"""Anthropic's messages: https://docs.claude.com/en/api/messages and .../build-with-claude/streaming."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson
from orjson import Fragment

from coordinator.domain.content import Message, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.adapter import Adapter, dumps
from coordinator.models.draft import (
    Draft,
    ErrorEventError,
    count,
    fields_of,
    signature_of,
    unsupported,
    went_wrong,
    wish,
)
from coordinator.models.keys import ANTHROPIC
from coordinator.models.reasoning import LEAST_BUDGET, THOUGHTS, forced, thinks, typed
from coordinator.models.schemas import ANSWER, check_names, for_anthropic

VERSION = "2023-06-01"

STOPS = {
    "end_turn": StopReason.END, "stop_sequence": StopReason.END, "tool_use": StopReason.TOOL_USE,
    "max_tokens": StopReason.MAX_TOKENS, "model_context_window_exceeded": StopReason.MAX_TOKENS,
    "refusal": StopReason.REFUSAL,
}  # fmt: skip

CACHED = {"type": "ephemeral"}
"""What is said of a conversation that goes on: its prompt is kept for five minutes, and read again at a tenth."""
# What thinks may not be forced to call a tool: .../build-with-claude/extended-thinking#extended-thinking-with-tool-use
ASKED = f"Hand in your final answer by calling the tool {ANSWER}; an answer that is written as text is lost."
NONE = Fragment(b"")
LEAST_SAID = 256
"""Tokens of the limit that are left for the reply, where its limit was cut down below budget and reply."""


class Anthropic(Adapter):
    """Anthropic's models. A typed answer comes as JSON; where model or schema cannot, it is handed in by a tool."""

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
        thinking = thinks("anthropic", model, self.options)
        system = [message.text for message in request.messages if message.role == "system"]
        body: dict[str, Any] = {"model": model, "max_tokens": request.max_output_tokens, "stream": True}
        tools = [*map(self.tools, request.tools)]
        answer = ""
        form = self.formats(request.output) if request.output is not None and typed(model) else NONE
        if request.output is not None:
            check_names(request.tools)
        if form is not NONE:
            body["output_config"] = {**self.options.get("output_config", {}), "format": form}
        elif request.output is not None:
            answer = ANSWER
            if forced(model, self.options):
                body["tool_choice"] = {"type": "any"} if tools else {"type": "tool", "name": ANSWER}
            else:
                system.append(ASKED)
            tools.append(self.answers(request.output))
        if any(system):
            body["system"] = "\n\n".join(system)
        if tools:
            body["tools"] = tools
        if "cache_control" not in self.options and _goes_on(request):
            body["cache_control"] = CACHED
        body["messages"] = _conversation(request, model, body) if thinking else _told_plainly(request)
        if thinking:
            body.update(_budget(self.options.get("thinking"), body))
        return body, MessageDraft(request, answer, body if thinking else None)

    def tool(self, spec: ToolSpec) -> Fragment:
        """Write a tool with the schema of its input."""
        told = {"name": spec.name, "description": spec.description, "input_schema": spec.schema}
        return Fragment(orjson.dumps(told))

    def form(self, output: OutputSpec) -> Fragment:
        """Write the type of an answer as the format of the reply; empty where it cannot be said there."""
        schema = for_anthropic(output.schema)
        return NONE if schema is None else Fragment(orjson.dumps({"type": "json_schema", "schema": schema}))

    def _fitting(self, model: str) -> Mapping[str, Any]:
        """Return the options; a `cache_control` of null or false is not sent, but switches ours off."""
        return {name: given for name, given in self.options.items() if given or name != "cache_control"}


class MessageDraft(Draft):
    """A reply in blocks, each in pieces; its usage in two parts, at the beginning and at the end."""

    __slots__ = ("_asked", "_blocks", "_thoughts", "_used")

    def __init__(self, request: ModelRequest, answer: str = "", asked: dict[str, Any] | None = None) -> None:
        super().__init__(request, answer)
        self._asked = asked
        """The body that was sent; None where no thoughts are expected."""
        self._blocks: dict[int, tuple[str, str, list[str]]] = {}
        self._thoughts: dict[int, dict[str, Any]] = {}
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
        elif block["type"] in THOUGHTS:
            self._thoughts[index] = {**block}

    def _grow(self, index: int, delta: Mapping[str, Any]) -> None:
        if delta["type"] == "text_delta":
            self.text.append(delta["text"])
        elif delta["type"] == "input_json_delta" and index in self._blocks:
            self._blocks[index][2].append(delta["partial_json"])
        elif delta["type"] in ("thinking_delta", "signature_delta"):
            name = delta["type"].removesuffix("_delta")
            self._thoughts[index][name] = self._thoughts[index].get(name, "") + delta[name]

    def _finish(self, reason: str | None) -> None:
        if reason is None:
            return
        if reason not in STOPS:
            raise ErrorEventError({"message": f"the reply ended with {reason}"})
        self._count()
        signature = self._signature() if self._blocks else ""
        self.uses = [
            wish(name, tool, "".join(pieces), "" if number else signature)
            for number, (name, tool, pieces) in enumerate(self._blocks.values())
        ]
        self.stop = STOPS[reason]
        if self.stop is StopReason.REFUSAL:
            self.refused = self.text or ["the provider stopped it"]

    def _signature(self) -> str:
        """Return the thoughts as they came, and what they were thought about: behind anything else they are refused."""
        if not self._thoughts or self._asked is None:
            return ""
        blocks = [self._thoughts.get(index) for index in range(len(self._thoughts))]
        if None in blocks:  # some came later, and in another place they would be refused
            return ""
        return orjson.dumps({"about": _digest(self._asked, self._asked["messages"]), "blocks": blocks}).decode()

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


def _goes_on(request: ModelRequest) -> bool:
    """Say whether the prompt of *request* is likely to come again, as the beginning of a longer one."""
    return bool(request.tools) or any(message.role == "assistant" for message in request.messages)


def _told(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what *usage* says: the end of a reply repeats only a part of its beginning."""
    return {name: held for name, held in (usage or {}).items() if held is not None}


def _conversation(request: ModelRequest, model: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages with the thoughts of *model*, or without any where something before one of them changed.

    Thoughts belong to what stood before them: .../build-with-claude/preserved-thinking.
    """
    messages: list[dict[str, Any]] = []
    for message in request.messages:
        thoughts = _thoughts(message, model)
        if thoughts and thoughts["about"] != _digest(body, messages):
            return _told_plainly(request)
        _say(message, messages, thoughts["blocks"] if thoughts else ())
    return messages


def _told_plainly(request: ModelRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for message in request.messages:
        _say(message, messages)
    return messages


def _thoughts(message: Message, model: str) -> dict[str, Any] | None:
    uses = (part for part in message.parts if isinstance(part, ToolUse))
    told = next((signature for use in uses if (signature := signature_of(use, "anthropic", model))), "")
    found: dict[str, Any] | None = orjson.loads(told) if told else None
    return found


def _digest(body: Mapping[str, Any], messages: Sequence[Any]) -> str:
    before = {"system": body.get("system"), "tools": body.get("tools"), "messages": messages}
    return blake2b(dumps(before), digest_size=16).hexdigest()


def _budget(thinking: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what becomes of a budget for thoughts that was set: it has to fit into the limit of the reply.

    Who thinks by a budget thinks from the first step of a turn on, or not in this turn.
    """
    if not isinstance(thinking, Mapping) or thinking.get("type") != "enabled":
        return {}
    budget = min(thinking.get("budget_tokens", LEAST_BUDGET), body["max_tokens"] - LEAST_SAID)
    said: list[Any] = next((one["content"] for one in reversed(body["messages"]) if one["role"] == "assistant"), [])
    amid = any(block["type"] == "tool_use" for block in said) and said[0]["type"] not in THOUGHTS
    if amid or budget < LEAST_BUDGET:
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {**thinking, "budget_tokens": budget}}


def _say(message: Message, into: list[dict[str, Any]], thoughts: Sequence[dict[str, Any]] = ()) -> None:
    if message.role == "system":
        return
    blocks: list[dict[str, Any]] = [*thoughts]
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
