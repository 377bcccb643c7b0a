"""How briefs, tool results and corrections are put into words for a model."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic.main import BaseModel

from coordinator.domain.briefs import Brief
from coordinator.domain.content import INSTRUCTIONS, TASK, Message, Origin, Text, ToolResult, ToolUse
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Refused
from coordinator.domain.model import ModelReply

ENGINE = Origin("instructions", "engine")


def opening(instructions: str, words: str | Brief) -> tuple[Message, ...]:
    """Return the first messages of a conversation: the role's instructions, then what is asked."""
    text = words if isinstance(words, str) else words.model_dump_json(exclude_defaults=True)
    asked = Message("user", (Text(text, TASK),))
    if not instructions:
        return (asked,)
    return (_role(instructions), asked)


@lru_cache(maxsize=256)
def _role(instructions: str) -> Message:
    # Agents say the same at the head of every conversation, and measuring a page of it takes microseconds.
    return Message("system", (Text(instructions, INSTRUCTIONS),))


def said(reply: ModelReply) -> Message:
    """Return the model's own turn, to be kept in the conversation."""
    text = (Text(reply.text, Origin("model", reply.model)),) if reply.text else ()
    return Message("assistant", (*text, *reply.tool_uses))


def answered(results: list[ToolResult]) -> Message:
    """Return the results of one turn's tool calls, in the order of the calls."""
    return Message("tool", tuple(results))


def correction(code: str, message: str, fields: list[dict[str, Any]] | None = None) -> Message:
    """Return what the model is told when its answer cannot be used."""
    error: dict[str, Any] = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return Message("user", (Text(orjson.dumps({"error": error}).decode(), ENGINE),))


def failure(use: ToolUse, error: CoordinatorError, origin: Origin) -> ToolResult:
    """Return the structured result of a tool call that went wrong; a policy's no is `rejected`, the rest `error`."""
    body: dict[str, Any] = {
        "status": "rejected" if isinstance(error, Refused) else "error",
        "code": error.code,
        "message": error.message,
        "retryable": _retryable(error),
    }
    if error.hint:
        body["hint"] = error.hint
    body.update(error.details)
    return ToolResult(use.id, use.name, orjson.dumps(body, default=str).decode(), origin)


def success(use: ToolUse, text: str, origin: Origin, degraded: str = "") -> ToolResult:
    """Return the structured result of a tool call that went well; *text* is the output as JSON."""
    if degraded:
        notice = orjson.dumps(degraded).decode()
        head = f'{{"status":"degraded","code":"degraded","message":{notice},"retryable":false,"result":'
    else:
        head = '{"status":"ok","code":"ok","result":'
    return ToolResult(use.id, use.name, f"{head}{text}}}", origin)


def arguments(tool: str, given: Mapping[str, Any]) -> str:
    """Return *given*, as an agent's code passes it, as JSON text.

    Raises:
        Invalid: `invalid_arguments`, when it holds what JSON cannot.
    """
    try:
        return orjson.dumps(dict(given)).decode()
    except (orjson.JSONEncodeError, TypeError, ValueError) as error:
        wrong = f"the arguments of {tool} cannot be written as JSON: {error}"
        hint = "pass text, numbers, lists and mappings with text keys"
        raise Invalid(wrong, code="invalid_arguments", hint=hint) from error


def wrong_fields(error: ValidationError) -> list[dict[str, Any]]:
    """Return each wrong field of a typed answer with what is wrong about it."""
    return [
        {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def as_json(output: Any) -> str:
    """Return a report's output as JSON text."""
    if isinstance(output, BaseModel):
        return output.model_dump_json()
    return orjson.dumps(output, default=str).decode()


def _retryable(error: CoordinatorError) -> bool:
    if isinstance(error, Fault):
        return error.transient
    if isinstance(error, Refused):
        return error.retry_after is not None and not error.ends_agent
    return isinstance(error, Invalid)
