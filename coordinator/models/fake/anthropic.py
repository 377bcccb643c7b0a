"""The server's side of Anthropic's messages: https://docs.claude.com/en/api/messages and .../api/errors."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from coordinator.domain.content import Message, Part, StopReason, Text, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.fake.anthropic_answers import answer_of
from coordinator.models.fake.anthropic_thoughts import check_thinking, check_thoughts, grown, thoughts_of
from coordinator.models.fake.wire import (
    Asked,
    Headers,
    Json,
    Limits,
    Said,
    Wire,
    WireError,
    arguments_of,
    event,
    instructions,
    parsed,
    pieces,
    plain,
    result,
    right_name,
)
from coordinator.models.keys import ANTHROPIC
from coordinator.models.reasoning import THOUGHTS, thinks

KNOWN = frozenset(
    "model messages max_tokens cache_control container context_management mcp_servers metadata output_config"
    " output_format service_tier stop_sequences stream system temperature thinking tool_choice tools top_k"
    " top_p".split()
)
STOPS = {
    StopReason.END: "end_turn", StopReason.TOOL_USE: "tool_use", StopReason.MAX_TOKENS: "max_tokens",
    StopReason.REFUSAL: "refusal",
}  # fmt: skip
_ERRORS: dict[str, tuple[int, str, str]] = {
    "bad_request": (400, "invalid_request_error", "{message}"),
    "bad_key": (401, "authentication_error", "invalid x-api-key"),
    "missing_key": (401, "authentication_error", "x-api-key header is required"),
    "denied": (403, "permission_error", "Your API key does not have permission to use the specified resource."),
    "no_quota": (
        400, "invalid_request_error",
        ("Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or"
        " purchase credits."),
    ),
    "no_such_model": (404, "not_found_error", "model: {model}"),
    "not_found": (404, "not_found_error", "Not Found"),
    "too_long": (400, "invalid_request_error", "prompt is too long: {tokens} tokens > {most} maximum"),
    "throttled": (
        429, "rate_limit_error",
        ("This request would exceed your organization's rate limit of {limit} {unit} per minute. Please reduce the"
        " number of requests or the length of the prompts, or try again later."),
    ),
    "server_error": (500, "api_error", "Internal server error"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
}  # fmt: skip


class AnthropicWire(Wire):
    """Anthropic's messages."""

    vendor = ANTHROPIC

    def read(self, path: str, body: bytes) -> Asked:
        """Read a request for a message."""
        told = parsed(body, "The request body is not valid JSON.")
        _check_fields(told)
        tools = tuple(_tool(tool, place) for place, tool in enumerate(told.get("tools") or ()))
        thinking = thinks("anthropic", told["model"], told)
        if thinking:
            check_thinking(told)
        offered, output, answer = answer_of(told, tools)
        system = (instructions(plain(told["system"])),) if told.get("system") else ()
        messages = (*system, *_messages(told["messages"]))
        request = ModelRequest(messages, offered, output, told["model"], int(told["max_tokens"]))
        return Asked(request, bool(told.get("stream")), answer, thoughts=thinking)

    def key(self, headers: Headers, query: Mapping[str, str]) -> str:
        """Return the key of the header x-api-key."""
        if "anthropic-version" not in headers:
            raise WireError("bad_request", "anthropic-version: header is required")
        return headers.get("x-api-key", "")

    def whole(self, said: Said) -> Json:
        """Return a message."""
        reply = said.reply
        return {
            **_head(said), "content": [*thoughts_of(said), *_blocks(reply)], "stop_reason": STOPS[reply.stop],
            "stop_sequence": None,
            **({"usage": _usage(reply.usage)} if said.counted else {}),
        }  # fmt: skip

    def events(self, said: Said) -> list[bytes]:
        """Return the events of a message."""
        reply = said.reply
        begun = {"usage": {**_usage(reply.usage), "output_tokens": 1}}
        head = {**_head(said), "content": [], "stop_reason": None, "stop_sequence": None}
        told: list[Json] = [{"type": "message_start", "message": {**head, **(begun if said.counted else {})}}]
        written = [*([reply.text] if reply.text else ()), *(use.arguments for use in reply.tool_uses)]
        thoughts = thoughts_of(said)
        for index, block in enumerate(thoughts):
            told += grown(index, block)
        for index, (block, text) in enumerate(zip(_blocks(reply), written, strict=True), len(thoughts)):
            told += _grown(index, block, text)
            told += [{"type": "ping"}] if index == len(thoughts) else []
        used = {"usage": {"output_tokens": reply.usage.output_tokens}} if said.counted else {}
        told.append(
            {"type": "message_delta", "delta": {"stop_reason": STOPS[reply.stop], "stop_sequence": None}, **used}
        )  # fmt: skip
        told.append({"type": "message_stop"})
        return [event(one, one["type"]) for one in told]

    def broken(self, error: WireError, number: str) -> bytes:
        """Return an error event."""
        return event(self.error(error, number)[1], "error")

    def error(self, error: WireError, number: str) -> tuple[int, Json]:
        """Return the error as Anthropic says it."""
        status, kind, words = _ERRORS[error.kind]
        facts = {"limit": "?", "unit": "requests", "message": error.message, "model": "", **error.facts}
        told = {"type": kind, "message": error.message or words.format_map(facts)}
        return status, {"type": "error", "error": told, "request_id": number}

    def models(self, names: Sequence[str]) -> Json:
        """Return the list of models."""
        data = [{"type": "model", "id": name, "display_name": name} for name in names]
        return {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}

    def quota(self, limits: Limits, now: float) -> dict[str, str]:
        """Return the headers anthropic-ratelimit-*."""
        told = {}
        for name, left in limits.items():
            whole = datetime.fromtimestamp(math.ceil(now + left.reset_s), UTC)
            told[f"anthropic-ratelimit-{name}-limit"] = str(left.limit)
            told[f"anthropic-ratelimit-{name}-remaining"] = str(left.left)
            told[f"anthropic-ratelimit-{name}-reset"] = whole.strftime("%Y-%m-%dT%H:%M:%SZ")
        return told

    def named(self, number: str) -> dict[str, str]:
        """Return the header request-id."""
        return {"request-id": number}


