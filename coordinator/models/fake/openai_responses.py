"""The server's side of responses: https://platform.openai.com/docs/api-reference/responses-streaming."""

import math
from collections.abc import Iterator, Mapping, Sequence

from coordinator.domain.content import Message, StopReason, Text, ToolUse
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.fake import openai_errors as openai
from coordinator.models.fake.openai_chat import NOT_JSON
from coordinator.models.fake.wire import (
    Asked,
    Headers,
    Json,
    Limits,
    Said,
    Wire,
    WireError,
    event,
    instructions,
    parsed,
    pieces,
    plain,
    result,
    right_name,
    typed,
    typed_as,
)
from coordinator.models.keys import RESPONSES
from coordinator.models.reasoning import SEALED, thinks

KNOWN = frozenset(
    "model input background conversation include instructions max_output_tokens max_tool_calls metadata"
    " parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_retention reasoning"
    " safety_identifier service_tier store stream stream_options temperature text tool_choice tools top_logprobs top_p"
    " truncation user".split()
)
THOUGHT: Json = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "d2hhdCB0aGUgbW9kZWwgdGhpbmtz"}
REASONS = {StopReason.MAX_TOKENS: "max_output_tokens"}


class ResponsesWire(Wire):
    """OpenAI's responses."""

    vendor = RESPONSES

    def read(self, path: str, body: bytes) -> Asked:
        """Read a request for a response."""
        told = parsed(body, NOT_JSON)
        openai.check_fields(told, KNOWN, ("model", "input"))
        if told.get("previous_response_id"):
            raise WireError(
                "bad_request", f"Previous response with id '{told['previous_response_id']}' not found.",
                param="previous_response_id", wire_code="previous_response_not_found",
            )  # fmt: skip
        tools = tuple(_tool(tool, place) for place, tool in enumerate(told.get("tools") or ()))
        choice = told.get("tool_choice")
        offered, output = typed(tools, choice["name"] if isinstance(choice, dict) else "", choice == "required")
        answer = "" if output is None else next(tool.name for tool in tools if tool not in offered)
        output = _format((told.get("text") or {}).get("format")) or output
        said = told["input"] if isinstance(told["input"], list) else [{"role": "user", "content": told["input"]}]
        messages = (*((instructions(told["instructions"]),) if told.get("instructions") else ()), *_messages(said))
        request = ModelRequest(messages, offered, output, told["model"], int(told.get("max_output_tokens") or 4096))
        sealed = SEALED in (told.get("include") or ())
        if sealed and not thinks("openai-responses", told["model"], told):
            raise WireError("bad_request", "Encrypted content is not supported with this model.", param="include")
        return Asked(request, bool(told.get("stream")), answer, thoughts=sealed)

    def key(self, headers: Headers, query: Mapping[str, str]) -> str:
        """Return the bearer token."""
        return openai.bearer(headers)

    def whole(self, said: Said) -> Json:
        """Return a response."""
        reply = said.reply
        reason = REASONS.get(reply.stop)
        return {
            **_head(said, "incomplete" if reason else "completed"), "output": _items(said),
            "incomplete_details": {"reason": reason} if reason else None,
            "usage": _usage(reply.usage) if said.counted else None,
        }  # fmt: skip

    def events(self, said: Said) -> list[bytes]:
        """Return all events of a response, numbered in order."""
        whole = self.whole(said)
        begun = {**_head(said, "in_progress"), "output": [], "usage": None}
        told: list[tuple[str, Json]] = [
            ("response.created", {"response": begun}), ("response.in_progress", {"response": begun})
        ]  # fmt: skip
        for index, item in enumerate(whole["output"]):
            told += _grown(index, item)
        told.append((f"response.{whole['status']}", {"response": whole}))
        return [
            event({"type": name, "sequence_number": number, **held}, name) for number, (name, held) in enumerate(told)
        ]

    def broken(self, error: WireError, number: str) -> bytes:
        """Return an error event."""
        told = self.error(error, number)[1]["error"]
        code = told["code"] or told["type"]
        body = {"code": code, "message": told["message"], "param": told["param"], "sequence_number": 3}
        return event({"type": "error", **body}, "error")

    def error(self, error: WireError, number: str) -> tuple[int, Json]:
        """Return the error as OpenAI says it."""
        if error.kind == "too_long":
            error.message = (
                "Your input exceeds the context window of this model. Please adjust your input and try again."
            )
        return openai.error_of(error)

    def models(self, names: Sequence[str]) -> Json:
        """Return the list of models."""
        return openai.model_list(names)

    def quota(self, limits: Limits, now: float) -> dict[str, str]:
        """Return the headers x-ratelimit-*."""
        return openai.quota_of(limits)

    def waiting(self, seconds: float) -> dict[str, str]:
        """Return the time to wait in seconds, and in milliseconds."""
        return {**super().waiting(seconds), "retry-after-ms": str(math.ceil(seconds * 1000))}


def _head(said: Said, status: str) -> Json:
    request = said.asked.request
    return {
        "id": f"resp_{said.id}", "object": "response", "created_at": said.at, "status": status, "error": None,
        "incomplete_details": None, "instructions": None, "max_output_tokens": request.max_output_tokens,
        "model": request.model, "parallel_tool_calls": True, "previous_response_id": None, "store": False,
        "tool_choice": "auto", "truncation": "disabled", "metadata": {},
    }  # fmt: skip


