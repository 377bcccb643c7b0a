"""Every started tool call ends with a recorded outcome, and a cancelled run is over within a second."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, CoordinatorError, Effect, Settings, Team, agent, tool
from coordinator.app.ports import Ports
from coordinator.domain.content import StopReason
from coordinator.domain.events import Event, Kind
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.simulation.clock import VirtualLoop
from coordinator.simulation.offload import Inline

SECOND = 1.0


@tool(price_usd=0.001, timeout=30)
async def quick(word: str) -> str:
    """Answer at once."""
    return word


@tool(price_usd=0.001, timeout=30)
async def polite(word: str) -> str:
    """Wait, and clean up when cancelled."""
    try:
        await asyncio.sleep(2)
    finally:
        await asyncio.sleep(0.1)
    return word


@tool(price_usd=0.001, timeout=30)
async def deaf(word: str) -> str:
    """Go on whatever happens."""
    until = asyncio.get_running_loop().time() + 3
    while (left := until - asyncio.get_running_loop().time()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(left)
    return word


@tool(price_usd=0.001, timeout=30)
def blocking(word: str) -> str:
    """Work where it blocks."""
    return word


@tool(price_usd=0.001, timeout=30)
async def offloading(word: str, ctx: Any) -> str:
    """Work elsewhere for a part."""
    return await ctx.offload(str.upper, word)


@tool(timeout=30)
async def broken(word: str) -> str:
    """Fail."""
    await asyncio.sleep(0.1)
    raise LookupError(word)


TOOLS = [quick, polite, deaf, blocking, offloading, broken]


@agent(tools=TOOLS, parallel=2)
async def member(brief: Brief, ctx: AgentContext) -> str:
    """Use every tool at once."""
    branches = [_use(ctx.fork(used.name), used) for used in TOOLS]
    return ",".join(await ctx.gather(*branches))


async def _use(ctx: AgentContext, used: Any) -> str:
    try:
        return str(await ctx.use(used, {"word": "a"}))
    except CoordinatorError as error:
        return type(error).__name__


@agent(tools=TOOLS, delegates=[member])
async def manager(brief: Brief, ctx: AgentContext) -> str:
    """Delegate twice, and use every tool itself."""
    await ctx.use(quick, {"word": "b"})
    reports = [ctx.fork(str(number)).delegate(member, Brief(request="r", goal=str(number))) for number in range(2)]
    done = await ctx.gather(*reports)
    await ctx.use(deaf, {"word": "b"})
    return ",".join(report.code for report in done)


class Model:
    """Is never asked."""

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        return ModelReply("", (), StopReason.END, Usage(1, 1), "m:m")


def fresh(events: list[Event], boss: Any = manager, **more: Any) -> Coordinator:
    settings = Settings(models={"small": "m"}, prices={"m:*": {"input": 0.1, "output": 0.1}}, world={}, **more)
    ports = Ports(chance=lambda: 0.5, offload=lambda stragglers: Inline(stragglers, lambda: 0.5, longest_s=2))
    return Coordinator(Team(boss), settings, models={"m": Model()}, observers=[events.append], ports=ports)


def assert_every_call_has_one_end(events: list[Event]) -> Counter[str]:
    """Return how often each outcome was recorded."""
    started = [event.step for event in events if event.kind is Kind.TOOL_STARTED]
    ended = {event.step: event.data["outcome"] for event in events if event.kind is Kind.TOOL_ENDED}
    late = [event.step for event in events if event.kind is Kind.TOOL_LATE]
    assert len(set(started)) == len(started)
    assert sorted(ended) == sorted(started)
    assert len(ended) == sum(event.kind is Kind.TOOL_ENDED for event in events)
    assert set(ended.values()) <= {"done", "failed", "cancelled", "late", "unknown"}
    assert sorted(step for step, outcome in ended.items() if outcome == "late") == sorted(late)
    return Counter(ended.values())


class Stepping(VirtualLoop):
    """Does something at one of its turns, so that every await of every task is met."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed)
        self.turns = 0
        self.at = -1
        self.then: Callable[[], object] = lambda: None

    def _run_once(self) -> None:
        self.turns += 1
        if self.turns == self.at:
            self.then()
        super()._run_once()


