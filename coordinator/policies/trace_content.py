"""Content logging: what is said of a call, and what was said in it. Left out of the composition when it is off."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import orjson
from pydantic_core import to_jsonable_python

from coordinator.domain.briefs import Report
from coordinator.domain.calls import (
    Call,
    DelegationCall,
    DelegationReply,
    ModelCall,
    RunCall,
    RunReply,
    ToolCall,
    ToolReply,
)
from coordinator.domain.content import Part, Text, ToolUse
from coordinator.domain.model import ModelReply
from coordinator.domain.result import Reply
from coordinator.domain.teller import Facts, Teller

MOST = 20_000
"""Letters of one text that an event carries; what is longer is cut, and says so."""

C = TypeVar("C", bound=Call)
R = TypeVar("R")

Said = dict[str, str]
"""One thing that was said: by whom or in which *role*, and its *text*."""

Contents = tuple[Callable[[C], Iterator[Said]], Callable[[R], Iterator[Said]]]
"""What is said in calls of one kind, and in their replies."""


class Telling(Generic[C, R]):
    """Says what *teller* says, and under `content` what was asked and answered.

    Args:
        teller: names and numbers.
        contents: the words.
    """

    __slots__ = ("_answered", "_asked", "_teller", "ended", "started")

    def __init__(self, teller: Teller[C, R], contents: Contents[C, R]) -> None:
        self._teller = teller
        self._asked, self._answered = contents
        self.started, self.ended = teller.started, teller.ended

    def count(self, call: C) -> None:
        """Count the call as *teller* does."""
        self._teller.count(call)

    def opening(self, call: C) -> Facts:
        """Name what is called, and quote what is asked."""
        return {**self._teller.opening(call), "content": list(self._asked(call))}

    def closing(self, call: C, reply: R) -> dict[str, Any]:
        """Tell how it went, and quote the answer."""
        return {**self._teller.closing(call, reply), "content": list(self._answered(reply))}

    def failing(self, call: C, error: BaseException) -> dict[str, Any]:
        """Tell what the call was, and quote the error."""
        return {**self._teller.failing(call, error), "content": [_said("error", str(error))] if str(error) else []}


def told(teller: Teller[C, R], contents: Contents[C, R], on: bool) -> Teller[C, R]:
    """Return *teller*, with the *contents* when content logging is *on*."""
    return Telling(teller, contents) if on else teller


def _of_run(call: RunCall) -> Iterator[Said]:
    yield _said("task", call.task.text)


def _of_run_reply(reply: RunReply) -> Iterator[Said]:
    output = reply.output
    yield _said("reply", output.text if isinstance(output, Reply) else _words(output))


def _of_brief(call: DelegationCall) -> Iterator[Said]:
    yield _said("request", call.brief.request)
    if call.brief.goal:
        yield _said("goal", call.brief.goal)
    for material in call.brief.materials:
        yield _said(f"material from {material.origin}", _words(material.content))


def _of_report(report: Report[Any]) -> Iterator[Said]:
    yield _said("error", report.message) if report.status == "failed" else _said("report", _words(report.output))


def _of_request(call: ModelCall) -> Iterator[Said]:
    """Yield what is new to the model: what follows its own last words; those before were told with earlier calls."""
    messages = call.request.messages
    own = [place for place, message in enumerate(messages) if message.role == "assistant"]
    for message in messages[own[-1] + 1 if own else 0 :]:
        for part in message.parts:
            yield _said(*_part(message.role, part))


def _of_reply(reply: ModelReply) -> Iterator[Said]:
    if reply.text:
        yield _said("assistant", reply.text)
    for use in reply.tool_uses:
        yield _said(*_part("assistant", use))


def _of_arguments(call: ToolCall) -> Iterator[Said]:
    yield _said("arguments", call.raw)


def _of_result(reply: ToolReply) -> Iterator[Said]:
    yield _said("result", reply.text)


runs: Contents[RunCall, RunReply] = (_of_run, _of_run_reply)
delegations: Contents[DelegationCall, DelegationReply] = (_of_brief, _of_report)
models: Contents[ModelCall, ModelReply] = (_of_request, _of_reply)
tools: Contents[ToolCall, ToolReply] = (_of_arguments, _of_result)


def _part(role: str, part: Part) -> Sequence[str]:
    if isinstance(part, Text):
        return role, part.text
    if isinstance(part, ToolUse):
        return f"call {part.name}", part.arguments
    return f"result of {part.name}", part.text


def _words(output: Any) -> str:
    if isinstance(output, str):
        return output
    try:
        return orjson.dumps(to_jsonable_python(output), default=str).decode()
    except (TypeError, ValueError, RecursionError):  # a team's own type; whether it may be handed on is asked elsewhere
        return f"({type(output).__name__})"


def _said(role: str, text: str) -> Said:
    cut = len(text) - MOST
    return {"role": role, "text": text if cut <= 0 else f"{text[:MOST]} … ({cut:,} more characters)"}
