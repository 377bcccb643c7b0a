"""A member who is stuck at the soft deadline is ended then, and the manager has the rest of the time to finish."""

import asyncio
from typing import Any

import pytest

from coordinator import (
    AgentContext,
    Brief,
    Coordinator,
    Effect,
    Event,
    Kind,
    Plan,
    PlanStep,
    Settings,
    Status,
    Team,
    agent,
    tool,
)
from coordinator.domain.content import StopReason
from coordinator.domain.errors import Fault, Reached
from coordinator.domain.model import ModelReply, ModelRequest, Quota
from coordinator.domain.money import Usage
from coordinator.simulation.clock import VirtualLoop

HARD, SOFT = 60, 48


@agent()
async def asking(brief: Brief, ctx: AgentContext) -> str:
    """Asks the model."""
    return str(await ctx.ask(brief.request))


@agent(delegates=[asking])
async def passing_on(brief: Brief, ctx: AgentContext) -> str:
    """Lets another ask it, and then asks itself."""
    report = await ctx.delegate(asking, brief)
    return f"{report.status} {await ctx.ask('and then?')}"


async def stuck(model: str, request: ModelRequest) -> ModelReply:
    """Answer after the run is over."""
    await asyncio.sleep(100)
    return ModelReply("late", (), StopReason.END, Usage(5, 5), "m:m")


def fresh(member: Any, model: Any = stuck, observers: Any = (), **more: Any) -> Coordinator:
    @agent(delegates=[member])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        """Delegates, and finishes with what comes of it."""
        report = await ctx.delegate(member, brief)
        await asyncio.sleep(10)
        return f"{report.status} {report.code}"

    prices = {"m:*": {"input": 1, "output": 1}}
    settings = Settings(models={"small": "m"}, prices=prices, world={}, deadline_s=HARD, **more)
    return Coordinator(Team(manager), settings, models={"m": model}, observers=observers)


@pytest.mark.parametrize("member", [asking, passing_on], ids=["member", "member of a member"])
async def test_the_manager_finishes_without_a_member_who_is_stuck_at_the_soft_deadline(member: Any) -> None:
    async with fresh(member) as coordinator:
        result = await coordinator.run("q")
    assert (result.status, result.code, result.text) == (Status.FLAGGED, "soft_deadline", "failed soft_deadline")
    assert result.duration_s == pytest.approx(SOFT + 10, abs=0.1)
    assert [(issue.code, issue.part) for issue in result.issues] == [("soft_deadline", member.name)]


@pytest.mark.parametrize("seed", range(10))
def test_nobody_who_is_ended_begins_anything_more_whoever_is_told_first(seed: int) -> None:
    async def turns() -> int:
        async with fresh(passing_on) as coordinator:
            return (await coordinator.run("q")).turns

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        assert runner.run(turns()) == 1


async def nothing_left(model: str, request: ModelRequest) -> ModelReply:
    """Answer after ten seconds, and say that there will be no more for a thousand."""
    await asyncio.sleep(10)
    return ModelReply("x", (), StopReason.END, Usage(5, 5), "m:m", quota=Quota(requests=0, reset_s=1000))


@pytest.mark.parametrize(
    ("cause", "model", "scarce"),
    [
        ("gates", nothing_left, {"rates": {"m:*": {"requests": 1, "per_s": 20, "burst": 0.9}}}),
        ("money", stuck, {"global_usd": 0.0015, "run_usd": 0.0015, "min_output_tokens": 1000}),
    ],
)
async def test_a_member_who_waits_its_turn_at_the_soft_deadline_is_ended_too(
    cause: str, model: Any, scarce: dict[str, Any]
) -> None:
    waited: list[Event] = []
    patient = {"first": {"deadline_s": 1000}}
    async with fresh(asking, model, tenants=patient, observers=[waited.append], **scarce) as coordinator:
        first = coordinator.start("q", tenant="first")
        await asyncio.sleep(1)
        result = await coordinator.run("q")
        await first.cancel()
    assert (result.status, result.text) == (Status.FLAGGED, "failed soft_deadline")
    assert result.duration_s == pytest.approx(SOFT + 10, abs=0.1)
    assert [event.data["cause"] for event in waited if event.kind is Kind.WAITED] == [cause]


async def test_a_member_who_waits_to_try_again_is_no_reason_for_the_manager_to_fail() -> None:
    async def busy(model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(1)
        raise Fault("come back later", reached=Reached.YES, retry_after=30)

    async with fresh(asking, busy) as coordinator:
        result = await coordinator.run("q")
    assert (result.status, result.text.split()[0]) == (Status.FLAGGED, "failed")
    assert result.duration_s <= SOFT + 10.1


async def test_what_was_done_by_the_soft_deadline_is_kept_beside_what_was_not() -> None:
    @agent()
    async def quick(brief: Brief, ctx: AgentContext) -> str:
        """Is done."""
        return "found"

    @agent(delegates=[asking, quick])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        """Carries out a plan."""
        steps = [("a", "asking", ()), ("b", "quick", ()), ("c", "quick", ("a",))]
        plan = Plan(steps=tuple(PlanStep(id=name, member=who, goal=name, needs=needs) for name, who, needs in steps))
        return " ".join(report.code for report in (await ctx.execute(plan, brief)).values())

    settings = Settings(models={"small": "m"}, prices={"m:*": {"input": 1, "output": 1}}, world={}, deadline_s=HARD)
    async with Coordinator(Team(manager), settings, models={"m": stuck}) as coordinator:
        result = await coordinator.run("q")
    assert (result.status, result.text) == (Status.FLAGGED, "soft_deadline ok needs_failed")
    assert [issue.code for issue in result.issues] == ["soft_deadline", "step_skipped"]


async def test_an_effect_that_the_soft_deadline_cuts_off_is_not_forgotten() -> None:
    @tool(effect=Effect.WRITE, timeout=100)
    async def save() -> str:
        """Save slowly."""
        await asyncio.sleep(100)
        return "saved"

    @agent(tools=[save])
    async def saving(brief: Brief, ctx: AgentContext) -> str:
        """Saves."""
        return await ctx.use(save, {})

    async with fresh(saving) as coordinator:
        result = await coordinator.run("q")
    assert {issue.code for issue in result.issues} == {"unknown_outcome", "soft_deadline"}
    assert result.text == "failed soft_deadline"


async def test_a_soft_deadline_at_the_hard_one_ends_the_run_and_no_member_alone() -> None:
    async with fresh(asking, soft_deadline_s=HARD) as coordinator:
        result = await coordinator.run("q")
    assert (result.status, result.code, result.text) == (Status.FAILED, "deadline_exceeded", "")
