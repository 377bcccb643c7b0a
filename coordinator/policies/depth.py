"""Depth: how far and how often a run may delegate."""

from coordinator.domain.calls import DelegationCall, DelegationReply
from coordinator.domain.errors import Refused
from coordinator.domain.layer import Handler
from coordinator.domain.result import Issue


class Depth:
    """Bounds the depth and the number of a run's delegations; after the soft deadline no new one starts.

    What was left undone for want of time is noted on the run, so that it never ends `completed`.

    Raises:
        Refused: `depth_exceeded`, `delegations_exceeded` or `soft_deadline`.
    """

    async def __call__(self, call: DelegationCall, then: Handler[DelegationCall, DelegationReply]) -> DelegationReply:
        run = call.scope.run
        limits = run.limits
        # The ancestors include the agent that delegates; the manager's delegates are at depth 1.
        if len(call.scope.ancestors) > limits.depth:
            raise Refused(
                f"{call.scope.agent} may not delegate to {call.name}: the run allows a depth of {limits.depth}",
                code="depth_exceeded", hint="do the work with your own tools",
            )  # fmt: skip
        if run.now() >= run.soft_deadline:
            undone = f"no time is left to delegate to {call.name}"
            run.note(Issue(code="soft_deadline", message=undone, part=call.name), call.scope.agent, call.step)
            raise Refused(undone, code="soft_deadline", hint="finish with what is known")
        made = run.own(self, _Count)
        if made.delegations >= limits.delegations:
            raise Refused(
                f"the run has made all of its {limits.delegations} delegations",
                code="delegations_exceeded", hint="finish with what is known",
            )  # fmt: skip
        made.delegations += 1
        return await then(call)


class _Count:
    __slots__ = ("delegations",)

    def __init__(self) -> None:
        self.delegations = 0
