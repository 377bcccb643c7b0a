"""The core of the run pipeline: the manager at work, and what its end means."""

import asyncio
import logging
from textwrap import shorten
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from coordinator.domain.briefs import Brief, Report
from coordinator.domain.calls import RunCall, RunReply
from coordinator.domain.errands import Stragglers
from coordinator.domain.errors import CoordinatorError, Fault, Reached, Refused
from coordinator.domain.money import usd
from coordinator.domain.result import UNFINISHED, Issue, Reply, RunResult, Status, status_after
from coordinator.domain.scope import RunState
from coordinator.engine.apart import AGENT_GRACE_S, grace, leave, waker
from coordinator.engine.channel import AgentErrand, Channels
from coordinator.engine.context import Context
from coordinator.engine.crew import Crew
from coordinator.engine.work import Work, lost, perform

log = logging.getLogger("coordinator")


class Manage:
    """Runs a team's manager in a task of its own; no task that it starts outlives it, unless it swallows its end.

    Whatever the manager makes of a cancellation, the run ends cancelled, after a grace at the latest.

    Args:
        crew: the team and its pipelines.
        stragglers: keeps account of agents that go on when the run has left them.
    """

    __slots__ = ("_crew", "_stragglers", "_work")

    def __init__(self, crew: Crew, stragglers: Stragglers) -> None:
        self._crew = crew
        self._stragglers = stragglers
        self._work = Work(crew)

    async def __call__(self, call: RunCall) -> RunReply:
        manager, run = self._crew.team.manager, call.scope.run
        channels = Channels(run.loop, self._work, self._stragglers)
        run.own(Channels, lambda: channels)
        try:
            report = await self._managed(call, channels)
            if run.timer is not None:  # the answer is there in time; members that do not end have a grace of their own
                run.timer.stop()
        finally:
            if channels.close():
                await channels.ended()
        if channels.crash is not None:
            raise channels.crash
        if report.error is not None:
            run.note(_issue(report.error), manager.name, call.step)
        output = report.result()
        _check_json(manager.name, output)
        return _reply(run, output)

    async def _managed(self, call: RunCall, channels: Channels) -> Report[Any]:
        """Return the manager's report."""
        manager, run = self._crew.team.manager, call.scope.run
        ctx = Context(self._crew, call.scope, manager)
        task = run.loop.create_task(perform(manager, Brief(request=call.task.text), ctx))
        ended: asyncio.Future[None] = run.loop.create_future()
        # The task itself cannot be awaited: it would pass a cancellation on, and the run would learn of it at its end.
        task.add_done_callback(waker(ended))
        try:
            await ended
        except BaseException:
            task.cancel()
            channels.call_off()
            await grace(task, run.loop, AGENT_GRACE_S)
            if not task.done():
                leave(task, self._stragglers, AgentErrand(run, manager.name, call.step, task))
            raise
        if task.cancelled():
            raise lost(manager.name)
        return task.result()


def _check_json(manager: str, output: Any) -> None:
    """Check that *output* can stand in a result.

    Raises:
        Fault: `bad_report`, when it holds what JSON cannot say, or holds itself.
    """
    if isinstance(output, str | Reply):
        return
    try:
        to_jsonable_python(output)
    except (ValueError, RecursionError) as error:
        raise Fault(
            f"agent {manager} returned {type(output).__name__}, which cannot be written as JSON: {error}",
            code="bad_report", hint="return text, plain values or a model", reached=Reached.YES, transient=False,
        ) from None  # fmt: skip


def _reply(run: RunState, output: Any) -> RunReply:
    """Say what *output* makes of the run: whatever is missing makes it `flagged`."""
    said, reasons = Status.COMPLETED, run.issues
    if isinstance(output, Reply):
        said = Status(output.status)
        for reason in output.reasons:
            run.note(reason)
        if said is not Status.COMPLETED:
            if not run.issues:
                run.note(_unexplained(said, output.text))
            reasons = output.reasons or run.issues
    if said is Status.COMPLETED and not _words(output).strip():
        run.note(Issue(code="empty_reply", message="the manager handed back nothing to say"))
    if said is Status.COMPLETED and run.issues:
        said = Status.FLAGGED
    return RunReply(output, said, "ok" if said is Status.COMPLETED else reasons[0].code)


def _unexplained(said: Status, text: str) -> Issue:
    """Return the issue of a run that its manager ended so without a reason; the first words of its *text* may tell."""
    words = f": {shorten(text, 100, placeholder=' …')}" if text.strip() else ""
    return Issue(code=said.value, message=f"the manager ended the run {said} and gave no reason{words}")


def completed(run: RunState, reply: RunReply, duration: float) -> RunResult:
    """Return the result of a run whose manager handed something back after *duration* seconds."""
    output = reply.output
    text, citations = (output.text, output.citations) if isinstance(output, Reply) else (_words(output), [])
    stop = next((issue.code for issue in run.issues if issue.code in UNFINISHED), "finished")
    more = {
        "text": text, "citations": citations, "stop_reason": stop, "output": to_jsonable_python(output),
    }  # fmt: skip
    return _result(run, reply.status, reply.code, duration, **more)


def ended(run: RunState, cause: Exception, duration: float) -> RunResult:
    """Return the result of a run that *cause* ended after *duration* seconds."""
    error = cause if isinstance(cause, CoordinatorError) else _crashed(run, cause)
    issue = _issue(error)
    if issue not in run.issues:  # one that a policy around the whole run raised
        run.issues.append(issue)
    after = error.retry_after if isinstance(error, Refused | Fault) else None
    return _result(run, status_after(error), error.code, duration, stop_reason=error.code, retry_after=after)


def _crashed(run: RunState, cause: Exception) -> Fault:
    """Return what is told of an error that is none of ours and none of an agent's or a tool's; the log has the rest."""
    log.error("run %s crashed", run.run_id, exc_info=cause)
    return Fault(
        f"the run crashed with {type(cause).__name__}: {cause}", reached=Reached.MAYBE, transient=False,
        code="run_crashed", hint="the traceback is in the log named coordinator",
    )  # fmt: skip


def cancelled(run: RunState, duration: float) -> RunResult:
    """Return the result of a run that was cancelled after *duration* seconds."""
    issue = Issue(code="cancelled", message="the run was cancelled")
    if issue not in run.issues:
        run.issues.append(issue)
    return _result(run, Status.CANCELLED, "cancelled", duration, stop_reason="cancelled")


def _issue(error: CoordinatorError) -> Issue:
    return Issue(code=error.code, message=str(error))


def _result(run: RunState, status: Status, code: str, duration: float, **more: Any) -> RunResult:
    return RunResult(
        status=status, code=code, issues=list(run.issues), cost_usd=usd(run.cost), saved_usd=usd(run.saved),
        ceiling_usd=usd(run.limits.ceiling), run_id=run.run_id, tenant=run.tenant.tenant, model=run.model,
        turns=run.turns, steps=run.steps, duration_s=duration, **more,
    )  # fmt: skip


def _words(output: Any) -> str:
    if isinstance(output, str):
        return output
    if isinstance(output, BaseModel):
        text = getattr(output, "text", None)
        return text if isinstance(text, str) else output.model_dump_json(indent=2)
    return "" if output is None else str(output)
