"""What is asked of a model and what it answers, independent of any provider."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Protocol

import orjson

from coordinator.domain.content import Message, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.errors import Unsent
from coordinator.domain.money import TOKENS_PER_MESSAGE, Usage
from coordinator.domain.value import assign, value

Schema = Mapping[str, Any]


@value
class ToolSpec:
    """A tool as a model is offered it; the description ends with the effect ("Only reads.")."""

    name: str
    description: str
    schema: Schema
    size: int = 0
    """Bytes of the three above as JSON."""
    text: bytes = field(default=b"[]", repr=False, compare=False)
    """The three above as JSON with sorted keys."""

    @staticmethod
    def of(name: str, description: str, schema: Schema) -> "ToolSpec":
        """Build a spec and measure it, once per tool."""
        text = orjson.dumps([name, description, schema], option=orjson.OPT_SORT_KEYS)
        return ToolSpec(name, description, schema, len(text), text)


@value
class OutputSpec:
    """The JSON Schema that a typed answer must satisfy."""

    name: str
    schema: Schema
    size: int = 0
    """Bytes of the two above as JSON."""
    text: bytes = field(default=b"[]", repr=False, compare=False)
    """The two above as JSON with sorted keys."""

    @staticmethod
    def of(name: str, schema: Schema) -> "OutputSpec":
        """Build a spec and measure it, once per output type."""
        text = orjson.dumps([name, schema], option=orjson.OPT_SORT_KEYS)
        return OutputSpec(name, schema, len(text), text)


@value
class ModelRequest:
    """One logical request to a model: before a route is chosen, a limit clamps it or a cache answers it.

    *model* is a model class ("small", "large") or a model by name ("offline"); *max_output_tokens* bounds the reply.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    output: OutputSpec | None = None
    model: str = "small"
    max_output_tokens: int = 1024
    size: int = field(default=0, init=False, repr=False, compare=False)
    """Upper bound on the input tokens: bytes of everything sent, plus a fixed overhead per message."""
    _digest: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        messages, output = self.messages, self.output
        size = TOKENS_PER_MESSAGE * len(messages)
        for message in messages:
            size += message.size
        for tool in self.tools:
            size += tool.size
        assign(self, "size", size if output is None else size + output.size)

    def clamped(self, max_output_tokens: int) -> "ModelRequest":
        """Return the same logical request, and so the same digest, with another limit on the reply."""
        request = ModelRequest(self.messages, self.tools, self.output, self.model, max_output_tokens)
        assign(request, "_digest", self.digest)
        return request

    @property
    def digest(self) -> str:
        """Name of the request by content; equal requests have equal digests, whatever the order of keys."""
        if not self._digest:
            whole: list[Any] = [self.model, [[m.role, list(map(_plain, m.parts))] for m in self.messages]]
            whole.append([orjson.Fragment(tool.text) for tool in self.tools])
            whole.append(orjson.Fragment(self.output.text) if self.output else None)
            whole.append(self.max_output_tokens)
            text = orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)
            assign(self, "_digest", blake2b(text, digest_size=16).hexdigest())
        return self._digest


@value
class Quota:
    """What a provider says is left to us until it counts anew in *reset_s* seconds; None where it does not say."""

    requests: int | None = None
    tokens: int | None = None
    reset_s: float = 60.0


class Reuse(StrEnum):
    """How a call was answered without being sent."""

    CACHE = "cache"
    FLIGHT = "flight"


@value
class ModelReply:
    """What a model answered: text (JSON when an output schema was asked for), or wishes to call tools."""

    text: str
    tool_uses: tuple[ToolUse, ...]
    stop: StopReason
    usage: Usage
    model: str
    """The model that answered, as `provider:name`."""
    request_id: str = ""
    cost: int = 0
    """What the call cost, in micro-dollars; set by the Budget policy."""
    quota: Quota | None = None
    """What the provider's headers say is left; None when they say nothing."""
    reuse: Reuse | None = None
    """How the call was answered without being sent; None when it was sent."""
    saved: int = 0
    """What it would have cost, in micro-dollars, had it been sent."""
    uncertain: bool = False
    """Whether the provider did not tell what was used, so that *usage* is the most that it can have been."""

    def reused(self, how: Reuse, saved: int) -> "ModelReply":
        """Return the same answer for another call, which used and cost nothing and has *saved* so much."""
        return ModelReply(
            self.text, self.tool_uses, self.stop, Usage(), self.model, self.request_id, reuse=how, saved=saved
        )


class Answered(Unsent):
    """The reply to the same request of another call came: carries it past the layers that account for what is sent.

    Args:
        reply: as it is for the call that waited.
    """

    def __init__(self, reply: ModelReply) -> None:
        super().__init__("answered by the reply to the same request")
        self.reply = reply


@value
class Target:
    """One model at one provider; gates and breakers are kept per target."""

    provider: str
    model: str
    room: int = field(default=0, compare=False)
    """Tokens that it may take for its thoughts, beside the reply: they count against the same limit."""

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


class Model(Protocol):
    """A provider's adapter: answers one request for one of its models.

    Raises:
        Invalid: the request is wrong (HTTP 400).
        Fault: the provider failed or could not be reached.
    """

    async def __call__(self, model: str, request: ModelRequest, /) -> ModelReply: ...


def _plain(part: object) -> list[str]:
    if isinstance(part, Text):
        return ["text", part.text if part.text.isascii() else part.text.encode("utf-8", "replace").decode()]
    if isinstance(part, ToolUse):
        return ["use", part.id, part.name, part.arguments]
    if isinstance(part, ToolResult):
        return ["result", part.id, part.name, part.text]
    return [type(part).__name__, repr(part)]
