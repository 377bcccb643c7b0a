"""The server's side of Google's generateContent: https://ai.google.dev/api/generate-content."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import orjson

from coordinator.domain.content import Message, Part, StopReason, Text, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.fake.wire import (
    Asked,
    Headers,
    Json,
    Said,
    Wire,
    WireError,
    arguments_of,
    instructions,
    parsed,
    pieces,
    plain,
    result,
    right_name,
    typed,
    typed_as,
)
from coordinator.models.keys import GOOGLE
from coordinator.models.reasoning import FOREIGN, signs

KNOWN = frozenset(
    "contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent model store".split()
)
STOPS = {
    StopReason.END: "STOP", StopReason.TOOL_USE: "STOP", StopReason.MAX_TOKENS: "MAX_TOKENS",
    StopReason.REFUSAL: "SAFETY",
}  # fmt: skip
_ERRORS: dict[str, tuple[int, str, str]] = {
    "bad_request": (400, "INVALID_ARGUMENT", "{message}"),
    "bad_key": (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    "missing_key": (
        403, "PERMISSION_DENIED",
        ("Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other"
        " form of API consumer identity to call this API."),
    ),
    "denied": (403, "PERMISSION_DENIED", "The caller does not have permission"),
    "no_quota": (
        429, "RESOURCE_EXHAUSTED",
        "Your prepayment credits are depleted: insufficient_quota. Please check your plan and billing details.",
    ),
    "no_such_model": (
        404, "NOT_FOUND",
        ("models/{model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels"
        " to see the list of available models and their supported methods."),
    ),
    "not_found": (404, "NOT_FOUND", "Requested entity was not found."),
    "too_long": (
        400, "INVALID_ARGUMENT",
        "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({most}).",
    ),
    "throttled": (
        429, "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "server_error": (
        500, "INTERNAL",
        ("An internal error has occurred. Please retry or report in"
        " https://developers.generativeai.google/guide/troubleshooting"),
    ),
    "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
}  # fmt: skip
SIGNATURE = base64.b64encode(b"what the model thought").decode()
_TYPES = "type.googleapis.com/google.rpc."


class GoogleWire(Wire):
    """Google's generateContent and streamGenerateContent."""

    vendor = GOOGLE

    def read(self, path: str, body: bytes) -> Asked:
        """Read a request for content; the model and the way it is answered stand in *path*."""
        told = parsed(body, "Invalid JSON payload received. Unexpected token.")
        for name in told:
            if name not in KNOWN:
                why = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
                raise WireError("bad_request", why)
        if not told.get("contents"):
            raise WireError("bad_request", "* GenerateContentRequest.contents: contents is not specified\n")
        place, _, query = path.partition("?")
        model, _, method = unquote(place.rpartition("/models/")[2]).partition(":")
        _check_signed(model, told["contents"])
        settings = told.get("generationConfig") or {}
        offered, output, answer = _offers(told, settings)
        system = told.get("systemInstruction")
        messages = (*((instructions(plain(system["parts"])),) if system else ()), *_messages(told["contents"]))
        request = ModelRequest(messages, offered, output, model, int(settings.get("maxOutputTokens") or 8192))
        stream = method == "streamGenerateContent"
        return Asked(request, stream, answer, array=stream and "alt=sse" not in query.split("&"))

    def key(self, headers: Headers, query: Mapping[str, str]) -> str:
        """Return the key of the header x-goog-api-key, or of the query."""
        return headers.get("x-goog-api-key", "") or query.get("key", "")

    def whole(self, said: Said) -> Json:
        """Return a reply with one candidate."""
        return _response(said, list(_parts(said.reply, whole=True)), ended=True)

    def events(self, said: Said) -> list[bytes]:
        """Return the pieces, each of which is shaped like the whole; only the last says why it ends."""
        parts = list(_parts(said.reply, whole=False)) or [{"text": ""}]
        told = [_response(said, [part], ended=part is parts[-1]) for part in parts]
        return [b"data: " + orjson.dumps(one) + b"\r\n\r\n" for one in told]

    def broken(self, error: WireError, number: str) -> bytes:
        """Return an event that holds an error in place of a candidate."""
        return b"data: " + orjson.dumps(self.error(error, number)[1]) + b"\r\n\r\n"

    def error(self, error: WireError, number: str) -> tuple[int, Json]:
        """Return the error as Google says it; the time to wait stands in its details."""
        status, word, words = _ERRORS[error.kind]
        facts = {"message": error.message, "model": "", **error.facts}
        told: Json = {"code": status, "message": error.message or words.format_map(facts), "status": word}
        details = _details(error)
        return status, {"error": {**told, "details": details} if details else told}

    def models(self, names: Sequence[str]) -> Json:
        """Return the list of models."""
        methods = {"supportedGenerationMethods": ["generateContent"]}
        return {"models": [{"name": f"models/{name}", "displayName": name, **methods} for name in names]}

    def waiting(self, seconds: float) -> dict[str, str]:
        """Return nothing: the body says it."""
        return {}

    def named(self, number: str) -> dict[str, str]:
        """Return nothing: the reply itself has an id."""
        return {}