def _head(said: Said) -> Json:
    return {"id": f"msg_{said.id}", "type": "message", "role": "assistant", "model": said.asked.request.model}


def _blocks(reply: ModelReply) -> Iterator[Json]:
    if reply.text:
        yield {"type": "text", "text": reply.text}
    for use in reply.tool_uses:
        yield {"type": "tool_use", "id": use.id, "name": use.name, "input": arguments_of(use)}


def _grown(index: int, block: Json, written: str) -> Iterator[Json]:
    """Yield the events by which *block* comes to be, of which *written* is what comes in pieces."""
    kind, field = "text_delta", "text"
    empty: Json = {"text": ""}
    if block["type"] == "tool_use":
        kind, field, empty = "input_json_delta", "partial_json", {"input": {}}
    yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
    for piece in pieces(written):
        yield {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}}
    yield {"type": "content_block_stop", "index": index}


def _usage(usage: Usage) -> Json:
    plainly = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    return {
        "input_tokens": plainly, "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens, "output_tokens": usage.output_tokens,
        "service_tier": "standard",
    }  # fmt: skip


def _check_fields(told: Mapping[str, Any]) -> None:
    for name in ("model", "max_tokens", "messages"):
        if name not in told:
            raise WireError("bad_request", f"{name}: Field required")
    for name in told:
        if name not in KNOWN:
            raise WireError("bad_request", f"{name}: Extra inputs are not permitted")
    if told["max_tokens"] < 1:
        raise WireError("bad_request", "max_tokens: Input should be greater than or equal to 1")
    if not told["messages"]:
        raise WireError("bad_request", "messages: at least one message is required")


def _tool(tool: Json, place: int) -> ToolSpec:
    if not right_name(tool.get("name")):
        why = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
        raise WireError("bad_request", f"tools.{place}.custom.name: {why}")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        raise WireError("bad_request", f"tools.{place}.custom.input_schema: Field required")
    if schema.get("type") != "object":
        raise WireError("bad_request", f"tools.{place}.custom.input_schema.type: Input should be 'object'")
    return ToolSpec.of(tool["name"], tool.get("description") or "", schema)


def _messages(told: Sequence[Json]) -> tuple[Message, ...]:
    found: list[Message] = []
    open_calls: dict[str, str] = {}
    role = "user"
    for place, message in enumerate(told):
        blocks = _content(message, place)
        if (role, message["role"]) == ("user", "assistant"):
            _check_answered(open_calls, place)
        role = message["role"]
        if role == "assistant":
            check_thoughts(blocks, place)
            spoken = [block for block in blocks if block["type"] not in THOUGHTS]
            parts = [_part(block, place, at) for at, block in enumerate(spoken)]
            open_calls.update({part.id: part.name for part in parts if isinstance(part, ToolUse)})
            found.append(Message("assistant", tuple(parts)))
        else:
            found += _asking(blocks, place, open_calls)
    _check_answered(open_calls, len(told))
    return tuple(found)


def _content(message: Json, place: int) -> list[Json]:
    """Return the content of *message* in blocks."""
    if message["role"] not in ("user", "assistant"):
        raise WireError("bad_request", f"messages.{place}.role: Input should be 'user' or 'assistant'")
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    if not blocks:
        raise WireError("bad_request", f"messages.{place}: all messages must have non-empty content")
    return blocks


def _asking(blocks: Sequence[Json], place: int, open_calls: dict[str, str]) -> Iterator[Message]:
    """Yield the results of tools in a message of the user, which are taken off *open_calls*, and then what is said."""
    texts = []
    for at, block in enumerate(blocks):
        if block["type"] != "tool_result":
            texts.append(_part(block, place, at))
            continue
        use = block["tool_use_id"]
        if use not in open_calls:
            raise WireError(
                "bad_request", f"messages.{place}.content.{at}: unexpected `tool_use_id` found in `tool_result` blocks:"
                f" {use}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
            )  # fmt: skip
        yield Message("tool", (result(use, open_calls.pop(use), plain(block.get("content"))),))
    if texts:
        yield Message("user", tuple(texts))


def _part(block: Json, place: int, at: int) -> Part:
    if block["type"] == "text":
        if not block["text"].strip():
            raise WireError("bad_request", "messages: text content blocks must be non-empty")
        return Text(block["text"])
    if block["type"] == "tool_use" and isinstance(block["input"], dict) and right_name(block["id"]):
        return ToolUse(block["id"], block["name"], orjson.dumps(block["input"]).decode())
    raise WireError("bad_request", f"messages.{place}.content.{at}: Input does not match any of the expected tags")


def _check_answered(open_calls: Mapping[str, str], place: int) -> None:
    if open_calls:
        raise WireError(
            "bad_request", f"messages.{place - 1}: `tool_use` ids were found without `tool_result` blocks immediately"
            f" after: {', '.join(open_calls)}. Each `tool_use` block must have a corresponding `tool_result` block in"
            " the next message.",
        )  # fmt: skip
