"""A conversation that is too long for its model is shortened: what tools returned, the oldest first."""

from typing import TYPE_CHECKING

import orjson

from coordinator.domain.content import Message, Part, ToolResult
from coordinator.domain.errors import Invalid
from coordinator.domain.events import Kind

if TYPE_CHECKING:
    from coordinator.engine.context import Context

TOO_LONG = "context_too_long"
KEPT = 400
"""Characters that are left of a result."""
WORTHWHILE = 2 * KEPT
"""No shorter result is touched."""


def shortened(ctx: "Context", step: str, messages: tuple[Message, ...], error: Invalid) -> tuple[Message, ...]:
    """Return *messages* at half their size, or as near to it as their tool results allow; an event tells of it.

    Every call keeps its result, so that the conversation stays one. A result that the model has not seen yet is
    shortened last, and the run notes it, because what it says further on is lost.

    Raises:
        Invalid: *error* itself, when it is another one, or nothing can be shortened.
    """
    if error.code != TOO_LONG:
        raise error
    before = sum(message.size for message in messages)
    kept, left, results = list(messages), before, 0
    for place, message in enumerate(messages):
        if left <= before // 2:
            break
        shorter = Message(message.role, tuple(_shorter(part) for part in message.parts))
        if shorter.size < message.size:
            left -= message.size - shorter.size
            kept[place] = shorter
            results += sum(1 for old, new in zip(message.parts, shorter.parts, strict=True) if old is not new)
    if not results:
        raise error
    data = {"results": results, "bytes": before, "bytes_left": left}
    ctx.scope.run.emit(Kind.COMPRESSED, ctx.agent, step, data)
    if kept[-1] is not messages[-1]:
        ctx.flag("shortened", f"{ctx.agent} read only the beginning of what its tools returned: it was too long")
    return tuple(kept)


def _shorter(part: Part) -> Part:
    if not isinstance(part, ToolResult) or len(part.text) <= WORTHWHILE:
        return part
    note = "only the beginning of this result is left, because the conversation was too long"
    body = {"status": "degraded", "code": "shortened", "message": note, "result_begins": part.text[:KEPT]}
    text = orjson.dumps({**body, "characters": len(part.text)}).decode()
    return ToolResult(part.id, part.name, text, part.origin, part.labels)