def _details(error: WireError) -> list[Json]:
    facts = error.facts
    if error.kind == "bad_key":
        told = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        return [{"@type": f"{_TYPES}ErrorInfo", **told, "metadata": {"service": "generativelanguage.googleapis.com"}}]
    if error.kind != "throttled":
        return []
    unit = facts.get("unit", "requests")
    violation = {
        "quotaMetric": f"generativelanguage.googleapis.com/generate_content_{unit}",
        "quotaId": f"GenerateContent{unit.title()}PerMinutePerProjectPerModel",
        "quotaDimensions": {"location": "global", "model": facts.get("model", "")},
        "quotaValue": str(facts.get("limit", "")),
    }
    details: list[Json] = [{"@type": f"{_TYPES}QuotaFailure", "violations": [violation]}]
    if facts.get("retry_after") is not None:
        wait = math.ceil(facts["retry_after"] * 1000) / 1000
        details.append({"@type": f"{_TYPES}RetryInfo", "retryDelay": f"{wait:g}s"})
    return details


def _response(said: Said, parts: list[Json], *, ended: bool) -> Json:
    reply = said.reply
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if ended:
        candidate["finishReason"] = STOPS[reply.stop]
    used = {"usageMetadata": _usage(reply.usage)} if said.counted and ended else {}
    return {"candidates": [candidate], **used, "modelVersion": said.asked.request.model, "responseId": said.id}


def _parts(reply: ModelReply, *, whole: bool) -> Iterator[Json]:
    texts = [reply.text] if whole and reply.text else pieces(reply.text)
    yield from ({"text": text} for text in texts)
    for use in reply.tool_uses:
        called: Json = {"functionCall": {"id": use.id, "name": use.name, "args": arguments_of(use)}}
        # Of the calls of one step the first alone is signed.
        yield {**called, "thoughtSignature": SIGNATURE} if use is reply.tool_uses[0] else called


def _usage(usage: Usage) -> Json:
    told: Json = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input_tokens}],
    }
    if usage.cached_tokens:
        told["cachedContentTokenCount"] = usage.cached_tokens
    if usage.reasoning_tokens:
        told["thoughtsTokenCount"] = usage.reasoning_tokens
    return told


