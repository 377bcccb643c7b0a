"""The core of the run pipeline: the manager at work in the run's task group, and what its end means."""

import asyncio
import math
from typing import Any

from pydantic import BaseModel

from coordinator.domain.briefs import Brief
from coordinator.domain.calls import RunCall, RunReply
from coordinator.domain.errors import CoordinatorError, Refused, UnknownOutcome
from coordinator.domain.money import usd
from coordinator.domain.result import Issue, Reply, RunResult, Status
from coordinator.domain.scope import RunState
from coordinator.engine.channel import Channels
from coordinator.engine.context import Context
from coordinator.engine.crew import Crew
from coordinator.engine.together import first
from coordinator.engine.work import Work, perform

# These say that the agent did not finish, not that a limit of money, rate or admission turned the run away.
UNFINISHED = frozenset({"deadline_exceeded", "loop_stopped", "soft_deadline", "turn_limit"})


class Manage:
    """Runs a team's manager; no task that it starts outlives it.

    Args:
        crew: the team and its pipelines.
    """

    __slots__ = ("_crew", "_work")

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._work = Work(crew)

    async def __call__(self, call: RunCall) -> RunReply:
        try:
            async with asyncio.TaskGroup() as tasks:
                channels = Channels(tasks, self._work)
                call.scope.run.own(Channels, lambda: channels)
                try:
                    return RunReply(await self._manage(call))
                finally:
                    channels.close()
        except BaseExceptionGroup as group:
            raise first(group) from None

    async def _manage(self, call: RunCall) -> Any:
        manager = self._crew.team.manager
        ctx = Context(self._crew, call.scope, manager)
        return (await perform(manager, Brief(request=call.task.text), ctx)).result()


def completed(run: RunState, reply: RunReply, duration: float) -> RunResult:
    """Return the result of a run whose manager handed something back; whatever is missing makes it `flagged`."""
    said = reply.output if isinstance(reply.output, Reply) else Reply(text=_text(reply.output))
    for reason in said.reasons:
        run.note(reason)
    status = Status(said.status)
    if status is Status.COMPLETED and run.issues:
        status = Status.FLAGGED
    code = "ok" if status is Status.COMPLETED else run.issues[0].code if run.issues else str(status)
    stop = next((issue.code for issue in run.issues if issue.code in UNFINISHED), "finished")
    output = reply.output.model_dump(mode="json") if isinstance(reply.output, BaseModel) else reply.output
    return _result(
        run, status, code, duration, text=said.text, citations=said.citations, stop_reason=stop, output=output
    )


def ended(run: RunState, error: BaseException, duration: float) -> RunResult:
    """Return the result of a run that an error or a cancellation ended."""
    if not isinstance(error, CoordinatorError):
        run.note(Issue(code="cancelled", message="the run was cancelled"))
        return _result(run, Status.CANCELLED, "cancelled", duration, stop_reason="cancelled")
    run.note(Issue(code=error.code, message=str(error)))
    after = getattr(error, "retry_after", None)
    return _result(run, _status(error), error.code, duration, stop_reason=error.code, retry_after=after)


def _status(error: CoordinatorError) -> Status:
    if isinstance(error, Refused):
        return Status.FAILED if error.code in UNFINISHED else Status.REFUSED
    return Status.ESCALATED if isinstance(error, UnknownOutcome) else Status.FAILED


def _result(run: RunState, status: Status, code: str, duration: float, **more: Any) -> RunResult:
    return RunResult(
        status=status, code=code, issues=list(run.issues), cost_usd=usd(run.cost), ceiling_usd=usd(run.limits.ceiling),
        run_id=run.run_id, tenant=run.tenant.tenant, model=run.model, turns=run.turns, steps=run.steps,
        duration_s=0.0 if math.isinf(duration) else duration, **more,
    )  # fmt: skip


def _text(output: Any) -> str:
    if isinstance(output, str):
        return output
    if isinstance(output, BaseModel):
        text = getattr(output, "text", None)
        return text if isinstance(text, str) else output.model_dump_json(indent=2)
    return "" if output is None else str(output)
