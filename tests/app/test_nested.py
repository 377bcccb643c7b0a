"""Laws of runs that are asked for inside others, in the same coordinator or in another."""

import asyncio
import contextvars

import pytest

from coordinator import AgentContext, Brief, Coordinator, RunHandle, RunResult, Settings, Status, Team, agent

ONE = {"runs": 1, "waiting": 10}


@agent()
async def quick(brief: Brief, ctx: AgentContext) -> str:
    """Answers."""
    return f"did {brief.request}"


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("apart", [False, True], ids=["inside", "apart"])
async def test_a_run_that_a_run_starts_waits_in_line_only_if_it_was_started_apart(apart: bool) -> None:
    started: list[RunHandle] = []

    @agent()
    async def starter(brief: Brief, ctx: AgentContext) -> str:
        if brief.request != "first":
            return "second"
        context = contextvars.Context() if apart else contextvars.copy_context()
        started.append(context.run(coordinator.start, "second"))
        await asyncio.sleep(1)
        return "first"

    async with Coordinator(Team(starter), Settings(world={}, admission=ONE)) as coordinator:
        assert (await coordinator.run("first")).text == "first"
        result = await started[0].result()
    if apart:
        assert (result.status, result.text) == (Status.COMPLETED, "second")
    else:
        assert (result.status, result.code) == (Status.REFUSED, "admission_full")
        assert "asked for inside one of them, which may wait for it" in result.issues[0].message
        assert "contextvars.Context().run(coordinator.start, task)" in result.issues[0].message


async def test_two_full_coordinators_that_ask_each_other_end_at_their_deadlines_and_say_why() -> None:
    inner: list[RunResult] = []

    def asking(whom: list[Coordinator]) -> Team:
        @agent()
        async def asker(brief: Brief, ctx: AgentContext) -> str:
            await asyncio.sleep(1)
            inner.append(await whom[0].run("inner"))
            return inner[-1].code

        return Team(asker)

    others: tuple[list[Coordinator], list[Coordinator]] = [], []
    settings = Settings(world={}, admission=ONE, deadline_s=20)
    async with Coordinator(asking(others[1]), settings) as a, Coordinator(asking(others[0]), settings) as b:
        others[0].append(a)
        others[1].append(b)
        results = await asyncio.gather(a.run("outer"), b.run("outer"))
        assert now() < 20 + 1
        assert (a.snapshot().admission.running, b.snapshot().admission.running) == (0, 0)
    assert inner == []
    for result in results:
        assert (result.status, result.code) == (Status.FAILED, "deadline_exceeded")
        waited, late = result.issues
        assert (waited.code, late.code) == ("admission_full", "deadline_exceeded")
        assert waited.message == "a run that it asked for waited 19.0 s in vain to be admitted by another coordinator"
