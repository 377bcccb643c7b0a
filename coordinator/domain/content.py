"""What models read and write: messages made of parts, and where each part came from."""

from dataclasses import field
from enum import StrEnum
from typing import Literal

import orjson

from coordinator.domain.errors import Invalid
from coordinator.domain.value import assign, value

OriginKind = Literal["task", "tool", "document", "model", "memory", "instructions"]
Role = Literal["system", "user", "assistant", "tool"]
Labels = frozenset[str]
NO_LABELS: Labels = frozenset()


@value
class Origin:
    """Where a piece of content came from; content from tools and documents is data, never orders."""

    kind: OriginKind
    name: str = ""


TASK = Origin("task")
INSTRUCTIONS = Origin("instructions")
MODEL = Origin("model")


@value
class Text:
    """Plain text in a message."""

    text: str
    origin: Origin = TASK


@value
class ToolUse:
    """A model's wish to call a tool; *arguments* is JSON text, exactly as the model wrote it."""

    id: str
    name: str
    arguments: str
    origin: Origin = MODEL
    signature: str = ""
    """What the model that *origin* names wants to see again beside it, unread; the others never get it."""


@value
class ToolResult:
    """What a tool call gave back, as JSON text: {"status": "ok|error|degraded|rejected", ...}."""

    id: str
    name: str
    text: str
    origin: Origin
    labels: Labels = NO_LABELS


Part = Text | ToolUse | ToolResult


@value
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]
    size: int = field(default=0, init=False, repr=False, compare=False)
    """Bytes of all that the message says, as JSON: a bound on its tokens."""

    def __post_init__(self) -> None:
        size = 0
        parts: tuple[object, ...] = self.parts  # one from outside may be of a type of its own
        for part in parts:
            size += json_bytes(part.text) if type(part) is Text else _part_size(part)
        assign(self, "size", size)

    @property
    def text(self) -> str:
        """All plain text of the message, joined by newlines."""
        parts: tuple[object, ...] = self.parts
        return "\n".join([part.text for part in parts if isinstance(part, Text)])


class StopReason(StrEnum):
    """Why a model stopped writing."""

    END = "end"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    REFUSAL = "refusal"


ANSWERED = frozenset({StopReason.END, StopReason.TOOL_USE})
"""A reply that was cut off may have been cut by its run's ceiling, and a refusal is no answer."""


def _part_size(part: object) -> int:
    # By the very type: to learn that something is not an instance of a struct costs ten times as much.
    if type(part) is ToolUse:
        return len(part.id) + len(part.name) + len(part.signature.encode()) + json_bytes(part.arguments)
    if type(part) is ToolResult:
        return len(part.id) + len(part.name) + json_bytes(part.text)
    return json_bytes(part.text) if isinstance(part, Text) else _declared(part)


def _declared(part: object) -> int:
    """Return how many tokens a part is at most whose bytes do not say it, such as an image: by its own formula.

    Raises:
        Invalid: `unbounded_part`, when it has none.
    """
    most = getattr(part, "most_tokens", None)
    if not isinstance(most, int) or most < 0:
        raise Invalid(
            f"a message has a part of type {type(part).__name__}, and nothing bounds its tokens", code="unbounded_part",
            hint="give it most_tokens, a whole number by the formula of its provider",
        )  # fmt: skip
    return most


def json_bytes(text: str) -> int:
    """Return how many bytes *text* has as a JSON string, a bound on its tokens for byte-level tokenizers."""
    try:
        return len(orjson.dumps(text))
    except orjson.JSONEncodeError:  # lone surrogates, which JSON can only escape
        return 6 * len(text) + 2
