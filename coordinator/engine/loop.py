"""The bounded reason-and-act loop: model turns with tool calls until a typed answer is written."""

import asyncio
import math
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError
from pydantic.main import BaseModel

from coordinator.domain.briefs import Brief
from coordinator.domain.content import Message, Origin, StopReason, ToolResult, ToolUse
from coordinator.domain.errors import CoordinatorError, Fault, Invalid, Reached, Refused
from coordinator.engine import asking, shortening, talk
from coordinator.engine.together import together

if TYPE_CHECKING:
    from coordinator.engine.context import Context

M = TypeVar("M", bound=BaseModel)

ENDS = {"turn_limit": "used all its turns", "soft_deadline": "ran out of time"}
"""What is said of an agent whose last turn came, by the code of the reason."""

UNHURRIED = 0.8
"""The part of a member's time after which each of its turns is a last one."""

UNKNOWN = "unknown_tool"
REPEATED = "repeated_call"
"""The one refusal after which nothing is missing: the result of the call is known already."""


async def solve(ctx: "Context", brief: Brief, instructions: str, output: type[M]) -> M:
    """Work on *brief* for at most `max_turns` model turns; the last one is asked without tools, so that it answers.

    When most of a member's time is over every turn is a last one: it answers with what it has, before it is ended and
    the manager finishes.

    Raises:
        Refused: `turn_limit`, or a policy that ends the agent (`loop_stopped`, a ceiling, the deadline).
        Fault: the model failed, refused to answer or was cut off twice.
    """
    spec = ctx.crew.schema(output)
    tools = ctx.crew.offered(ctx.member)
    messages = talk.opening(instructions, brief)
    cut, hurried = False, _hurried(ctx)
    for turn in range(1, ctx.member.max_turns + 1):
        step = ctx.number("turn")
        end = _last(ctx, turn, hurried) if tools else ""
        offered = () if end else tools
        reply = None
        try:
            reply = await ctx.call_model(step, messages, offered, spec, ctx.model)
        except Invalid as error:
            messages = shortening.shortened(ctx, step, messages, error)
        if reply is None:
            reply = await ctx.call_model(f"{step}/compress", messages, offered, spec, ctx.model)
        if reply.stop is StopReason.MAX_TOKENS and not cut:
            # What arrives truncated is never executed: a cut tool call may be valid JSON and still not what was meant.
            cut = True
            messages = (*messages, talk.correction("truncated", asking.CUT))
            continue
        asking.usable(reply, ctx.agent)
        if reply.tool_uses and offered:
            messages = (*messages, talk.said(reply), await act(ctx, step, reply.tool_uses))
            continue
        answer, complaint = asking.parse(reply, output, lambda _: "")
        if answer is not None:
            if end:
                ctx.flag(end, f"{ctx.agent} {ENDS[end]} and answered with what it had")
            for name, wish in ctx.unmet.items():
                ctx.flag(wish.code, wish.message, name)
            return answer
        messages = (*messages, talk.said(reply), complaint)
    raise Refused(
        f"{ctx.agent} gave no answer in {ctx.member.max_turns} turns", code="turn_limit",
        hint="raise max_turns of the agent or narrow its brief",
    )  # fmt: skip


async def act(ctx: "Context", step: str, uses: tuple[ToolUse, ...]) -> Message:
    """Carry out the calls of one turn in parallel; what goes wrong comes back to the model as a result.

    All are judged before any starts: what ends the agent must not cut off what the same turn has begun.

    Raises:
        Refused: a policy ended the agent.
    """
    if len(uses) == 1:
        return talk.answered([await _call(ctx, f"{step}/tool1", uses[0])])
    most, judged = ctx.limits.tool_calls_per_turn, asyncio.Event()
    calls = [_call(ctx, f"{step}/tool{place}", use, judged) for place, use in enumerate(uses[:most], start=1)]
    results = await together(calls, judged)
    results.extend(_one_too_many(ctx, use, most) for use in uses[most:])
    return talk.answered(results)


async def _call(ctx: "Context", step: str, use: ToolUse, judged: asyncio.Event | None = None) -> ToolResult:
    origin = Origin("tool", use.name)
    try:
        if use.name in ctx.member.declares.members:
            return await _delegate(ctx, step, use, judged)
        reply = await ctx.call_tool(step, use.name, use.arguments, judged)
    except Refused as refusal:
        if refusal.ends_agent:
            raise
        if refusal.code != REPEATED:
            ctx.flag(refusal.code, refusal.message, use.name)
        return talk.failure(use, refusal, origin)
    except CoordinatorError as error:
        if error.code == UNKNOWN:
            ctx.unmet[use.name] = error
        return talk.failure(use, error, origin)
    # What was called by a wrong name, or once too often in a turn, has been made up for.
    ctx.unmet = {name: wish for name, wish in ctx.unmet.items() if name != use.name and wish.code != UNKNOWN}
    return talk.success(use, reply.text, reply.origin, reply.degraded)


async def _delegate(ctx: "Context", step: str, use: ToolUse, judged: asyncio.Event | None) -> ToolResult:
    origin = Origin("tool", use.name)
    try:
        brief = Brief.model_validate_json(use.arguments)
    except ValidationError as error:
        wrong = Invalid(
            f"the brief for {use.name} is not valid", code="invalid_arguments",
            details={"fields": talk.wrong_fields(error)},
        )  # fmt: skip
        return talk.failure(use, wrong, origin)
    report = await ctx.call_member(step, use.name, brief, "", judged)
    if report.status == "failed":
        return talk.failure(use, Fault(report.message, reached=Reached.YES, transient=False, code=report.code), origin)
    return talk.success(use, talk.as_json(report.output), origin)


def _one_too_many(ctx: "Context", use: ToolUse, most: int) -> ToolResult:
    refusal = Refused(
        f"only {most} tool calls are carried out in one turn", code="too_many_calls", hint="call it in the next turn"
    )
    ctx.unmet[use.name] = refusal
    return talk.failure(use, refusal, Origin("tool", use.name))


def _hurried(ctx: "Context") -> float:
    """Return the loop time from which a member should answer with what it has; never, for the manager."""
    if len(ctx.scope.ancestors) == 1:
        return math.inf
    return ctx.scope.run.now() + UNHURRIED * ctx.remaining()


def _last(ctx: "Context", turn: int, hurried: float) -> str:
    """Return the code of what makes *turn* a last one; empty when more may follow."""
    if turn == ctx.member.max_turns:
        return "turn_limit"
    return "soft_deadline" if ctx.scope.run.now() >= hurried else ""
