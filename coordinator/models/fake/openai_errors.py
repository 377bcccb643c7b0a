"""How OpenAI says what is wrong, and what is left: https://platform.openai.com/docs/guides/error-codes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from coordinator.models.fake.wire import Json, Limits, WireError

# Status, type, code, and the words: https://platform.openai.com/docs/guides/error-codes/api-errors
_ERRORS: dict[str, tuple[int, str, str | None, str]] = {
    "bad_request": (400, "invalid_request_error", None, "{message}"),
    "bad_key": (
        401, "invalid_request_error", "invalid_api_key",
        "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    "missing_key": (
        401, "invalid_request_error", None,
        ("You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth"
        " (i.e. Authorization: Bearer YOUR_KEY)."),
    ),
    "denied": (
        403, "invalid_request_error", "model_not_allowed",
        "Project does not have access to what was asked for. Check the permissions of the key.",
    ),
    "no_quota": (
        429, "insufficient_quota", "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "no_such_model": (
        404, "invalid_request_error", "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "not_found": (404, "invalid_request_error", None, "Invalid URL ({method} {path})"),
    "too_long": (
        400, "invalid_request_error", "context_length_exceeded",
        ("This model's maximum context length is {most} tokens. However, your messages resulted in {tokens} tokens."
        " Please reduce the length of the messages."),
    ),
    "throttled": (
        429, "{unit}", "rate_limit_exceeded",
        "Rate limit reached for {model} on {unit} per min. Limit: {limit} / min. Please try again in {wait}.",
    ),
    "server_error": (
        500, "server_error", None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded, please try again later."),
}  # fmt: skip

FORBIDDEN = ("oneOf", "allOf", "not", "patternProperties", "prefixItems", "default")


def error_of(error: WireError) -> tuple[int, Json]:
    """Return the status and the body of *error*."""
    status, kind, code, words = _ERRORS[error.kind]
    wait = error.facts.get("retry_after")
    facts = {
        "unit": "requests", "limit": "?", "message": error.message, "model": "", **error.facts,
        "wait": span(wait) if wait is not None else "a while",
    }  # fmt: skip
    told = {
        "message": error.message or words.format_map(facts), "type": kind.format_map(facts),
        "param": error.facts.get("param"), "code": error.facts.get("wire_code", code),
    }  # fmt: skip
    return status, {"error": told}


def quota_of(limits: Limits) -> dict[str, str]:
    """Return the headers that say what *limits* leave."""
    told = {}
    for name, left in limits.items():
        told[f"x-ratelimit-limit-{name}"] = str(left.limit)
        told[f"x-ratelimit-remaining-{name}"] = str(left.left)
        told[f"x-ratelimit-reset-{name}"] = span(left.reset_s)
    return told


def span(seconds: float) -> str:
    """Return *seconds* as OpenAI writes them: 120ms, 1.5s, 6m0s, 1h2m0s."""
    thousandths = math.ceil(seconds * 1000)
    if thousandths < 1000:
        return f"{thousandths}ms"
    if thousandths < 60_000:
        return f"{thousandths / 1000:g}s"
    minutes, whole = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{whole}s" if hours else f"{minutes}m{whole}s"


def bearer(headers: Mapping[str, str]) -> str:
    """Return the key that *headers* carry."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def model_list(names: Sequence[str]) -> Json:
    """Return the list of models."""
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "fake"} for name in names],
    }


def check_fields(body: Mapping[str, Any], known: frozenset[str], needed: Sequence[str]) -> None:
    """Check that *body* has no field that is not *known*, and all that are *needed*.

    Raises:
        WireError: `bad_request`, naming the field.
    """
    for name in body:
        if name not in known:
            raise WireError("bad_request", f"Unknown parameter: '{name}'.", param=name, wire_code="unknown_parameter")
    for name in needed:
        if not body.get(name):
            raise WireError(
                "bad_request",
                f"Missing required parameter: '{name}'.",
                param=name,
                wire_code="missing_required_parameter",
            )


def check_strict(schema: Mapping[str, Any], name: str, param: str) -> None:
    """Check that *schema* keeps the rules of Structured Outputs: every field required, and none beside them.

    Raises:
        WireError: `bad_request`, in the provider's words.
    """
    if schema.get("type") != "object":
        raise _bad_schema(name, param, (), f"schema must be a JSON Schema of 'type: \"object\"', got {schema!r:.80}")
    _walk(schema, name, param, ())


def _walk(node: Any, name: str, param: str, path: tuple[str, ...]) -> None:
    if isinstance(node, list):
        for place, inner in enumerate(node):
            _walk(inner, name, param, (*path, str(place)))
    if not isinstance(node, dict):
        return
    why = _not_strict(node)
    if why:
        raise _bad_schema(name, param, path, why)
    for word in ("properties", "$defs"):
        for key, inner in (node.get(word) or {}).items():
            _walk(inner, name, param, (*path, word, key))
    for word in ("items", "anyOf"):
        _walk(node.get(word), name, param, (*path, word))


def _not_strict(node: Json) -> str:
    """Return what is wrong with one schema; empty when nothing is."""
    if node.get("type") == "object":
        if node.get("additionalProperties") is not False:
            return "'additionalProperties' is required to be supplied and to be false."
        missing = next((field for field in node.get("properties", {}) if field not in node.get("required", ())), None)
        if missing is not None:
            why = "'required' is required to be supplied and to be an array including every key in properties."
            return f"{why} Missing '{missing}'."
    return next((f"'{word}' is not permitted." for word in FORBIDDEN if word in node), "")


def _bad_schema(name: str, param: str, path: tuple[str, ...], why: str) -> WireError:
    return WireError(
        "bad_request", f"Invalid schema for {param.partition('.')[0]} '{name}': In context={path!r}, {why}",
        param=param, wire_code="invalid_json_schema",
    )  # fmt: skip
