"""Laws of plans: a graph over real members, carried out in parallel where it can be."""

import asyncio
from collections.abc import Callable

import pytest

from coordinator import AgentContext, Brief, Coordinator, Plan, PlanStep, Status, agent
from coordinator.engine.plan import plan_schema, wrong_with

Desk = Callable[..., Coordinator]


def plan(**needs: list[str]) -> Plan:
    return Plan(steps=[PlanStep(id=name, member="helper", goal=name, needs=needed) for name, needed in needs.items()])


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        (plan(), "no steps"),
        (plan(a=["b"], b=["a"]), "circle"),
        (plan(a=["a"]), "circle"),
        (plan(a=["z"]), "'z', which is not a step"),
        (plan(**{name: [] for name in "abcdef"}), "at most 5"),
        (Plan(steps=[PlanStep(id="a", member="nobody", goal="")]), "'nobody', who is not a member"),
        (Plan(steps=[PlanStep(id="a", member="helper", goal="")] * 2), "same id"),
        (Plan(steps=[PlanStep(id="a/b", member="helper", goal="")]), "slash"),
        (plan(a=[], b=["a"], c=["a"], d=["b", "c"]), ""),
    ],
)
def test_an_impossible_plan_is_described_in_one_sentence(steps: Plan, complaint: str) -> None:
    wrong = wrong_with(steps, {"helper"}, 5)
    assert complaint in wrong
    assert bool(wrong) is bool(complaint)


def test_members_are_described_choices_in_the_schema_of_a_plan() -> None:
    schema = plan_schema({"helper": "Helps.", "other": "Does else."}).schema
    assert schema["$defs"]["PlanStep"]["properties"]["member"]["anyOf"] == [
        {"const": "helper", "description": "Helps."},
        {"const": "other", "description": "Does else."},
    ]


@agent()
async def helper(brief: Brief, ctx: AgentContext) -> str:
    """Helps."""
    await asyncio.sleep(1)
    if "fail" in brief.goal:
        raise ZeroDivisionError
    return f"{brief.goal}({','.join(str(given.content) for given in brief.materials)})"


async def test_independent_steps_run_in_parallel_and_get_what_they_need(desk: Desk) -> None:
    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        reports = await ctx.execute(plan(a=[], b=[], c=["a", "b"]), brief)
        return str(reports["c"].output)

    async with desk(manager) as coordinator:
        result = await coordinator.run("hi")
    assert result.text == "c(a(),b())"
    assert 2 <= result.duration_s < 2.1


async def test_a_step_whose_needs_failed_is_not_started_and_the_run_says_so(desk: Desk) -> None:
    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        reports = await ctx.execute(plan(fail=[], after=["fail"], other=[]), brief)
        return " ".join(f"{name}:{report.code}" for name, report in reports.items())

    async with desk(manager) as coordinator:
        result = await coordinator.run("hi")
    assert result.text == "fail:agent_crashed after:needs_failed other:ok"
    assert (result.status, [issue.code for issue in result.issues]) == (
        Status.FLAGGED, ["agent_crashed", "step_skipped"],
    )  # fmt: skip


async def test_a_wrong_plan_goes_back_to_the_model_as_an_error(desk: Desk) -> None:
    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        steps = await ctx.plan(brief, instructions="plan")
        return steps.steps[0].id

    wrong = {"output": {"steps": [{"id": "a", "member": "ghost", "goal": "g"}]}}
    right = {"when": "not a member", "output": {"steps": [{"id": "b", "member": "helper", "goal": "g"}]}}
    async with desk(manager, wrong, right) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.text, result.turns) == (Status.COMPLETED, "b", 2)


async def test_a_model_that_cannot_plan_ends_in_bad_answer(desk: Desk) -> None:
    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return str(await ctx.plan(brief, instructions="plan"))

    async with desk(manager, {"text": "no idea", "times": None}) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.code, result.turns) == (Status.FAILED, "bad_answer", 3)
