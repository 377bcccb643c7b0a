"""Laws of channels: bounded, parallel up to a limit, free of deadlock."""

import asyncio
from collections.abc import Callable

import pytest

from coordinator import AgentContext, Brief, Coordinator, Refused, Report, Status, Team, agent
from coordinator.engine.slots import Slots

Desk = Callable[..., Coordinator]


async def test_a_member_works_on_at_most_its_number_of_briefs_at_once(desk: Desk) -> None:
    at_work: list[int] = [0, 0]

    @agent(parallel=2)
    async def helper(brief: Brief, ctx: AgentContext) -> str:
        at_work[0] += 1
        at_work[1] = max(at_work)
        await asyncio.sleep(1)
        at_work[0] -= 1
        return brief.goal

    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        briefs = [Brief(request="r", goal=str(number)) for number in range(6)]
        reports = await ctx.gather(*(ctx.delegate(helper, given) for given in briefs))
        return "".join(report.output for report in reports)

    async with desk(manager) as coordinator:
        result = await coordinator.run("hi")
    assert (result.text, at_work) == ("012345", [0, 2])
    assert 3 <= result.duration_s < 3.1


async def test_more_briefs_than_an_inbox_holds_wait_and_are_all_answered(desk: Desk) -> None:
    @agent(parallel=1)
    async def helper(brief: Brief, ctx: AgentContext) -> str:
        await asyncio.sleep(1)
        return brief.goal

    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        briefs = [Brief(request="r", goal=str(number)) for number in range(40)]
        reports = await ctx.gather(*(ctx.delegate(helper, given) for given in briefs))
        return ",".join(report.output for report in reports)

    async with desk(manager, delegations=40) as coordinator:
        result = await coordinator.run("hi")
    assert result.text == ",".join(map(str, range(40)))


async def test_members_with_one_place_that_delegate_to_one_another_do_not_deadlock(desk: Desk) -> None:
    @agent(parallel=1)
    async def left(brief: Brief, ctx: AgentContext) -> str:
        await asyncio.sleep(1)
        if brief.goal == "start":
            return (await ctx.delegate("right", Brief(request="r", goal="end"))).output + "<l"
        return "l"

    @agent(parallel=1, delegates=[left])
    async def right(brief: Brief, ctx: AgentContext) -> str:
        await asyncio.sleep(1)
        if brief.goal == "start":
            return (await ctx.delegate("left", Brief(request="r", goal="end"))).output + "<r"
        return "r"

    # Each may delegate to the other; the decorator cannot name what is defined after it.
    left.delegates = (right,)
    left.declares = type(left.declares)(frozenset(), frozenset({"right"}))

    @agent(delegates=[left, right])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        both = await ctx.gather(*(ctx.delegate(member, Brief(request="r", goal="start")) for member in (left, right)))
        return ",".join(report.output for report in both)

    async with desk(Team(manager)) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.text) == (Status.COMPLETED, "r<l,l<r")


async def test_delegating_to_a_role_that_waits_for_it_is_refused(desk: Desk) -> None:
    caught: list[Refused] = []

    @agent()
    async def helper(brief: Brief, ctx: AgentContext) -> str:
        try:
            await ctx.delegate("helper", brief)
        except Refused as refusal:
            caught.append(refusal)
        return "done"

    helper.delegates = (helper,)
    helper.declares = type(helper.declares)(frozenset(), frozenset({"helper"}))

    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return (await ctx.delegate(helper, brief)).output

    async with desk(Team(manager)) as coordinator:
        assert (await coordinator.run("hi")).text == "done"
    assert [refusal.code for refusal in caught] == ["delegation_cycle"]


async def test_who_delegates_while_it_handles_a_cancellation_takes_its_place_again(desk: Desk) -> None:
    working, most = 0, 0

    @agent()
    async def helper(brief: Brief, ctx: AgentContext) -> str:
        await asyncio.sleep(1)
        return "done"

    @agent(parallel=1, delegates=[helper])
    async def lone(brief: Brief, ctx: AgentContext) -> str:
        nonlocal working, most
        try:
            raise asyncio.CancelledError  # as from a task of its own that it has cancelled
        except asyncio.CancelledError:
            await ctx.delegate(helper, Brief(request="r", goal="help"))
        working += 1
        most = max(most, working)
        await asyncio.sleep(5)
        working -= 1
        return "done"

    @agent(delegates=[lone])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        goals = [Brief(request="r", goal=f"part {number}") for number in range(4)]
        return str(len(await ctx.gather(*(ctx.delegate(lone, goal) for goal in goals))))

    async with desk(Team(manager)) as coordinator:
        assert (await coordinator.run("hi")).text == "4"
    assert most == 1


async def test_a_brief_whose_sender_gave_up_is_cancelled(desk: Desk) -> None:
    ended: list[str] = []

    @agent(parallel=1)
    async def helper(brief: Brief, ctx: AgentContext) -> str:
        try:
            await asyncio.sleep(50)
        except asyncio.CancelledError:
            ended.append(brief.goal)
            raise
        return "late"

    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        async def impatient(branch: AgentContext, goal: str) -> Report[str] | None:
            try:
                async with asyncio.timeout(1):
                    return await branch.delegate(helper, Brief(request="r", goal=goal))
            except TimeoutError:
                return None

        await ctx.gather(impatient(ctx.fork("a"), "started"), impatient(ctx.fork("b"), "queued"))
        await asyncio.sleep(1)
        return f"gone: {ended}"

    async with desk(manager) as coordinator:
        result = await coordinator.run("hi")
    assert (result.text, ended) == ("gone: ['started']", ["started"])
    assert result.duration_s < 3


async def test_work_that_nobody_awaits_ends_with_the_run(desk: Desk) -> None:
    ended: list[str] = []
    pending: list[asyncio.Future[Report[str]]] = []

    @agent()
    async def helper(brief: Brief, ctx: AgentContext) -> str:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("helper")
        return "late"

    @agent(delegates=[helper])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        pending.append(asyncio.ensure_future(ctx.delegate(helper, brief)))
        await asyncio.sleep(1)
        return "early"

    async with desk(manager) as coordinator:
        result = await coordinator.run("hi")
        assert ended == ["helper"]
        assert (await pending[0]).code == "cancelled"
    assert result.duration_s < 2


async def test_a_place_handed_to_somebody_who_is_cancelled_in_that_moment_goes_on() -> None:
    slots = Slots(1)
    await slots.take()
    first, second = (asyncio.ensure_future(slots.take()) for _ in range(2))
    await asyncio.sleep(0)
    slots.give()
    first.cancel()
    await second
    assert first.cancelled()
    assert not slots.try_take()


@pytest.mark.parametrize("member", ["nobody", "manager"])
async def test_only_declared_members_can_be_delegated_to(desk: Desk, member: str) -> None:
    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return str(await ctx.delegate(member, brief))

    async with desk(manager) as coordinator:
        result = await coordinator.run("hi")
    assert result.status in (Status.FAILED, Status.REFUSED)
    assert result.code in ("unknown_member", "delegation_cycle")