async def cancelled_at(turn: int) -> tuple[int, Counter[str], float]:
    """Cancel a run at *turn* of the loop; return the turns it took, its calls' outcomes, and seconds to its end."""
    loop, events = asyncio.get_running_loop(), list[Event]()
    assert isinstance(loop, Stepping)
    async with fresh(events) as coordinator:
        running = loop.create_task(coordinator.run("hi"))
        asked_at: list[float] = []

        def cancel() -> None:
            asked_at.append(loop.time())
            running.cancel()

        loop.at, loop.then = loop.turns + turn, cancel
        began = loop.turns
        await asyncio.wait([running])
        took, over_at = loop.turns - began, loop.time()
        kinds = Counter(event.kind for event in events)
        assert kinds[Kind.RUN_STARTED] == kinds[Kind.RUN_ENDED]
        held: Any = coordinator.held
        assert all(account.reserved == 0 for account in held.ledger.snapshot())
        assert await held.stragglers.drained(60) == 0
        others = {task for task in asyncio.all_tasks() if not task.done()} - {asyncio.current_task()}
        assert others == set()
        return took, assert_every_call_has_one_end(events), over_at - asked_at[0] if asked_at else 0.0


def test_every_started_tool_call_ends_with_one_outcome_and_within_a_second_wherever_the_run_is_cancelled() -> None:
    seen: Counter[str] = Counter()
    longest = 0.0
    for seed in (None, 1, 2):
        with asyncio.Runner(loop_factory=lambda seed=seed: Stepping(seed)) as runner:  # type: ignore[misc]
            most, outcomes, _ = runner.run(cancelled_at(-1))
            assert set(outcomes) == {"done", "failed"}
            for turn in range(1, most):
                _, outcomes, seconds = runner.run(cancelled_at(turn))
                seen += outcomes
                longest = max(longest, seconds)
    assert {"done", "failed", "cancelled", "late"} <= set(seen)
    assert 0 < longest < SECOND


async def test_a_tool_that_has_always_answered_at_once_holds_no_cancelled_run_when_it_waits_for_once() -> None:
    @tool(timeout=100)
    async def cached(word: str) -> str:
        """Answer at once, or wait and clean up slowly."""
        if word == "slow":
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(30)
        return word

    @agent(tools=[cached])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        for number in range(20):
            await ctx.use(cached, {"word": f"quick {number}"})
        return await ctx.use(cached, {"word": "slow"})

    async with Coordinator(Team(manager), Settings(world={}, deadline_s=1000)) as coordinator:
        handle = coordinator.start("go")
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        assert (await handle.cancel()).status == "cancelled"
        assert asyncio.get_running_loop().time() - began < SECOND


async def test_a_tool_that_awaits_nothing_is_called_without_a_task_of_its_own() -> None:
    tasks: list[Any] = []

    @tool()
    async def glance(word: str) -> str:
        """Answer at once."""
        tasks.append(asyncio.current_task())
        return word

    @tool()
    async def looks(word: str) -> str:
        """Answer after a moment."""
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0)
        return word

    @agent(tools=[glance, looks])
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        me = asyncio.current_task()
        await ctx.use(glance, {"word": "a"})
        await ctx.use(looks, {"word": "a"})
        return " ".join(str(task is me) for task in tasks)

    async with Coordinator(Team(manager), Settings(world={})) as coordinator:
        assert (await coordinator.run("go")).text == "True False"


async def test_a_deadline_ends_a_run_of_deaf_tools_within_a_second() -> None:
    for tenths in range(1, 40, 3):
        events: list[Event] = []
        async with fresh(events, deadline_s=tenths / 10) as coordinator:
            result = await coordinator.run("hi")
            assert result.duration_s < tenths / 10 + SECOND
            held: Any = coordinator.held
            assert await held.stragglers.drained(60) == 0
        assert_every_call_has_one_end(events)


