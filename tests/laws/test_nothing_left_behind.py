"""Law: a cancelled run leaves no task, slot, reservation, permit or open stream behind, wherever it is cancelled."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent, tool
from coordinator.domain.content import StopReason, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.policies.admission import Admission
from coordinator.policies.budget import Budget
from coordinator.simulation.clock import VirtualLoop


class Answer(BaseModel):
    """A typed answer."""

    text: str


@tool(price_usd=0.001, timeout=5)
async def look(word: str) -> str:
    """Look a word up."""
    await asyncio.sleep(0.5)
    return word


@agent(tools=[look], parallel=1)
async def analyst(brief: Brief, ctx: AgentContext) -> Answer:
    """Looks up."""
    return await ctx.solve(brief, instructions="", output=Answer)


@agent(delegates=[analyst], parallel=1)
async def lead(brief: Brief, ctx: AgentContext) -> Answer:
    """Delegates further."""
    return (await ctx.delegate(analyst, brief)).result()


@agent(delegates=[analyst, lead])
async def manager(brief: Brief, ctx: AgentContext) -> str:
    """Delegates in parallel to members that delegate."""
    await ctx.ask("hello")
    briefs = [Brief(request="r", goal=str(number)) for number in range(3)]
    reports = await ctx.gather(*(ctx.delegate(member, given) for given in briefs for member in (analyst, lead)))
    return ",".join(report.code for report in reports)


class Model:
    """Thinks for a second, looks once, then answers."""

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(1)
        usage = Usage(10, 10)
        if request.tools and len(request.messages) == 1:
            uses = (ToolUse("u1", "look", '{"word":"a"}'), ToolUse("u2", "look", '{"word":"b"}'))
            return ModelReply("", uses, StopReason.TOOL_USE, usage, "m:m")
        return ModelReply('{"text":"x"}', (), StopReason.END, usage, "m:m")


def fresh() -> Coordinator:
    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 0.1, "output": 0.1}}, world={}, tenant_day_usd=10,
        global_usd=10, rates={"m:m": {"requests": 8, "per_s": 4}, "look": {"requests": 4, "per_s": 2}},
        admission={"runs": 2, "waiting": 2},
    )  # fmt: skip
    return Coordinator(Team(manager), settings, models={"m": Model()})


def assert_nothing_left(coordinator: Coordinator) -> None:
    held: Any = coordinator.held
    assert {task for task in asyncio.all_tasks() if not task.done()} == {asyncio.current_task()}
    assert (held.admission.snapshot().running, held.admission.snapshot().waiting) == (0, 0)
    for account in held.ledger.snapshot():
        assert account.reserved == 0, account
        assert not account.name.startswith("run/"), account
    for breaker in held.breakers.snapshot():
        assert breaker.state == "closed", breaker
    for gate in held.gates.snapshot():
        assert (gate.waiting, gate.out) == (0, 0), gate


class Stepping(VirtualLoop):
    """Counts the turns of the loop, and does something at one of them: so every await of every task is met."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self.at = -1
        self.then: Callable[[], object] = lambda: None

    def _run_once(self) -> None:
        self.turns += 1
        if self.turns == self.at:
            self.then()
        super()._run_once()  # type: ignore[misc]  # private in the stubs, and the one place where turns can be counted


async def _cancelled_at(turn: int, *, again: int) -> int:
    """Cancel a run at *turn* of the loop, and a second time *again* turns later; return how many it took."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Stepping)
    async with fresh() as coordinator:
        running = asyncio.ensure_future(coordinator.run("hi"))

        def cancel() -> None:
            running.cancel()
            if again:
                loop.at, loop.then = loop.turns + again, lambda: running.cancel()

        loop.at, loop.then = loop.turns + turn, cancel
        began = loop.turns
        await asyncio.wait([running])
        took = loop.turns - began
        assert running.cancelled() or running.result().status == "completed"
        await asyncio.sleep(0)
        assert_nothing_left(coordinator)
        return took


def _cancel_at_every_turn(*, again: int) -> None:
    with asyncio.Runner(loop_factory=Stepping) as runner:
        most = runner.run(_cancelled_at(-1, again=0))
        assert most > 50
        for turn in range(1, most):
            runner.run(_cancelled_at(turn, again=again))


@pytest.mark.parametrize("again", [0, 1, 2])
def test_a_run_cancelled_at_any_turn_of_the_loop_leaves_nothing(again: int) -> None:
    _cancel_at_every_turn(again=again)
    gc.collect()


async def test_two_runs_in_one_coordinator_do_not_share_a_fate() -> None:
    async with fresh() as coordinator:
        first, second = (asyncio.ensure_future(coordinator.run("hi")) for _ in range(2))
        await asyncio.sleep(1.5)
        first.cancel()
        assert (await second).status == "completed"
        assert first.cancelled()
        assert_nothing_left(coordinator)


async def test_a_deadline_leaves_nothing_either() -> None:
    for tenths in range(1, 40):
        settings = fresh().settings.model_copy(update={"deadline_s": tenths / 4})
        async with Coordinator(Team(manager), settings, models={"m": Model()}) as coordinator:
            result = await coordinator.run("hi")
            assert result.status in ("completed", "failed")
            assert_nothing_left(coordinator)


@pytest.mark.parametrize(
    ("owner", "method"),
    [(Budget, "_charge"), (Admission, "_pass_on")],
    ids=["keeps the money of a cancelled call", "keeps the place of a run"],
)
def test_the_law_finds_its_planted_defect(owner: type, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, method, lambda *_: None)
    with pytest.raises((AssertionError, RuntimeError)):
        _cancel_at_every_turn(again=0)
