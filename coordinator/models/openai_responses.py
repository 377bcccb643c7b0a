"""OpenAI's responses: https://platform.openai.com/docs/api-reference/responses."""

from collections.abc import Mapping
from typing import Any

import orjson
from orjson import Fragment

from coordinator.domain.content import Message, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.adapter import Adapter, as_object
from coordinator.models.draft import Draft, ErrorEventError, count, signature_of, unsupported, wish
from coordinator.models.keys import RESPONSES
from coordinator.models.reasoning import SEALED, thinks
from coordinator.models.schemas import plain_name, strict

THOUGHT = ("type", "id", "summary", "encrypted_content")
"""What is sent again of a thought."""

STOPS = {"max_output_tokens": StopReason.MAX_TOKENS, "content_filter": StopReason.REFUSAL}


class OpenAIResponses(Adapter):
    """OpenAI's models by responses; the provider keeps none of them."""

    __slots__ = ()

    vendor = RESPONSES
    effort = "reasoning"

    def __init__(self, *, options: Mapping[str, Any] | None = None, **given: Any) -> None:
        super().__init__(options=_own_words(options or {}), **given)

    def access(self, key: str) -> dict[str, str]:
        """Return the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def path(self, model: str) -> str:
        """Return the same path for every model."""
        return "/responses"

    def ask(self, model: str, request: ModelRequest) -> tuple[dict[str, Any], Draft]:
        """Return a streamed request; the conversation goes with it, whole."""
        said: list[dict[str, Any]] = []
        for message in request.messages:
            _say(message, said, model)
        body: dict[str, Any] = {
            "model": model, "input": said, "max_output_tokens": request.max_output_tokens, "stream": True,
            "store": False,
        }  # fmt: skip
        if request.tools:
            body["tools"] = [*map(self.tools, request.tools)]
            if thinks("openai-responses", model, self.options):
                body["include"] = [*dict.fromkeys((*self.options.get("include", ()), SEALED))]
        if request.output is not None:
            body["text"] = {**self.options.get("text", {}), "format": self.formats(request.output)}
        return body, ResponseDraft(request)

    def tool(self, spec: ToolSpec) -> Fragment:
        """Write a tool as a function."""
        # Left out, `strict` would be true, and demand every field of every tool.
        told = {"type": "function", "name": spec.name, "description": spec.description, "parameters": spec.schema}
        return Fragment(orjson.dumps({**told, "strict": False}))

    def form(self, output: OutputSpec) -> Fragment:
        """Write the type of an answer for the strict mode, or as it is where that cannot say it."""
        schema = strict(output.schema)
        told = {"type": "json_schema", "name": plain_name(output.name), "schema": schema or output.schema}
        return Fragment(orjson.dumps({**told, "strict": schema is not None}))


class ResponseDraft(Draft):
    """A reply that comes in pieces, and at its end once more as a whole, which is what is read."""

    __slots__ = ("_thoughts",)

    def __init__(self, request: ModelRequest) -> None:
        super().__init__(request)
        self._thoughts: list[Any] = []
        """What was thought before the next call."""

    def read(self, event: Mapping[str, Any]) -> None:
        """Take in one event, or a whole response from a server that does not stream."""
        if event.get("object") == "response":
            self._read(event)
            return
        match event["type"]:
            case "response.completed" | "response.incomplete" | "response.failed":
                self._read(event["response"])
                self.ended = True
            case "error":
                raise ErrorEventError(event.get("error") or event)
            case "response.created" | "response.in_progress" | "response.queued":
                self.id = event["response"].get("id") or ""
            case _:
                self.begun = True

    def _read(self, response: Mapping[str, Any]) -> None:
        self.id, self.model = response.get("id") or "", response.get("model") or ""
        usage = response.get("usage")
        if usage:
            self.usage, self.begun = _usage(usage), True
        if response.get("error"):
            raise ErrorEventError(response["error"])
        for item in response["output"]:
            if item["type"] == "function_call":
                signature = orjson.dumps(self._thoughts).decode() if self._thoughts else ""
                self.uses.append(wish(item["call_id"], item["name"], item["arguments"], signature))
                self._thoughts = []
            elif item["type"] == "message":
                for part in item["content"]:
                    self._take(part)
            elif item["type"] == "reasoning" and item.get("encrypted_content"):
                self._thoughts.append({name: item[name] for name in THOUGHT if name in item})
        self.stop = self._stop(response)

    def _take(self, part: Mapping[str, Any]) -> None:
        if part["type"] == "output_text":
            self.text.append(part["text"])
        elif part["type"] == "refusal":
            self.refused.append(part["refusal"])

    def _stop(self, response: Mapping[str, Any]) -> StopReason:
        if response["status"] == "completed":
            return StopReason.END
        reason = (response.get("incomplete_details") or {}).get("reason")
        if reason not in STOPS:
            raise ErrorEventError({"message": f"the reply ended {response['status']} ({reason})"})
        if STOPS[reason] is StopReason.REFUSAL:
            self.refused = self.refused or self.text or ["the provider stopped it"]
        return STOPS[reason]


def _own_words(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return *options* with what only chat completions call so in the words of responses; both have one setting."""
    found = dict(options)
    if "reasoning_effort" in found:
        found["reasoning"] = {"effort": found.pop("reasoning_effort"), **found.get("reasoning", {})}
    if "verbosity" in found:
        found["text"] = {"verbosity": found.pop("verbosity"), **found.get("text", {})}
    return found


def _usage(told: Mapping[str, Any]) -> Usage:
    of_input, of_output = told.get("input_tokens_details") or {}, told.get("output_tokens_details") or {}
    return Usage(
        count(told, "input_tokens"), count(told, "output_tokens"), count(of_input, "cached_tokens"),
        count(of_output, "reasoning_tokens"), count(of_input, "cache_write_tokens"),
    )  # fmt: skip


def _say(message: Message, into: list[dict[str, Any]], model: str) -> None:
    uses = [part for part in message.parts if isinstance(part, ToolUse)]
    # What was thought first stood before the text, which stands before all calls.
    first = uses[0] if uses else None
    if first is not None:
        into.extend(_thoughts(first, model))
    for part in message.parts:
        if isinstance(part, Text):
            into.append({"role": message.role if message.role != "tool" else "user", "content": part.text})
        elif isinstance(part, ToolUse):
            into.extend(_thoughts(part, model) if part is not first else ())
            called = {"call_id": part.id, "name": part.name, "arguments": as_object(part.arguments)}
            into.append({"type": "function_call", **called})
        elif isinstance(part, ToolResult):
            into.append({"type": "function_call_output", "call_id": part.id, "output": part.text})
        else:
            raise unsupported(part, "openai-responses")


def _thoughts(use: ToolUse, model: str) -> list[Any]:
    signature = signature_of(use, "openai-responses", model)
    found: list[Any] = orjson.loads(signature) if signature else []
    return found
