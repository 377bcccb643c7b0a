"""What comes in and what goes out, between the socket and the provider."""

from collections.abc import Mapping, Sequence
from typing import Literal

import orjson

from coordinator.domain.content import StopReason, ToolUse
from coordinator.domain.model import ModelReply
from coordinator.domain.value import changed, value
from coordinator.models.fake.wire import Asked, Headers, Said, Wire, calls_in

End = Literal["whole", "cut", "stall"]
JSON, EVENTS, PAGE = "application/json", "text/event-stream; charset=utf-8", "text/html"


@value
class Question:
    """One request, as it came in."""

    method: str
    path: str
    """With its query."""
    headers: Headers
    query: Mapping[str, str]
    body: bytes


@value
class Answer:
    """What goes out: *parts*, *pause_s* seconds apart, and how it ends: whole, cut off, or never."""

    parts: Sequence[bytes]
    kind: str = JSON
    status: int = 200
    headers: Mapping[str, str] = {}
    end: End = "whole"
    pause_s: float = 0.0


GONE = Answer((), end="cut")
"""The connection is closed without a word."""
SILENCE = Answer((), end="stall")
PROXY = Answer(
    (
        (b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
        b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
    ),
    PAGE, 502,
)  # fmt: skip


def spoken(wire: Wire, said: Said, headers: Mapping[str, str], tokens_per_s: float | None) -> Answer:
    """Return what *wire* says, in one piece or at the speed of so many tokens a second."""
    if not said.asked.stream:
        return Answer((orjson.dumps(wire.whole(said)),), JSON, headers=headers)
    events = wire.events(said)
    if said.asked.array:
        whole = b",\r\n".join(event.removeprefix(b"data: ").strip() for event in events)
        return Answer((b"[" + whole + b"]",), JSON, headers=headers)
    pause = said.reply.usage.output_tokens / tokens_per_s / len(events) if tokens_per_s else 0.0
    return Answer(events, EVENTS, headers=headers, pause_s=pause)


def half(answer: Answer, end: End) -> Answer:
    """Return the first half of *answer*, which ends in the middle of a part."""
    whole = b"".join(answer.parts)
    return changed(answer, parts=(whole[: len(whole) // 2],), end=end)


def garbled(answer: Answer) -> Answer:
    """Return *answer* with JSON in it that is none."""
    if answer.kind != EVENTS:
        return changed(answer, parts=(b"".join(answer.parts)[:-10],))
    first, *rest = answer.parts
    return changed(answer, parts=(first, b'data: {"choices": [{"delta": \n\n', *rest))


def handed_in(asked: Asked, reply: ModelReply) -> ModelReply:
    """Return *reply* with its typed answer as the call of a tool, where one takes it."""
    cut = reply.stop is StopReason.MAX_TOKENS
    if not asked.answer or reply.tool_uses or not (cut or _is_object(reply.text)):
        return reply
    use = ToolUse(f"call-{calls_in(asked.request) + 1}", asked.answer, reply.text)
    return changed(reply, text="", tool_uses=(use,), stop=StopReason.MAX_TOKENS if cut else StopReason.TOOL_USE)


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
