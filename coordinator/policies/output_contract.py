"""OutputContract: what a tool returned is verified before anybody uses it."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic.main import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from coordinator.domain.calls import ToolCall, ToolReply
from coordinator.domain.citing import Passage
from coordinator.domain.effects import Effect
from coordinator.domain.errors import Fault, Reached
from coordinator.domain.layer import Handler
from coordinator.domain.result import Issue


class OutputContract:
    """Verifies the output, writes it as JSON text and collects the passages in it.

    A broken output of a tool with an effect is *done, unverified*: repeating it would do it twice, so the reply says
    that it could not be verified, and the run notes it.

    Raises:
        Fault: `bad_output`, when a tool that only reads breaks its contract.
    """

    __slots__ = ()

    async def __call__(self, call: ToolCall, then: Handler[ToolCall, ToolReply]) -> ToolReply:
        reply = await then(call)
        if call.tool is None:
            return reply
        contract = call.tool.contract.output
        try:
            output = contract.validate_python(reply.output)
            text = contract.dump_json(output).decode()
        except (ValidationError, PydanticSerializationError) as error:
            return _broken(call, reply, error)
        passages: list[Passage] = []
        _collect(output, passages)
        return ToolReply(output, text, reply.origin, tuple(passages), reply.degraded, reply.labels, reply.cost)


def _broken(call: ToolCall, reply: ToolReply, error: Exception) -> ToolReply:
    what = f"{call.dependency or call.name} returned what its contract does not allow: {_first_line(error)}"
    if call.effect is Effect.READ:
        raise Fault(what, reached=Reached.YES, transient=False, code="bad_output") from None
    note = f"done, but not verified: {what}"
    issue = Issue(code="unverified_output", message=note, part=call.name)
    call.scope.run.note(issue, call.scope.agent, call.step)
    text = to_json(reply.output, serialize_unknown=True).decode()
    return ToolReply(reply.output, text, reply.origin, (), note, reply.labels, reply.cost)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, wrong['loc'])) or 'result'}: {wrong['msg']}"
    return str(error).splitlines()[0]


# Named once: a union that is written out is built anew in every call, and outputs have many leaves.
_LEAVES = (str, int, float, type(None))
_ROWS = (list, tuple, set, frozenset)


def _collect(value: Any, into: list[Passage]) -> None:
    if isinstance(value, _LEAVES):
        return
    inside: Iterable[Any] = ()
    if isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, _ROWS):
        inside = value
    elif isinstance(value, BaseModel):
        if isinstance(value, Passage):
            into.append(value)
        inside = value.__dict__.values()
    for inner in inside:
        if not isinstance(inner, _LEAVES):
            _collect(inner, into)
