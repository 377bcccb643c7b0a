"""A model that plays given replies: for tests, and for scenarios that need a model to misbehave in a known way."""

from collections.abc import Sequence
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from coordinator.domain.content import StopReason, Text, ToolUse
from coordinator.domain.errors import Fault, Invalid, Reached, Throttle
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage

BYTES_PER_TOKEN = 4


class ScriptedUse(BaseModel):
    """One tool call that the model is to wish for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="The tool, as the model names it; it need not exist.")
    arguments: dict[str, Any] | str = Field(default={}, description="Its arguments, or raw text in place of JSON.")


class ScriptedReply(BaseModel):
    """One reply of the script."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: str = Field(default="", description="Play this only for requests that contain these words.")
    text: str = Field(default="", description="Plain text to answer.")
    output: Any = Field(default=None, description="A typed answer, given as JSON.")
    tools: list[ScriptedUse] = Field(default=[], description="Tool calls to wish for.")
    stop: StopReason | None = Field(default=None, description="Why the model stops; by default what fits the reply.")
    fail: Literal["throttled", "error", "unreached", ""] = Field(default="", description="Fail instead of answering.")
    times: int | None = Field(default=1, ge=1, description="How often it is played; null for ever.")


class ScriptedModel:
    """Plays the first reply of *script* that fits the request and is not used up.

    Raises:
        Invalid: `script_ended` when no reply is left for a request.
    """

    def __init__(self, script: Sequence[ScriptedReply]) -> None:
        self._script = tuple(script)
        self._played = [0] * len(self._script)

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        words = _words(request)
        for index, reply in enumerate(self._script):
            if (reply.times is None or self._played[index] < reply.times) and reply.when in words:
                self._played[index] += 1
                return _play(reply, model, words, f"{index}-{self._played[index]}")
        raise Invalid(
            f"the script has no reply left for a request that ends {words[-80:]!r}", code="script_ended",
            hint="add a reply, or let one play for ever with times: null",
        )  # fmt: skip


def _play(reply: ScriptedReply, model: str, words: str, name: str) -> ModelReply:
    if reply.fail:
        reached = Reached.NO if reply.fail == "unreached" else Reached.YES
        away = Throttle.THROTTLED if reply.fail == "throttled" else None
        raise Fault(f"the scripted model fails: {reply.fail}", reached=reached, code=reply.fail, turned_away=away)
    text = reply.text if reply.output is None else orjson.dumps(reply.output).decode()
    uses = tuple(
        ToolUse(f"use-{name}-{number}", use.name, _arguments(use)) for number, use in enumerate(reply.tools, start=1)
    )
    stop = reply.stop or (StopReason.TOOL_USE if uses else StopReason.END)
    written = len(text.encode()) + sum(len(use.name) + len(use.arguments) for use in uses)
    usage = Usage(tokens(len(words.encode())), tokens(written))
    return ModelReply(text, uses, stop, usage, f"scripted:{model}", name)


def _arguments(use: ScriptedUse) -> str:
    return use.arguments if isinstance(use.arguments, str) else orjson.dumps(use.arguments).decode()


def tokens(size: int) -> int:
    """Return an honest guess at the tokens in *size* bytes of text: four bytes a token, rounded up."""
    return -(-size // BYTES_PER_TOKEN)


def _words(request: ModelRequest) -> str:
    parts = (part for message in request.messages for part in message.parts)
    return "\n".join(part.arguments if isinstance(part, ToolUse) else _text(part) for part in parts)


def _text(part: Any) -> str:
    return part.text if isinstance(part, Text) else str(part.text)
