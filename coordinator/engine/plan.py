"""Plans: asked from a model, checked in code, carried out as a graph of delegations."""

import asyncio
from typing import TYPE_CHECKING, Any

from pydantic.main import BaseModel

from coordinator.domain.briefs import Brief, Material, Plan, PlanStep, Report
from coordinator.domain.errors import CoordinatorError, Invalid
from coordinator.domain.model import OutputSpec
from coordinator.engine import asking, talk
from coordinator.engine.together import together

if TYPE_CHECKING:
    from coordinator.engine.context import Context


async def ask(ctx: "Context", step: str, brief: Brief, instructions: str) -> Plan:
    """Ask the model for a plan over the agent's members; what is wrong with it goes back as an error.

    Raises:
        Fault: no valid plan after the corrections.
    """

    def check(plan: Plan) -> str:
        return wrong_with(plan, set(ctx.members), ctx.limits.plan_steps)

    spec = ctx.crew.plan_schema(ctx.member)
    return await asking.typed(ctx, step, talk.opening(instructions, brief), (Plan, spec, check), ctx.model)


def plan_schema(members: dict[str, str]) -> OutputSpec:
    """Return the schema of a plan in which each member is a choice that says what the member is for."""
    schema = Plan.model_json_schema()
    choices = [{"const": name, "description": description} for name, description in members.items()]
    member = schema["$defs"]["PlanStep"]["properties"]["member"]
    schema["$defs"]["PlanStep"]["properties"]["member"] = {"anyOf": choices, "description": member["description"]}
    return OutputSpec.of("Plan", schema)


def wrong_with(plan: Plan, members: set[str], most: int) -> str:
    """Say in one sentence what makes *plan* impossible; empty when nothing does."""
    ids = [step.id for step in plan.steps]
    if not ids:
        return "the plan has no steps"
    if len(ids) > most:
        return f"the plan has {len(ids)} steps; at most {most} are allowed"
    if len(set(ids)) < len(ids):
        return "two steps of the plan have the same id"
    if any("/" in step or not step for step in ids):
        return "a step id is empty or has a slash in it"
    for step in plan.steps:
        if step.member not in members:
            return (
                f"step {step.id} names {step.member!r}, who is not a member; members are {', '.join(sorted(members))}"
            )
        for need in step.needs:
            if need not in ids:
                return f"step {step.id} needs {need!r}, which is not a step"
    circle = _circle(plan)
    return f"the steps {', '.join(circle)} need one another in a circle" if circle else ""


async def execute(ctx: "Context", step: str, plan: Plan, brief: Brief, model: str = "") -> dict[str, Report[Any]]:
    """Carry out *plan*: a step starts when all it needs have reported, and is given their reports as materials.

    A step whose needs failed is not started; its report says so, and the run records what is missing.

    Raises:
        Invalid: `bad_plan`, for what `wrong_with` finds.
    """
    wrong = wrong_with(plan, set(ctx.members), ctx.limits.plan_steps)
    if wrong:
        raise Invalid(wrong, code="bad_plan")
    loop = asyncio.get_running_loop()
    pending: dict[str, asyncio.Future[Report[Any]]] = {node.id: loop.create_future() for node in plan.steps}

    async def carry_out(node: PlanStep) -> Report[Any]:
        needed = {need: await pending[need] for need in node.needs}
        report = await _carry_out(ctx, f"{step}/{node.id}", node, needed, (brief, model))
        pending[node.id].set_result(report)
        return report

    reports = await together([carry_out(node) for node in plan.steps])
    return {node.id: report for node, report in zip(plan.steps, reports, strict=True)}


async def _carry_out(
    ctx: "Context", step: str, node: PlanStep, needed: dict[str, Report[Any]], asked: tuple[Brief, str]
) -> Report[Any]:
    brief, model = asked
    failed = [need for need, report in needed.items() if report.status == "failed"]
    if failed:
        message = f"step {node.id} was not started, because {', '.join(failed)} failed"
        ctx.flag("step_skipped", message, node.id)
        return Report(node.member, step, "failed", code="needs_failed", message=message)
    found = [Material(origin=report.agent, content=_content(report)) for report in needed.values()]
    given = Brief(request=brief.request, goal=node.goal, materials=(*brief.materials, *found))
    try:
        return await ctx.call_member(step, node.member, given, model)
    except CoordinatorError as error:
        if getattr(error, "ends_agent", False):
            raise
        ctx.flag(error.code, f"step {node.id} was refused: {error.message}", node.id)
        return Report(node.member, step, "failed", code=error.code, message=error.message, error=error)


def _content(report: Report[Any]) -> Any:
    output = report.output
    return output.model_dump(mode="json") if isinstance(output, BaseModel) else output


def _circle(plan: Plan) -> list[str]:
    """Return the ids left over after taking away, again and again, the steps that need nothing (Kahn 1962)."""
    left = {step.id: set(step.needs) for step in plan.steps}
    while True:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        if not free:
            return list(left)
        for name in free:
            del left[name]
