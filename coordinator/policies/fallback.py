"""Fallback: which implementation of a tool answers, and which is tried next when it is down."""

from coordinator.domain.calls import ToolCall, ToolReply
from coordinator.domain.errors import CoordinatorError, Fault, Refused, UnknownOutcome
from coordinator.domain.events import Kind
from coordinator.domain.layer import Handler
from coordinator.domain.outcomes import follows
from coordinator.domain.result import Issue


class Fallback:
    """Addresses a call to the tool's tiers in order; the next is tried as the outcome table allows.

    The reply of a lower tier says which capability is missing. What could not be done is noted on the run, so that the
    run never ends `completed`: `tool_degraded`, `tool_unavailable`, or `unknown_outcome`.

    Raises:
        CoordinatorError: that of the last tier that was tried.
    """

    __slots__ = ()

    async def __call__(self, call: ToolCall, then: Handler[ToolCall, ToolReply]) -> ToolReply:
        tiers = len(call.tool.tiers) if call.tool else 1
        tier = 0
        missing = ""
        while True:
            try:
                reply = await then(call.on(tier, f"{call.name}#{tier}"))
                break
            except CoordinatorError as error:
                remaining = call.deadline - call.scope.run.now()
                if tier + 1 == tiers or not follows(error, call.effect, keyed=call.keyed, remaining=remaining):
                    _note_failure(call, error)
                    raise
                missing = missing or f"{_capability(call, tier)} is unavailable ({error.code})"
                _tell(call, tier, error)
            tier += 1
        return _degraded(call, reply, tier, missing) if tier else reply


def _degraded(call: ToolCall, reply: ToolReply, tier: int, missing: str) -> ToolReply:
    note = f"{missing}; {_capability(call, tier)} answered in its place"
    _note(call, "tool_degraded", note)
    both = f"{reply.degraded}; {note}" if reply.degraded else note
    return ToolReply(reply.output, reply.text, reply.origin, reply.passages, both, reply.labels, reply.cost)


def _note_failure(call: ToolCall, error: CoordinatorError) -> None:
    if isinstance(error, UnknownOutcome):
        _note(call, error.code, error.message)
    elif isinstance(error, Fault) or (isinstance(error, Refused) and error.passing):
        _note(call, "tool_unavailable", f"{call.name} could not be used: {error.message}")


def _note(call: ToolCall, code: str, message: str) -> None:
    call.scope.run.note(Issue(code=code, message=message, part=call.name), call.scope.agent, call.step)


def _capability(call: ToolCall, tier: int) -> str:
    function = call.tool.tiers[tier].function if call.tool else None
    return str(getattr(function, "__name__", f"{call.name}#{tier}"))


def _tell(call: ToolCall, tier: int, error: CoordinatorError) -> None:
    data = {"from": f"{call.name}#{tier}", "to": f"{call.name}#{tier + 1}", "code": error.code}
    call.scope.run.emit(Kind.FALLBACK, call.scope.agent, call.step, data)