async def test_a_late_end_is_told_with_its_outcome_and_what_stays_booked() -> None:
    events: list[Event] = []

    @agent(tools=[deaf])
    async def boss(brief: Brief, ctx: AgentContext) -> str:
        """Calls the deaf one."""
        return await ctx.use(deaf, {"word": "a"})

    async with fresh(events, boss) as coordinator:
        running = asyncio.get_running_loop().create_task(coordinator.run("hi"))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
        held: Any = coordinator.held
        assert held.stragglers.snapshot().working == ("deaf#0",)
        assert await held.stragglers.drained(60) == 0
    late = events[-1]
    assert late.kind is Kind.TOOL_LATE
    assert {name: late.data[name] for name in ("tool", "dependency", "attempt", "outcome", "code", "cost")} == {
        "tool": "deaf", "dependency": "deaf#0", "attempt": 1, "outcome": "done", "code": "ok", "cost": 1000,
    }  # fmt: skip
    assert late.data["late_s"] == pytest.approx(1.6, abs=0.01)
    ended = next(event for event in events if event.kind is Kind.RUN_ENDED)
    assert (ended.data["cost"], ended.data["status"]) == (1000, "cancelled")


async def test_an_attempt_that_times_out_and_goes_on_is_late_and_an_effect_stays_unknown() -> None:
    @tool(timeout=1)
    async def reads(word: str) -> str:
        """Read slowly."""
        return await _hard_of_hearing(word)

    @tool(timeout=1, effect=Effect.WRITE)
    async def writes(word: str) -> str:
        """Write slowly."""
        return await _hard_of_hearing(word)

    @agent(tools=[reads, writes])
    async def boss(brief: Brief, ctx: AgentContext) -> str:
        """Calls both."""
        return ",".join(await ctx.gather(_use(ctx.fork("a"), reads), _use(ctx.fork("b"), writes)))

    events: list[Event] = []
    async with fresh(events, boss, retry={"attempts": 1}) as coordinator:
        result = await coordinator.run("hi")
        held: Any = coordinator.held
        assert await held.stragglers.drained(60) == 0
    assert result.text == "Fault,UnknownOutcome"
    ended = {event.data["tool"]: event.data["outcome"] for event in events if event.kind is Kind.TOOL_ENDED}
    assert ended == {"reads": "late", "writes": "unknown"}
    assert Counter(event.data["tool"] for event in events if event.kind is Kind.TOOL_LATE) == {"reads": 1, "writes": 1}


async def _hard_of_hearing(word: str) -> str:
    for _ in range(3):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(2)
    return word


@pytest.mark.real_time
async def test_a_blocked_thread_does_not_hold_a_cancelled_run_in_real_time_either() -> None:
    began, free = threading.Event(), threading.Event()

    @tool(timeout=30)
    def stuck(word: str) -> str:
        """Block."""
        began.set()
        assert free.wait(10)
        return word

    @agent(tools=[stuck])
    async def boss(brief: Brief, ctx: AgentContext) -> str:
        """Calls the blocking one."""
        return await ctx.use(stuck, {"word": "a"})

    events: list[Event] = []
    loop = asyncio.get_running_loop()
    async with Coordinator(
        Team(boss), Settings(models={"small": "m"}, prices={"m:*": {"input": 0, "output": 0}}, world={}),
        models={"m": Model()}, observers=[events.append],
    ) as coordinator:  # fmt: skip
        handle = coordinator.start("hi")
        assert await asyncio.to_thread(began.wait, 10)
        asked_at = loop.time()
        result = await handle.cancel()
        assert loop.time() - asked_at < SECOND
        assert result.status == "cancelled"
        free.set()
        held: Any = coordinator.held
        assert await held.stragglers.drained(5) == 0
    assert assert_every_call_has_one_end(events) == {"late": 1}
