"""Deadline: when a run or a delegation must be over, waits and retries included."""

from typing import TypeVar

from coordinator.domain.calls import Call, RunCall
from coordinator.domain.errors import Refused
from coordinator.domain.layer import Handler
from coordinator.domain.timer import Alarms, Timer

C = TypeVar("C", bound=Call)
R = TypeVar("R")


class Deadline:
    """Cancels what is inside when the call's deadline comes, and reports it once everything inside has ended.

    A run's clock starts here, when it has been admitted; its soft deadline is set along with it. A delegation that must
    be over no earlier than its run sets no timer: then the run's own expiry cancels it.

    Args:
        alarms: wakes the timers of all calls; the loop does, when left out.

    Raises:
        Refused: `deadline_exceeded`.
    """

    __slots__ = ("_alarms",)

    def __init__(self, alarms: Alarms | None = None) -> None:
        self._alarms = alarms

    async def __call__(self, call: C, then: Handler[C, R]) -> R:
        if isinstance(call, RunCall):
            when = self._start(call)
        else:
            when = call.deadline
            if when >= call.scope.run.deadline:
                return await then(call)
        timer = Timer(when, call.scope.run.loop, self._alarms)
        try:
            with timer:
                reply = await then(call)
            if not timer.expired:  # else what is inside has swallowed its end, and comes too late
                return reply
        except TimeoutError:
            if not timer.expired:
                raise
        raise Refused(
            f"{call.step} was not over at its deadline", code="deadline_exceeded",
            hint="give it more time (deadline_s) or less to do",
        )  # fmt: skip

    @staticmethod
    def _start(call: RunCall) -> float:
        run = call.scope.run
        now = run.loop.time()
        run.deadline = min(run.deadline, call.deadline, now + run.limits.deadline_s)
        run.soft_deadline = min(run.soft_deadline, now + run.limits.soft_deadline_s)
        return run.deadline
