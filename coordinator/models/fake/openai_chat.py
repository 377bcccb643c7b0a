"""The server's side of chat completions: https://platform.openai.com/docs/api-reference/chat."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coordinator.domain.content import Message, StopReason, Text, ToolUse
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.fake import openai_errors as openai
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
from coordinator.models.keys import OPENAI
from coordinator.models.reasoning import acts_or_thinks

KNOWN = frozenset(
    "model messages audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens"
    " max_tokens metadata modalities n parallel_tool_calls prediction presence_penalty prompt_cache_key"
    " prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream"
    " stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options".split()
)
STOPS = {
    StopReason.END: "stop", StopReason.TOOL_USE: "tool_calls", StopReason.MAX_TOKENS: "length",
    StopReason.REFUSAL: "stop",
}  # fmt: skip
NOT_JSON = "We could not parse the JSON body of your request."


class ChatWire(Wire):
    """OpenAI's chat completions."""

    vendor = OPENAI
    stop = b"data: [DONE]\n\n"

    def read(self, path: str, body: bytes) -> Asked:
        """Read a request for a completion."""
        told = parsed(body, NOT_JSON)
        openai.check_fields(told, KNOWN, ("model", "messages"))
        tools = tuple(_tool(tool, place) for place, tool in enumerate(told.get("tools") or ()))
        choice = told.get("tool_choice")
        forced = choice["function"]["name"] if isinstance(choice, dict) else ""
        offered, output = typed(tools, forced, choice == "required")
        answer = "" if output is None else next(tool.name for tool in tools if tool not in offered)
        output = _format(told.get("response_format")) or output
        most = told.get("max_completion_tokens") or told.get("max_tokens") or 4096
        request = ModelRequest(_messages(told["messages"]), offered, output, told["model"], int(most))
        if tools and acts_or_thinks(told["model"]):
            _check_thoughts(told)
        usage = bool((told.get("stream_options") or {}).get("include_usage"))
        return Asked(request, bool(told.get("stream")), answer, usage)

    def key(self, headers: Headers, query: Mapping[str, str]) -> str:
        """Return the bearer token."""
        return openai.bearer(headers)

    def whole(self, said: Said) -> Json:
        """Return a completion."""
        reply = said.reply
        message: Json = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
        if reply.stop is StopReason.REFUSAL:
            message |= {"content": None, "refusal": reply.text}
        if reply.tool_uses:
            message["tool_calls"] = [_call(use) for use in reply.tool_uses]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": STOPS[reply.stop]}
        used = {"usage": _usage(reply.usage)} if said.counted else {}
        return {**_head(said, "chat.completion"), "choices": [choice], **used}

    def events(self, said: Said) -> list[bytes]:
        """Return the chunks, and after them the usage where it was asked for."""
        head = _head(said, "chat.completion.chunk")
        unused = {"usage": None} if said.asked.usage else {}
        chunks = [event({**head, "choices": [choice], **unused}) for choice in _choices(said)]
        if said.asked.usage and said.counted:
            chunks.append(event({**head, "choices": [], "usage": _usage(said.reply.usage)}))
        return [*chunks, self.stop]

    def broken(self, error: WireError, number: str) -> bytes:
        """Return an event that holds an error in place of a chunk."""
        return event(self.error(error, number)[1])

    def error(self, error: WireError, number: str) -> tuple[int, Json]:
        """Return the error as OpenAI says it."""
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


def _head(said: Said, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{said.id}", "object": kind, "created": said.at, "model": said.asked.request.model,
        "service_tier": "default", "system_fingerprint": "fp_fake",
    }  # fmt: skip


def _choices(said: Said) -> Iterator[Json]:
    reply = said.reply
    word = "refusal" if reply.stop is StopReason.REFUSAL else "content"
    deltas: list[Json] = [{"role": "assistant", "content": None if reply.tool_uses else "", "refusal": None}]
    deltas += [{word: piece} for piece in pieces(reply.text)]
    for index, use in enumerate(reply.tool_uses):
        called = _call(use)
        deltas.append({"tool_calls": [{"index": index, **called, "function": {"name": use.name, "arguments": ""}}]})
        grown = ({"index": index, "function": {"arguments": piece}} for piece in pieces(use.arguments))
        deltas += [{"tool_calls": [piece]} for piece in grown]
    for delta in deltas:
        yield {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    yield {"index": 0, "delta": {}, "logprobs": None, "finish_reason": STOPS[reply.stop]}


def _call(use: ToolUse) -> Json:
    return {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": use.arguments}}


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens, "audio_tokens": 0, "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }  # fmt: skip


def _check_thoughts(told: Json) -> None:
    """Check that a request with tools asks for no thoughts; models after GPT-5.4 think unless they are told."""
    model = told["model"]
    if told.get("reasoning_effort", "none" if model.startswith("gpt-5.4") else "medium") != "none":
        raise WireError(
            "bad_request", f"Function tools with reasoning_effort are not supported for {model} in"
            " /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
            param="reasoning_effort",
        )  # fmt: skip


def _tool(tool: Json, place: int) -> ToolSpec:
    function = tool["function"]
    if not right_name(function.get("name")):
        raise WireError(
            "bad_request", f"Invalid 'tools[{place}].function.name': string does not match pattern. Expected a string "
            "that matches the pattern '^[a-zA-Z0-9_-]+$'.", param=f"tools[{place}].function.name",
        )  # fmt: skip
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    if function.get("strict") or schema.get("type") != "object":
        openai.check_strict(schema, function["name"], f"function.{place}")
    return ToolSpec.of(function["name"], function.get("description") or "", schema)


def _format(told: Json | None) -> OutputSpec | None:
    if not told or told["type"] == "text":
        return None
    if told["type"] == "json_object":
        return OutputSpec.of("answer", {"type": "object", "properties": {}})
    held = told["json_schema"]
    if not right_name(held.get("name")):
        raise WireError("bad_request", "Missing required parameter: 'response_format.json_schema.name'.")
    if held.get("strict"):
        openai.check_strict(held["schema"], held["name"], "response_format")
    return typed_as(held["name"], held["schema"])


def _messages(told: Sequence[Json]) -> tuple[Message, ...]:
    found: list[Message] = []
    open_calls: dict[str, str] = {}
    for place, message in enumerate(told):
        role, text = message["role"], plain(message.get("content"))
        if role == "tool":
            use = message["tool_call_id"]
            if use not in open_calls:
                why = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise WireError("bad_request", f"Invalid parameter: {why}", param=f"messages.[{place}].role")
            found.append(Message("tool", (result(use, open_calls.pop(use), text),)))
            continue
        _check_answered(open_calls)
        if role in ("system", "developer"):
            found.append(instructions(text))
        elif role == "user":
            found.append(Message("user", (Text(text),)))
        elif role == "assistant":
            uses = [_use(call) for call in message.get("tool_calls") or ()]
            open_calls.update((use.id, use.name) for use in uses)
            found.append(Message("assistant", (*((Text(text),) if text else ()), *uses)))
        else:
            raise WireError("bad_request", f"Invalid value: {role!r}.", param=f"messages[{place}].role")
    _check_answered(open_calls)
    return tuple(found)


def _use(call: Json) -> ToolUse:
    return ToolUse(call["id"], call["function"]["name"], call["function"]["arguments"])


def _check_answered(open_calls: Mapping[str, Any]) -> None:
    if open_calls:
        raise WireError(
            "bad_request", "An assistant message with 'tool_calls' must be followed by tool messages responding to"
            " each 'tool_call_id'. The following tool_call_ids did not have response messages:"
            f" {', '.join(open_calls)}", param="messages",
        )  # fmt: skip