def _offers(told: Json, settings: Json) -> tuple[tuple[ToolSpec, ...], OutputSpec | None, str]:
    """Return the tools, the type of the answer, and the tool by which it is handed in."""
    declared = [one for tool in told.get("tools") or () for one in tool.get("functionDeclarations") or ()]
    tools = tuple(_tool(one, place) for place, one in enumerate(declared))
    if settings.get("responseMimeType") == "application/json":
        if tools:
            why = "Function calling with a response mime type: 'application/json' is unsupported"
            raise WireError("bad_request", why)
        schema = settings.get("responseJsonSchema") or settings.get("responseSchema") or {"type": "object"}
        return tools, typed_as("answer", _usual(schema)), ""
    calling = (told.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed = calling.get("allowedFunctionNames") or []
    offered, output = typed(tools, allowed[0] if len(allowed) == 1 else "", calling.get("mode") == "ANY")
    return offered, output, "" if output is None else next(tool.name for tool in tools if tool not in offered)


def _tool(declared: Json, place: int) -> ToolSpec:
    where = f"tools[0].function_declarations[{place}]"
    if not right_name(declared.get("name")):
        raise WireError(
            "bad_request", f"* GenerateContentRequest.{where}.name: Invalid function name. Must start with a letter or"
            " an underscore.\n",
        )  # fmt: skip
    schema = _usual(declared.get("parametersJsonSchema") or declared.get("parameters") or {"type": "object"})
    if schema.get("type") != "object":
        why = "schema at top-level must be of type OBJECT"
        raise WireError("bad_request", f"* GenerateContentRequest.{where}.parameters: {why}\n")
    return ToolSpec.of(declared["name"], declared.get("description") or "", schema)


def _usual(schema: Any) -> Any:
    """Return *schema* as JSON Schema has it: Google writes types in capitals too, and a constant as the only choice."""
    if isinstance(schema, list):
        return [_usual(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and not all(name.startswith("$") for name in schema):
        raise WireError("bad_request", "If `$ref` is set on a sub-schema, no other properties may be set")
    found = {name: _usual(held) for name, held in schema.items()}
    if isinstance(found.get("type"), str):
        found["type"] = found["type"].lower()
    choices = found.get("enum")
    if isinstance(choices, list) and len(choices) == 1:
        found["const"] = choices[0]
        del found["enum"]
    return found


def _messages(told: Sequence[Json]) -> tuple[Message, ...]:
    found: list[Message] = []
    open_calls: list[ToolUse] = []
    for turn in told:
        parts = turn["parts"]
        answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if turn.get("role") == "model":
            _check_answered(open_calls)
            said = tuple(_part(part, len(found), at) for at, part in enumerate(parts))
            open_calls = [part for part in said if isinstance(part, ToolUse)]
            found.append(Message("assistant", said))
            continue
        for answer in answers:
            named = answer.get("id")
            use = next((call for call in open_calls if named in (None, call.id) and call.name == answer["name"]), None)
            if use is None:
                _check_answered(open_calls, answered=len(answers))
            else:
                open_calls.remove(use)
                text = orjson.dumps(answer["response"]).decode()
                found.append(Message("tool", (result(use.id, use.name, text),)))
        texts = tuple(Text(part["text"]) for part in parts if "text" in part)
        found += [Message("user", texts)] if texts else []
    _check_answered(open_calls)
    return tuple(found)


def _part(part: Json, turn: int, at: int) -> Part:
    if "functionCall" not in part:
        return Text(part["text"])
    called = part["functionCall"]
    name = called.get("id") or f"call-{turn}-{at}"
    return ToolUse(name, called["name"], orjson.dumps(called.get("args") or {}).decode())


def _check_signed(model: str, told: Sequence[Json]) -> None:
    """Check that the first call of every step is signed, where the model wants it: by itself, or as one of another."""
    if not signs(model):
        return
    for place, turn in enumerate(told):
        calls = [part for part in turn["parts"] if "functionCall" in part]
        if calls and calls[0].get("thoughtSignature") not in (SIGNATURE, FOREIGN):
            name = calls[0]["functionCall"]["name"]
            raise WireError(
                "bad_request", f"Function call is missing a thought_signature in functionCall parts. This is required"
                f" for tools to work correctly. Additional data, function call `{name}`, position {place}.",
            )  # fmt: skip


def _check_answered(open_calls: Sequence[Any], *, answered: int = 0) -> None:
    if open_calls or answered:
        raise WireError(
            "bad_request", "Please ensure that the number of function response parts is equal to the number of"
            " function call parts of the function call turn.",
        )  # fmt: skip
