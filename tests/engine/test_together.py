"""Branches end together, and nobody takes an agent for cancelled that is not."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, Refused, Status, agent
from coordinator.engine.together import together

Desk = Callable[..., Coordinator]


async def fails(after: float) -> None:
    await asyncio.sleep(after)
    raise Refused(f"after {after} s", code="no")


async def never_hurries() -> None:
    """Take a second to end, when cancelled."""
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(1)


@agent()
async def recovers(brief: Brief, ctx: AgentContext) -> str:
    """Does without what failed."""
    try:
        await ctx.gather(fails(0.5), asyncio.sleep(60))
    except Refused as refused:
        return f"{refused.message}; {await ctx.ask('go on')}"
    return "nothing failed"


async def test_an_agent_goes_on_after_a_branch_has_failed(desk: Desk) -> None:
    async with desk(recovers, {"text": "on we go"}) as coordinator:
        result = await coordinator.run("hi")
    assert (result.status, result.text) == (Status.COMPLETED, "after 0.5 s; on we go")


async def test_a_failed_branch_marks_nobody_as_cancelled() -> None:
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(Refused):
        await together([fails(1), asyncio.sleep(60)])
    assert task.cancelling() == 0


async def test_the_first_failure_is_raised_once_all_branches_have_ended() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(Refused, match="after 1 s"):
        await together([fails(2), fails(1), never_hurries()])
    assert loop.time() - began == pytest.approx(2)


async def test_a_cancellation_is_not_lost_while_a_failure_is_cleaned_up() -> None:
    running = asyncio.ensure_future(together([fails(1), never_hurries()]))
    await asyncio.sleep(1.5)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_a_branch_that_is_lost_ends_the_others() -> None:
    async def lost() -> Any:
        raise asyncio.CancelledError

    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(asyncio.CancelledError):
        await together([lost(), asyncio.sleep(60)])
    assert loop.time() - began < 1


async def test_no_branches_are_done_at_once() -> None:
    assert await together([]) == []
