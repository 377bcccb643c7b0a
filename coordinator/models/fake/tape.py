"""A tape: recorded replies, one line of JSON each, that are played in place of a model's words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coordinator.domain.content import StopReason, ToolUse
from coordinator.domain.errors import Invalid
from coordinator.domain.model import Model, ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.models.fake.wire import calls_in
from coordinator.models.scripted import ScriptedUse, tokens


class TapeUsage(BaseModel):
    """What a recorded reply used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: int = Field(ge=0, description="Input tokens, those of the cache included.")
    output: int = Field(ge=0, description="Output tokens, those of reasoning included.")
    cached: int = Field(default=0, ge=0, description="Input tokens that were read from the cache.")
    reasoning: int = Field(default=0, ge=0, description="Output tokens that were reasoning.")
    cache_write: int = Field(default=0, ge=0, description="Input tokens that were written into the cache.")


class TapeUse(ScriptedUse):
    """One tool call of a recorded reply."""

    id: str = Field(default="", description="The name of the call; by default its number in the conversation.")


class TapeReply(BaseModel):
    """One line of a tape."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request: str = Field(default="", description="Play this only for the request with this digest.")
    when: str = Field(default="", description="Play this only for requests that contain these words.")
    text: str = Field(default="", description="Plain text to answer.")
    output: Any = Field(default=None, description="A typed answer, given as JSON.")
    tools: list[TapeUse] = Field(default=[], description="Tool calls to wish for.")
    stop: StopReason | None = Field(default=None, description="Why it stops; by default what fits the reply.")
    usage: TapeUsage | None = Field(default=None, description="What it used; by default a token for four bytes.")
    times: int | None = Field(default=None, ge=1, description="How often it is played; for ever when left out.")

    def reply(self, model: str, request: ModelRequest) -> ModelReply:
        """Return the reply to *request*."""
        text = self.text if self.output is None else orjson.dumps(self.output).decode()
        said = calls_in(request)
        uses = tuple(
            ToolUse(use.id or f"call-{said + number}", use.name, _text(use)) for number, use in enumerate(self.tools, 1)
        )
        written = len(text.encode()) + sum(len(use.name) + len(use.arguments) for use in uses)
        used = self.usage or TapeUsage(input=tokens(request.size), output=tokens(written))
        usage = Usage(used.input, used.output, used.cached, used.reasoning, used.cache_write)
        stop = self.stop or (StopReason.TOOL_USE if uses else StopReason.END)
        return ModelReply(text, uses, stop, usage, f"tape:{model}")


class Tape:
    """Plays the first line that fits the request and is not used up; those with its very digest go first.

    Raises:
        Invalid: `tape_ended`, when no line is left for a request.
    """

    def __init__(self, lines: Sequence[TapeReply]) -> None:
        self._known: dict[str, list[int]] = {}
        self._others: list[int] = []
        for index, line in enumerate(lines):
            (self._known.setdefault(line.request, []) if line.request else self._others).append(index)
        self._lines = tuple(lines)
        self._played = [0] * len(self._lines)
        self._asks = any(line.when for line in lines)

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        words = _words(request) if self._asks else ""
        known = self._known.get(request.digest, ()) if self._known else ()
        for index in (*known, *self._others):
            line = self._lines[index]
            if line.when in words and (line.times is None or self._played[index] < line.times):
                self._played[index] += 1
                reply: ModelReply = line.reply(model, request)
                return reply
        raise Invalid(f"the tape has no reply left for the request {request.digest}", code="tape_ended")


class Recorder:
    """Answers by *words*, and writes every new request with its reply into *file* as a line of a tape."""

    def __init__(self, words: Model, file: TextIO) -> None:
        self._words = words
        self._file = file
        self._known: set[str] = set()

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        reply = await self._words(model, request)
        if request.digest not in self._known:
            self._known.add(request.digest)
            self._file.write(f"{orjson.dumps(_line(request, reply)).decode()}\n")
            self._file.flush()
        return reply


def read_tape(path: Path) -> list[TapeReply]:
    """Read the tape at *path*.

    Raises:
        Invalid: `bad_tape`, with file and line.
        OSError: it cannot be read.
    """
    try:
        written = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise _wrong(path, 1, "it is not text") from None
    lines = []
    for number, line in enumerate(written, 1):
        if line.strip():
            try:
                lines.append(TapeReply.model_validate_json(line))
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                place = ".".join(map(str, first["loc"]))
                raise _wrong(path, number, f"{place}: {first['msg']}" if place else first["msg"]) from None
    if not lines:
        raise _wrong(path, 1, "it holds no reply")
    return lines


def _wrong(path: Path, line: int, why: str) -> Invalid:
    return Invalid(
        f"{path}:{line}: {why}", code="bad_tape", hint='write one reply in each line, such as {"text": "Hello."}'
    )


def _line(request: ModelRequest, reply: ModelReply) -> dict[str, Any]:
    used = reply.usage
    usage = {
        "input": used.input_tokens, "output": used.output_tokens, "cached": used.cached_tokens,
        "reasoning": used.reasoning_tokens, "cache_write": used.cache_write_tokens,
    }  # fmt: skip
    uses = [{"id": use.id, "name": use.name, "arguments": use.arguments} for use in reply.tool_uses]
    told = {"request": request.digest, "text": reply.text, "tools": uses, "stop": reply.stop}
    return {**told, "usage": {name: count for name, count in usage.items() if count}}


def _text(use: ScriptedUse) -> str:
    return use.arguments if isinstance(use.arguments, str) else orjson.dumps(use.arguments).decode()


def _words(request: ModelRequest) -> str:
    parts = (part for message in request.messages for part in message.parts)
    return "\n".join(part.arguments if isinstance(part, ToolUse) else str(part.text) for part in parts)
