"""The offline model: a deterministic text engine that finds and quotes, behind the same protocol as every provider.

It sees what a provider would see and nothing else. It does not reason, compute or join facts: it calls the tools that
the request speaks of, quotes the sentences that hold the request's rare words, and names the words it did not find.
"""

from collections import OrderedDict
from typing import Any

import orjson

from coordinator.domain.content import StopReason, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.models.offline import planning, quoting
from coordinator.models.offline.choosing import Wish, choose
from coordinator.models.offline.conversation import read
from coordinator.models.offline.evidence import Reading, study
from coordinator.models.offline.filling import CannotFillError, build
from coordinator.models.offline.schemas import shape

BYTES_PER_TOKEN = 4
# Answers of fewer and fewer quotes, tried until one fits into the output tokens.
_LENGTHS = (14, 8, 5, 3, 2, 1, 0)

NOTHING: tuple[int, None] = (0, None)


class OfflineModel:
    """A provider without a model: the same request always gets the same reply, at no cost and without a network.

    Args:
        cache_size: replies kept by the digest of their request, the least recently used dropped first; 0 for none.
    """

    def __init__(self, cache_size: int = 1024) -> None:
        self._cache_size = cache_size
        self._replies: OrderedDict[str, tuple[int, ModelReply]] = OrderedDict()
        """With the limit of the request: one that was cut down to its money has the digest of the whole."""

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        """Answer *request*; *model* only names the reply."""
        if not self._cache_size:
            return answer(request, model)
        key, limit = f"{model} {request.digest}", request.max_output_tokens
        most, reply = self._replies.pop(key, NOTHING)
        # What fits into a smaller limit, too, is what would be said there.
        if reply is None or not reply.usage.output_tokens <= limit <= most:
            most, reply = limit, answer(request, model)
        self._replies[key] = most, reply
        if len(self._replies) > self._cache_size:
            self._replies.popitem(last=False)
        return reply

    def snapshot(self) -> dict[str, Any]:
        """Return how many replies are kept, and how many may be."""
        return {"cached": len(self._replies), "cache_size": self._cache_size}


def answer(request: ModelRequest, model: str = "offline") -> ModelReply:
    """Answer *request*: tool calls while something can be learned, then the typed answer or text; a pure function."""
    reading = study(read(request))
    wishes = choose(request.tools, reading)
    if wishes:
        return _calls(request, model, wishes, len(reading.conversation.used))
    text, stop = _typed(request, reading) if request.output else (_text(request, reading), StopReason.END)
    return _bounded(request, model, text, stop)


def _calls(request: ModelRequest, model: str, wishes: tuple[Wish, ...], earlier: int) -> ModelReply:
    """Return as many calls as fit; one that does not fit is cut off, and says so."""
    uses: list[ToolUse] = []
    room = request.max_output_tokens * BYTES_PER_TOKEN
    for index, wish in enumerate(wishes):
        arguments = orjson.dumps(wish.arguments, option=orjson.OPT_SORT_KEYS).decode()
        size = len(wish.name.encode()) + len(arguments.encode())
        if size > room:
            break
        room -= size
        uses.append(ToolUse(f"call-{earlier + index + 1}", wish.name, arguments))
    if not uses:
        return _reply(request, model, "", (), StopReason.MAX_TOKENS)
    return _reply(request, model, "", tuple(uses), StopReason.TOOL_USE)


def _typed(request: ModelRequest, reading: Reading) -> tuple[str, StopReason]:
    assert request.output is not None
    schema = request.output.schema
    place = shape(schema, schema, request.output.name)
    members = planning.members_of([message.text for message in request.messages])
    text = ""
    try:
        for most in _LENGTHS:
            text = orjson.dumps(build(place, reading, members, most), option=orjson.OPT_SORT_KEYS).decode()
            if len(text.encode()) <= request.max_output_tokens * BYTES_PER_TOKEN:
                break
    except CannotFillError as error:
        return f"Cannot fill {error}.", StopReason.REFUSAL
    return text, StopReason.END


def _text(request: ModelRequest, reading: Reading) -> str:
    quotes = quoting.best(reading)
    text = quoting.prose(reading, quotes, quoting.gaps(reading))
    return f"{text}\n\n{quoting.listed(quotes)}" if quotes else text


def _bounded(request: ModelRequest, model: str, text: str, stop: StopReason) -> ModelReply:
    room = request.max_output_tokens * BYTES_PER_TOKEN
    whole = text.encode()
    if len(whole) <= room:
        return _reply(request, model, text, (), stop)
    return _reply(request, model, whole[:room].decode(errors="ignore"), (), StopReason.MAX_TOKENS)


def _reply(request: ModelRequest, model: str, text: str, uses: tuple[ToolUse, ...], stop: StopReason) -> ModelReply:
    written = len(text.encode()) + sum(len(use.name.encode()) + len(use.arguments.encode()) for use in uses)
    usage = Usage(_tokens(request.size), _tokens(written))
    return ModelReply(text, uses, stop, usage, f"offline:{model}")


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)
