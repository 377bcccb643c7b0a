"""What the protocols of all providers share, seen from the server: what was asked, what is said, and what is wrong."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import orjson

from coordinator.domain.content import INSTRUCTIONS, Message, Origin, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.value import value
from coordinator.models.keys import Vendor

Json = dict[str, Any]
Headers = Mapping[str, str]
"""By their names in lower case."""

Kind = Literal[
    "bad_request", "bad_key", "missing_key", "denied", "no_quota", "no_such_model", "not_found", "too_long",
    "throttled", "server_error", "overloaded",
]  # fmt: skip

PIECE = 24
"""Characters of a piece of a streamed reply: a few tokens, as providers send them."""

_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)
_FINAL = re.compile(r"final", re.IGNORECASE)


class WireError(Exception):
    """An answer that is an error, as the real provider would give it.

    Args:
        kind: what went wrong.
        message: in the provider's words; empty for those it always uses.
        facts: what the words speak of, such as `model`, and `retry_after` in seconds.
    """

    def __init__(self, kind: Kind, message: str = "", **facts: Any) -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.message = message
        self.facts = facts


@value
class Asked:
    """One request, read from the wire."""

    request: ModelRequest
    stream: bool = False
    answer: str = ""
    """The tool by which the typed answer is handed in; empty when it is the text of the reply."""
    usage: bool = True
    """Whether a stream tells its usage."""
    array: bool = False
    """Whether the stream is one JSON array in place of events."""
    thoughts: bool = False
    """Whether the model thinks before it calls a tool."""


@value
class Said:
    """One reply on its way to the wire."""

    asked: Asked
    reply: ModelReply
    id: str
    at: int
    """UTC seconds since the epoch."""
    counted: bool = True
    """Whether the reply tells its usage at all."""


@value
class Left:
    """What a rate limit leaves, and the seconds until it is whole again."""

    limit: int
    left: int
    reset_s: float


Limits = Mapping[str, Left]
"""By `requests` and `tokens`."""


class Wire(ABC):
    """One protocol, from the server's side; stateless.

    What it reads it checks as the real provider does, so that a request that would be refused there is refused here.
    """

    vendor: ClassVar[Vendor]
    stop: ClassVar[bytes] = b""
    """What ends a stream of events."""

    @abstractmethod
    def read(self, path: str, body: bytes) -> Asked:
        """Return what is asked by *body*, sent to *path*.

        Raises:
            WireError: it is not what the protocol says.
        """

    @abstractmethod
    def key(self, headers: Headers, query: Mapping[str, str]) -> str:
        """Return the key that was sent; empty when there is none."""

    @abstractmethod
    def whole(self, said: Said) -> Json:
        """Return the reply in one piece."""

    @abstractmethod
    def events(self, said: Said) -> list[bytes]:
        """Return the reply as server-sent events."""

    @abstractmethod
    def broken(self, error: WireError, number: str) -> bytes:
        """Return *error* as an event in the middle of a stream."""

    @abstractmethod
    def error(self, error: WireError, number: str) -> tuple[int, Json]:
        """Return the status and the body of *error*."""

    @abstractmethod
    def models(self, names: Sequence[str]) -> Json:
        """Return the list of models."""

    def quota(self, limits: Limits, now: float) -> dict[str, str]:
        """Return the headers that say what is left at *now*, UTC seconds; a provider need not say."""
        return {}

    def waiting(self, seconds: float) -> dict[str, str]:
        """Return the headers that ask to be called again in so many *seconds*."""
        return {"retry-after": str(math.ceil(seconds))}

    def named(self, number: str) -> dict[str, str]:
        """Return the headers by which the request *number* is known."""
        return {"x-request-id": number}


def parsed(body: bytes, complaint: str) -> Json:
    """Return *body* as a JSON object.

    Raises:
        WireError: `bad_request` with *complaint*.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise WireError("bad_request", complaint)
    return found


def arguments_of(use: ToolUse) -> Json:
    """Return the arguments of *use* as an object; an empty one where they were cut off."""
    try:
        found: Json = orjson.loads(use.arguments)
    except orjson.JSONDecodeError:
        return {}
    return found


def plain(content: Any) -> str:
    """Return the text of *content*: a string, or a list of parts of text."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] for part in content if "text" in part)


def instructions(text: str) -> Message:
    """Return *text* as a message of the system."""
    return Message("system", (Text(text, INSTRUCTIONS),))


def result(use: str, name: str, text: str) -> ToolResult:
    """Return what the call *use* of the tool *name* gave back."""
    return ToolResult(use, name, text, Origin("tool", name))


def typed(tools: Sequence[ToolSpec], forced: str, required: bool) -> tuple[tuple[ToolSpec, ...], OutputSpec | None]:
    """Return the tools without the one that takes the typed answer, and the type of that answer.

    It is the tool that must be called; where any of several must be, the one that speaks of what is final.

    Args:
        tools: what is offered.
        forced: the name of the tool that must be called; empty for none.
        required: whether some tool must be called.
    """
    finals = [tool for tool in tools if tool.name == forced]
    if required and not forced:
        finals = [tool for tool in tools if _FINAL.search(tool.name)] or list(tools if len(tools) == 1 else ())
    if not finals:
        return tuple(tools), None
    final = finals[0]
    return tuple(tool for tool in tools if tool is not final), typed_as(final.name, final.schema)


def typed_as(name: str, schema: Mapping[str, Any]) -> OutputSpec:
    """Return the type of an answer, named by its schema where that has a name."""
    return OutputSpec.of(str(schema.get("title") or name), schema)


def calls_in(request: ModelRequest) -> int:
    """Return how many tool calls the conversation of *request* holds."""
    return sum(isinstance(part, ToolUse) for message in request.messages for part in message.parts)


def right_name(name: Any) -> bool:
    """Say whether *name* may be that of a tool."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def pieces(text: str) -> list[str]:
    """Return *text* in the pieces of a stream."""
    return [text[place : place + PIECE] for place in range(0, len(text), PIECE)]


def event(body: Json, name: str = "") -> bytes:
    """Return *body* as one server-sent event."""
    data = b"data: " + orjson.dumps(body) + b"\n\n"
    return b"event: " + name.encode() + b"\n" + data if name else data
