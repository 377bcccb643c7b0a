"""Deadline: when a run or a delegation must be over, waits and retries included."""

from typing import Any, TypeVar, cast

from coordinator.domain.briefs import Report
from coordinator.domain.calls import Call, DelegationCall, RunCall
from coordinator.domain.errors import Refused
from coordinator.domain.layer import Handler
from coordinator.domain.timer import Alarms, Timer

C = TypeVar("C", bound=Call)
R = TypeVar("R")


class Deadline:
    """Cancels what is inside when the call's deadline comes, and reports it once everything inside has ended.

    A run's clock starts here, when it has been admitted, and stops when its manager has answered. Its soft deadline is
    set along with it, and cuts the delegations of its manager: one that is not over by then hands back a failed report
    (`soft_deadline`) and raises nothing, so that the manager finishes without in the time that is left. A delegation
    that its agent's `timeout` cuts raises. One that must be over no earlier than its run, or than the delegation around
    it, sets no timer: that one's expiry cancels it.

    Args:
        alarms: wakes the timers of all calls; the loop does, when left out.

    Raises:
        Refused: `deadline_exceeded`, for a run, or a delegation that its agent's `timeout` cuts.
    """

    __slots__ = ("_alarms",)

    def __init__(self, alarms: Alarms | None = None) -> None:
        self._alarms = alarms

    async def __call__(self, call: C, then: Handler[C, R]) -> R:
        run = call.scope.run
        if isinstance(call, RunCall):
            when = self._start(call)
        else:
            when = call.deadline
            if when >= run.deadline or when >= call.scope.deadline:
                return await then(call)
        timer = Timer(when, run.loop, self._alarms)
        if isinstance(call, RunCall):
            run.timer = timer
        try:
            with timer:
                reply = await then(call)
            if not timer.expired:  # else what is inside has swallowed its end, and comes too late
                return reply
        except TimeoutError:
            if not timer.expired:
                raise
        if isinstance(call, DelegationCall) and when == run.soft_deadline:
            return cast(R, _unfinished(call))
        raise Refused(
            f"{call.step} was not over at its deadline", code="deadline_exceeded",
            hint="give it more time (deadline_s) or less to do",
        )  # fmt: skip

    @staticmethod
    def _start(call: RunCall) -> float:
        run = call.scope.run
        now = run.now()
        run.deadline = min(run.deadline, call.deadline, now + run.limits.deadline_s)
        run.soft_deadline = min(run.soft_deadline, now + run.limits.soft_deadline_s)
        return run.deadline


def _unfinished(call: DelegationCall) -> Report[Any]:
    error = Refused(
        f"{call.name} was not done at the soft deadline", code="soft_deadline",
        hint="give the run more time (deadline_s, soft_deadline_s) or less to do",
    )  # fmt: skip
    return Report(call.name, call.step, "failed", code=error.code, message=error.message, error=error)
