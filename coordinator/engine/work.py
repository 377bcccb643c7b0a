"""The edge of an agent: its function called, its report checked, its failure turned into a report."""

import traceback
from typing import Any

from coordinator.domain.briefs import Brief, Report
from coordinator.domain.calls import DelegationCall
from coordinator.domain.errors import CoordinatorError, Fault, Reached
from coordinator.domain.events import Kind
from coordinator.domain.ports import Account
from coordinator.domain.scope import Scope
from coordinator.domain.team import Agent
from coordinator.engine.context import Context
from coordinator.engine.crew import Crew
from coordinator.engine.slots import Place


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
        return await perform(member, call.brief, Context(self._crew, _child(call, member), member, place))


async def perform(member: Agent[Any], brief: Brief, ctx: Context) -> Report[Any]:
    """Let *member* work on *brief*; whatever goes wrong becomes a failed report, so that no task group is torn."""
    scope = ctx.scope
    try:
        output = await member.work(brief, ctx)
    except CoordinatorError as error:
        return _failed(ctx, error)
    except Exception as error:  # noqa: BLE001 - the edge of an agent is one of the three that may catch everything
        data = {"code": "agent_crashed", "error": type(error).__name__, "traceback": traceback.format_exc()}
        scope.run.emit(Kind.CRASH, scope.agent, scope.path, data)
        return _failed(
            ctx, _broken("agent_crashed", f"agent {scope.agent} crashed with {type(error).__name__}: {error}")
        )
    if member.report is not None and not isinstance(output, member.report):
        promised, given = member.report.__name__, type(output).__name__
        return _failed(ctx, _broken("bad_report", f"agent {scope.agent} promised {promised} and returned {given}"))
    return Report(scope.agent, scope.path, "done", output, passages=ctx.found)


def _child(call: DelegationCall, member: Agent[Any]) -> Scope:
    """Return the scope of the member: the rights of its parent, narrowed to what it declares."""
    parent = call.scope
    rights = parent.rights.narrow(member.declares.tools, member.declares.members)
    allowances = parent.allowances
    if member.allowance is not None:
        allowances = (Account(f"allowance/{parent.run.run_id}/{call.step}", member.allowance), *allowances)
    return Scope(
        parent.run, call.name, call.step, (*parent.ancestors, call.name), rights, allowances, deadline=call.deadline
    )  # fmt: skip


def _broken(code: str, message: str) -> Fault:
    hint = "the traceback is in the run's events" if code == "agent_crashed" else "return what its annotation says"
    return Fault(message, reached=Reached.YES, transient=False, code=code, hint=hint)


def _failed(ctx: Context, error: CoordinatorError) -> Report[Any]:
    scope = ctx.scope
    return Report(scope.agent, scope.path, "failed", None, error.code, error.message, ctx.found, error)
