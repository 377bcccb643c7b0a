"""OpenAI's chat completions, and every server that speaks them: https://platform.openai.com/docs/api-reference/chat."""

from collections.abc import Mapping
from typing import Any

import orjson
from orjson import Fragment

from coordinator.domain.content import Message, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.adapter import Adapter, as_object
from coordinator.models.draft import Draft, ErrorEventError, count, unsupported, wish
from coordinator.models.keys import COMPATIBLE, OPENAI
from coordinator.models.reasoning import acts_or_thinks
from coordinator.models.schemas import ANSWER, check_names, plain_name, strict

STOPS = {
    "stop": StopReason.END, "tool_calls": StopReason.TOOL_USE, "function_call": StopReason.TOOL_USE,
    "length": StopReason.MAX_TOKENS, "content_filter": StopReason.REFUSAL,
}  # fmt: skip


class OpenAIChat(Adapter):
    """OpenAI's models by chat completions."""

    __slots__ = ()

    vendor = OPENAI
    effort = "reasoning_effort"
    limit = "max_completion_tokens"

    def access(self, key: str) -> dict[str, str]:
        """Return the header that carries the key."""
        return {"authorization": f"Bearer {key}"} if key else {}

    def path(self, model: str) -> str:
        """Return the same path for every model."""
        return "/chat/completions"

    def ask(self, model: str, request: ModelRequest) -> tuple[dict[str, Any], Draft]:
        """Return a request for a stream with its usage at the end."""
        body = self._body(model, request)
        if request.tools:
            body["tools"] = [*map(self.tools, request.tools)]
            if self.effort and self.effort not in self.options and acts_or_thinks(model):
                body[self.effort] = "none"
        if request.output is not None:
            body["response_format"] = self.formats(request.output)
        return body, ChatDraft(request)

    def tool(self, spec: ToolSpec) -> Fragment:
        """Write a tool as a function."""
        function = {"name": spec.name, "description": spec.description, "parameters": spec.schema}
        return Fragment(orjson.dumps({"type": "function", "function": function}))

    def form(self, output: OutputSpec) -> Fragment:
        """Write the type of an answer for the strict mode, or as it is where that cannot say it."""
        schema = strict(output.schema)
        told = {"name": plain_name(output.name), "schema": schema or output.schema, "strict": schema is not None}
        return Fragment(orjson.dumps({"type": "json_schema", "json_schema": told}))

    def _body(self, model: str, request: ModelRequest) -> dict[str, Any]:
        messages: list[dict[str, Any]] = []
        for message in request.messages:
            _say(message, messages)
        return {
            "model": model, "messages": messages, self.limit: request.max_output_tokens,
            "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip


class CompatibleChat(OpenAIChat):
    """Another server that speaks OpenAI's chat completions, asked in the words that all of them know.

    Where tools are offered a typed answer is handed in by a tool: many servers force an output schema on every word
    of the reply, and then no tool is ever called.
    """

    __slots__ = ()

    vendor = COMPATIBLE
    effort = ""
    limit = "max_tokens"

    def ask(self, model: str, request: ModelRequest) -> tuple[dict[str, Any], Draft]:
        """Return the same, with a tool for the answer beside other tools."""
        if not request.tools or request.output is None:
            return super().ask(model, request)
        check_names(request.tools)
        body = self._body(model, request)
        body["tools"] = [*map(self.tools, request.tools), self.answers(request.output)]
        body["tool_choice"] = "required"
        return body, ChatDraft(request, ANSWER)


class ChatDraft(Draft):
    """A reply in chunks: text and tool calls in pieces, then the reason why it ends, then its usage."""

    __slots__ = ("_at", "_calls")

    def __init__(self, request: ModelRequest, answer: str = "") -> None:
        super().__init__(request, answer)
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}

    def read(self, event: Mapping[str, Any]) -> None:
        """Take in one chunk, or a whole completion from a server that does not stream."""
        if event.get("error"):
            raise ErrorEventError(event["error"])
        self.id, self.model = event.get("id") or self.id, event.get("model") or self.model
        usage = event.get("usage")
        if usage:
            self.usage = _usage(usage)
        for choice in event.get("choices") or ():  # some gateways leave it out where only usage is told
            self._read(choice)

    def _read(self, choice: Mapping[str, Any]) -> None:
        self.begun = True
        delta = choice.get("delta") or choice.get("message") or {}
        if delta.get("content"):
            self.text.append(delta["content"])
        if delta.get("refusal"):
            self.refused.append(delta["refusal"])
        for place, piece in enumerate(delta.get("tool_calls") or ()):
            self._add(piece.get("index", place), piece)
        finish = choice.get("finish_reason")
        if finish:
            if finish not in STOPS:
                raise ErrorEventError({"message": f"the reply ended with {finish}"})
            self.stop = STOPS[finish]
            named = self.id or "call"
            self.uses = [call.use(f"{named}-{number}") for number, call in enumerate(self._calls, 1)]

    def _add(self, index: int, piece: Mapping[str, Any]) -> None:
        call, name = self._at.get(index), piece.get("id") or ""
        if call is None or (name and call.id and name != call.id):  # some servers give every call the same index
            call = self._at[index] = _Call(name)
            self._calls.append(call)
        function = piece.get("function") or {}
        said = function.get("name") or ""
        call.name += said if said != call.name else ""  # some servers say it with every piece
        arguments = function.get("arguments") or ""
        call.arguments.append(arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode())


class _Call:
    """A tool call, as far as it has come."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self, name: str) -> None:
        self.id = name
        self.name = ""
        self.arguments: list[str] = []

    def use(self, otherwise: str) -> ToolUse:
        return wish(self.id or otherwise, self.name, "".join(self.arguments))


def _usage(told: Mapping[str, Any]) -> Usage:
    of_input, of_output = told.get("prompt_tokens_details") or {}, told.get("completion_tokens_details") or {}
    return Usage(
        count(told, "prompt_tokens"), count(told, "completion_tokens"), count(of_input, "cached_tokens"),
        count(of_output, "reasoning_tokens"), count(of_input, "cache_write_tokens"),
    )  # fmt: skip


def _say(message: Message, into: list[dict[str, Any]]) -> None:
    texts, calls = [], []
    for part in message.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, ToolUse):
            called = {"name": part.name, "arguments": as_object(part.arguments)}
            calls.append({"id": part.id, "type": "function", "function": called})
        elif isinstance(part, ToolResult):
            into.append({"role": "tool", "tool_call_id": part.id, "content": part.text})
        else:
            raise unsupported(part, "openai")
    if message.role == "tool":
        return
    said: dict[str, Any] = {"role": message.role, "content": "\n".join(texts)}
    if calls:
        said["tool_calls"] = calls
    into.append(said)
