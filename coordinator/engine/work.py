"""The edge of an agent: its function called, its report checked, its failure turned into a report."""

import asyncio
import traceback
from typing import Any

from coordinator.domain.briefs import Brief, Report
from coordinator.domain.calls import DelegationCall
from coordinator.domain.errors import CoordinatorError, Fault, Reached
from coordinator.domain.events import Kind
from coordinator.domain.ports import Account
from coordinator.domain.scope import Rights, RunState, Scope
from coordinator.domain.team import Agent
from coordinator.engine.apart import closed
from coordinator.engine.context import Context
from coordinator.engine.crew import Crew
from coordinator.engine.slots import Place
from coordinator.engine.together import first


class Work:
    """Carries out one brief for one member; always returns a report, never an exception.

    Args:
        crew: the team and its pipelines.
    """

    __slots__ = ("_crew",)

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    async def __call__(self, call: DelegationCall, place: Place) -> Report[Any]:
        member = self._crew.team.agents[call.name]
        scope = _child(call, member, self._crew.team.reaches[member.name])
        return await perform(member, call.brief, Context(self._crew, scope, member, place, call.model))


async def perform(member: Agent[Any], brief: Brief, ctx: Context) -> Report[Any]:
    """Let *member* work on *brief*; whatever goes wrong becomes a failed report, so that no task group is torn."""
    scope = ctx.scope
    try:
        output = await member.work(brief, ctx)
    except CoordinatorError as error:
        return _failed(ctx, error)
    except BaseExceptionGroup as group:  # of a task group of the agent's own
        cause = first(group)
        return _failed(ctx, cause if isinstance(cause, CoordinatorError) else _crashed(ctx, cause))
    except asyncio.CancelledError as error:
        if cancelling(scope.run):
            raise
        return _failed(ctx, _crashed(ctx, error))
    except BaseException as error:  # the edge of an agent may catch everything
        if isinstance(error, KeyboardInterrupt) or (isinstance(error, GeneratorExit) and closed(error)):
            raise
        return _failed(ctx, _crashed(ctx, error))
    if member.report is not None and not isinstance(output, member.report):
        promised, given = member.report.__name__, type(output).__name__
        return _failed(ctx, _broken("bad_report", f"agent {scope.agent} promised {promised} and returned {given}"))
    return Report(scope.agent, scope.path, "done", output, passages=ctx.found)


def _child(call: DelegationCall, member: Agent[Any], reach: Rights) -> Scope:
    """Return the scope of the member: it may pass on what its parent may, and use of that what it declares itself."""
    parent = call.scope
    grants = parent.grants.narrow(reach)
    rights = grants.narrow(member.declares)
    allowances = parent.allowances
    if member.allowance is not None:
        allowances = (Account(f"allowance/{parent.run.run_id}/{call.step}", member.allowance), *allowances)
    return Scope(
        parent.run, call.name, call.step, (*parent.ancestors, call.name), rights, allowances, call.deadline, grants
    )  # fmt: skip


def cancelling(run: RunState) -> bool:
    """Say whether the current task is really being cancelled, or its code only raised as if it were."""
    task = asyncio.current_task(run.loop)
    return task is not None and task.cancelling() > 0


def _crashed(ctx: Context, error: BaseException) -> Fault:
    scope = ctx.scope
    trace = "".join(traceback.format_exception(error))
    data = {"code": "agent_crashed", "error": type(error).__name__, "traceback": trace}
    scope.run.emit(Kind.CRASH, scope.agent, scope.path, data)
    return _broken("agent_crashed", f"agent {scope.agent} crashed with {type(error).__name__}: {error}")


def _broken(code: str, message: str) -> Fault:
    hint = "the traceback is in the run's events" if code == "agent_crashed" else "return what its annotation says"
    return Fault(message, reached=Reached.YES, transient=False, code=code, hint=hint)


def lost(agent: str) -> Fault:
    """Return what is told of an agent whose task somebody cancelled, though nobody has cancelled its run."""
    return _broken("agent_crashed", f"the task of agent {agent} was cancelled, and its run was not")


def _failed(ctx: Context, error: CoordinatorError) -> Report[Any]:
    scope = ctx.scope
    return Report(scope.agent, scope.path, "failed", None, error.code, error.message, ctx.found, error)