def _items(said: Said) -> list[Json]:
    reply, items = said.reply, [THOUGHT] if said.asked.thoughts and said.reply.tool_uses else []
    status = "incomplete" if reply.stop is StopReason.MAX_TOKENS else "completed"
    if reply.text or not reply.tool_uses:
        part: Json = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        if reply.stop is StopReason.REFUSAL:
            part = {"type": "refusal", "refusal": reply.text}
        items.append(
            {"id": f"msg_{said.id}", "type": "message", "role": "assistant", "status": status, "content": [part]}
        )  # fmt: skip
    for number, use in enumerate(reply.tool_uses):
        called = {"call_id": use.id, "name": use.name, "arguments": use.arguments}
        items.append({"id": f"fc_{said.id}_{number}", "type": "function_call", "status": status, **called})
    return items


def _grown(index: int, item: Json) -> Iterator[tuple[str, Json]]:
    """Yield the events by which *item* comes to be."""
    at = {"output_index": index}
    inside = {**at, "item_id": item["id"]}
    empty: Json = {"arguments": ""} if item["type"] == "function_call" else {"content": []}
    if item["type"] == "reasoning":
        yield "response.output_item.added", {**at, "item": {**item, "encrypted_content": ""}}
        yield "response.output_item.done", {**at, "item": item}
        return
    yield "response.output_item.added", {**at, "item": {**item, "status": "in_progress", **empty}}
    if item["type"] == "function_call":
        for piece in pieces(item["arguments"]):
            yield "response.function_call_arguments.delta", {**inside, "delta": piece}
        done = {"arguments": item["arguments"], "name": item["name"]}
        yield "response.function_call_arguments.done", {**inside, **done}
    else:
        part, inside = item["content"][0], {**inside, "content_index": 0}
        word = "text" if part["type"] == "output_text" else "refusal"
        yield "response.content_part.added", {**inside, "part": {**part, word: ""}}
        for piece in pieces(part[word]):
            yield f"response.{part['type']}.delta", {**inside, "delta": piece}
        yield f"response.{part['type']}.done", {**inside, word: part[word]}
        yield "response.content_part.done", {**inside, "part": part}
    yield "response.output_item.done", {**at, "item": item}


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens, "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }  # fmt: skip


def _tool(tool: Json, place: int) -> ToolSpec:
    if not right_name(tool.get("name")):
        raise WireError(
            "bad_request", f"Missing required parameter: 'tools[{place}].name'.", param=f"tools[{place}].name"
        )
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    if tool.get("strict", True) or schema.get("type") != "object":
        openai.check_strict(schema, tool["name"], f"function.{place}")
    return ToolSpec.of(tool["name"], tool.get("description") or "", schema)


def _format(told: Json | None) -> OutputSpec | None:
    if not told or told["type"] == "text":
        return None
    if told["type"] == "json_object":
        return OutputSpec.of("answer", {"type": "object", "properties": {}})
    if not right_name(told.get("name")):
        raise WireError("bad_request", "Missing required parameter: 'text.format.name'.", param="text.format.name")
    if told.get("strict"):
        openai.check_strict(told["schema"], told["name"], "text.format")
    return typed_as(told["name"], told["schema"])


def _messages(told: Sequence[Json]) -> tuple[Message, ...]:
    found: list[Message] = []
    names: dict[str, str] = {}
    answered: set[str] = set()
    for place, item in enumerate(told):
        kind, role = item.get("type", "message"), item.get("role")
        if kind == "function_call":
            names[item["call_id"]] = item["name"]
            found.append(Message("assistant", (ToolUse(item["call_id"], item["name"], item["arguments"]),)))
        elif kind == "function_call_output":
            use = item["call_id"]
            if use not in names:
                raise WireError(
                    "bad_request", f"No tool call found for function call output with call_id {use}.", param="input"
                )
            answered.add(use)
            found.append(Message("tool", (result(use, names[use], plain(item["output"])),)))
        elif kind == "message" and role in ("system", "developer"):
            found.append(instructions(plain(item["content"])))
        elif kind == "message" and role in ("user", "assistant"):
            found.append(Message(role, (Text(plain(item["content"])),)))
        elif kind == "reasoning":
            _check_thought(told, place)
        else:
            raise WireError("bad_request", f"Invalid value: {role or kind!r}.", param=f"input[{place}]")
    _check_answered(names, answered)
    return tuple(found)


def _check_thought(told: Sequence[Json], place: int) -> None:
    item = told[place]
    if item.get("encrypted_content") != THOUGHT["encrypted_content"]:
        raise WireError("bad_request", f"The encrypted content for item {item.get('id')} could not be verified.")
    if place + 1 == len(told) or told[place + 1].get("type") not in ("function_call", "reasoning", None):
        why = f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
        raise WireError("bad_request", why)


def _check_answered(names: Mapping[str, str], answered: set[str]) -> None:
    for use in names:
        if use not in answered:
            raise WireError("bad_request", f"No tool output found for function call {use}.", param="input")
