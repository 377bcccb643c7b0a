"""LoopGuard: identical calls are refused with an explanation, then the agent is stopped."""

from typing import TypeVar

from coordinator.domain.calls import DelegationCall, ToolCall
from coordinator.domain.errors import Refused
from coordinator.domain.layer import Handler

C = TypeVar("C", DelegationCall, ToolCall)
R = TypeVar("R")


class LoopGuard:
    """Counts identical calls per agent path and run.

    The calls of one turn are judged in their order, also under a loop that shuffles what is ready: the judgement falls
    before the first await of this layer, nothing outside it in a pipeline suspends, and the engine lets each call of a
    turn take its first step only after the one before. Here each waits until all have been judged, so that none is
    begun in a turn that ends the agent.

    Args:
        repeats: this repetition of a call, and every later one, is refused.
        refusals: after so many refusals the agent is stopped.

    Raises:
        Refused: `repeated_call`; `loop_stopped`, which ends the agent; `delegation_cycle`, when the member is at work
            further up.
    """

    def __init__(self, repeats: int = 2, refusals: int = 3) -> None:
        self._repeats = repeats
        self._refusals = refusals

    async def __call__(self, call: C, then: Handler[C, R]) -> R:
        self._judge(call)
        if call.judged is not None:
            await call.judged.wait()
        return await then(call)

    def _judge(self, call: DelegationCall | ToolCall) -> None:
        scope = call.scope
        if type(call) is DelegationCall and call.name in scope.ancestors:
            raise Refused(
                f"{scope.agent} may not delegate to {call.name}, who waits for it",
                code="delegation_cycle", hint="do the work yourself or ask another member",
            )  # fmt: skip
        paths: dict[str, _Seen] = scope.run.own(self, dict)
        seen = paths.get(scope.path)
        if seen is None:
            seen = paths[scope.path] = _Seen()
        what = call.identity
        times = seen.times[what] = seen.times.get(what, 0) + 1
        if times > self._repeats:
            raise self._refusal(call, seen, times)

    def _refusal(self, call: DelegationCall | ToolCall, seen: "_Seen", times: int) -> Refused:
        seen.refusals += 1
        if seen.refusals > self._refusals:
            return Refused(
                f"{call.scope.agent} went on repeating itself after {self._refusals} warnings, last with {call.name}",
                code="loop_stopped", hint="the agent is stopped; its work so far is kept", ends_agent=True,
            )  # fmt: skip
        return Refused(
            f"this call of {call.name} with these very arguments was made {times - 1} times before",
            code="repeated_call", hint="its result will not change: use what is known, or call with other arguments",
        )  # fmt: skip


class _Seen:
    __slots__ = ("refusals", "times")

    def __init__(self) -> None:
        self.times: dict[str, int] = {}
        self.refusals = 0
