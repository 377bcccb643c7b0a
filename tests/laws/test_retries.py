"""Law: in a total outage, calls sent are at most 1.2 times the first attempts, from 100 first attempts on.

The law is held against the whole coordinator, and against one whose retry budget grants everything, which it must find.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from coordinator import AgentContext, Brief, Coordinator, CoordinatorError, Settings, Team, agent, tool
from coordinator.app.ports import Ports
from coordinator.domain.errors import Fault, Reached, Throttle
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.simulation.chance import Dice
from coordinator.simulation.clock import VirtualLoop
from coordinator.stores.memory.retries import RetryBudget

RUNS = 150
MOST = 1.2

Outage = Callable[[], Fault]


def errors() -> Fault:
    return Fault("down", reached=Reached.YES, code="error")


def unreached() -> Fault:
    return Fault("no way", reached=Reached.NO, code="unreached")


def throttled() -> Fault:
    return Fault("slow down", reached=Reached.YES, code="throttled", turned_away=Throttle.THROTTLED)


def throttled_with_a_wait() -> Fault:
    return Fault(
        "slow down", reached=Reached.YES, code="throttled", turned_away=Throttle.THROTTLED, retry_after=2.0
    )  # fmt: skip


OUTAGES = [errors, unreached, throttled, throttled_with_a_wait]


class Sent:
    """Counts what is sent, and how much of it for the first time; each call brings a text of its own."""

    def __init__(self) -> None:
        self.calls = 0
        self.first: set[str] = set()

    def count(self, text: str) -> None:
        self.calls += 1
        self.first.add(text)

    def keeps_the_law(self) -> bool:
        assert len(self.first) >= 100, len(self.first)
        return self.calls <= MOST * len(self.first)


class Model:
    """Fails always, after a while."""

    def __init__(self, outage: Outage, sent: Sent) -> None:
        self.outage = outage
        self.sent = sent

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        self.sent.count(request.digest)
        await asyncio.sleep(0.3)
        raise self.outage()


def team_of_askers() -> Team:
    @agent()
    async def asker(brief: Brief, ctx: AgentContext) -> str:
        """Asks once."""
        return await ctx.ask(brief.request)

    return Team(asker)


def team_of_users(outage: Outage, sent: Sent) -> Team:
    @tool(timeout=5)
    async def look(word: str) -> str:
        """Look a word up."""
        sent.count(word)
        await asyncio.sleep(0.3)
        raise outage()

    @agent(tools=[look])
    async def user(brief: Brief, ctx: AgentContext) -> str:
        """Looks once."""
        return await ctx.use(look, {"word": brief.request})

    return Team(user)


async def carry_out(team: Team, model: Model, *, apart_s: float, budget: Any) -> None:
    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 0.1, "output": 0.1}}, world={}, deadline_s=3600,
        # So that the breaker does not come to the help of the budget.
        breaker={"failures": 10_000, "calls": 10_000}, retry={"attempts": 5},
    )  # fmt: skip
    coordinator = Coordinator(team, settings, models={"m": model}, ports=Ports(chance=lambda: 0.5))
    if budget is not None:
        for name in ("request", "retry", "helped"):
            setattr(coordinator.held.retries, name, getattr(budget, name))
    async with coordinator:

        async def late(number: int) -> None:
            await asyncio.sleep(number * apart_s)
            await coordinator.run(f"question {number}")

        await asyncio.gather(*(late(number) for number in range(RUNS)))


def sent_in(outage: Outage, what: str, *, apart_s: float, budget: Any = None, seed: int = 0) -> Sent:
    sent = Sent()
    team = team_of_askers() if what == "model" else team_of_users(outage, sent)
    model = Model(outage, sent if what == "model" else Sent())
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        runner.run(carry_out(team, model, apart_s=apart_s, budget=budget))
    return sent


class Generous(RetryBudget):
    """Grants every retry."""

    def retry(self, dependency: str) -> bool:
        return True


@pytest.mark.parametrize("what", ["model", "tool"])
@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
@pytest.mark.parametrize("apart_s", [0.0, 0.1, 20.0], ids=["at once", "fast", "slowly"])
def test_an_outage_is_not_amplified(outage: Outage, what: str, apart_s: float) -> None:
    assert sent_in(outage, what, apart_s=apart_s).keeps_the_law()


@pytest.mark.plants
@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_the_law_finds_a_budget_that_grants_everything(outage: Outage) -> None:
    assert not sent_in(outage, "model", apart_s=0.1, budget=Generous()).keeps_the_law()


@pytest.mark.plants
def test_the_law_finds_a_budget_whose_floor_comes_back_every_minute() -> None:
    class Periodic(RetryBudget):
        def request(self, dependency: str) -> None:
            super().request(dependency)
            if self._of(dependency).requests % 3 == 0:  # three come in a minute
                self._of(dependency).left = 10

    assert not sent_in(errors, "model", apart_s=20.0, budget=Periodic()).keeps_the_law()


def in_part(budget: RetryBudget, share: float, first: int = 5_000, attempts: int = 3) -> tuple[int, int]:
    """Let a *share* of attempts fail; return how many calls were sent for *first* ones, and how many a retry saved."""
    fails = Dice(1).stream("attempts")
    sent = saved = 0
    for _ in range(first):
        budget.request("d")
        sent += 1
        for number in range(1, attempts + 1):
            if fails() >= share:
                if number > 1:
                    budget.helped("d")
                    saved += 1
                break
            if number == attempts or not budget.retry("d"):
                break
            sent += 1
    return sent, saved


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8, 1.0])
def test_in_a_part_outage_retries_in_vain_are_bounded_as_in_a_total_one(share: float) -> None:
    sent, saved = in_part(RetryBudget(), share)
    assert sent <= 1.1 * 5_000 + 10 + saved


async def test_every_attempt_passes_gate_money_breaker_and_timeout_again() -> None:
    class Flaky:
        asked = 0

        async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
            self.asked += 1
            if self.asked == 3:
                await asyncio.sleep(60)
            raise errors()

    flaky = Flaky()
    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 0.1, "output": 0.1}}, world={}, model_timeout_s=5,
        breaker={"failures": 4}, retry={"attempts": 9, "cap_s": 1, "base_s": 0.1}, rates={"m:m": {"requests": 100}},
    )  # fmt: skip
    async with Coordinator(team_of_askers(), settings, models={"m": flaky}) as coordinator:
        result = await coordinator.run("why")
        held: Any = coordinator.held
        # The fifth attempt is stopped by the breaker, which the four before have opened.
        assert (result.code, flaky.asked) == ("breaker_open", 4)
        gate = next(gate for gate in held.gates.snapshot() if gate.admitted)
        assert (gate.admitted, gate.refunded) == (5, 1)
        assert (held.breakers.snapshot()[0].trips, held.retries.snapshot()[0].retries) == (1, 4)
        assert result.cost_usd > 0
        with pytest.raises(CoordinatorError):
            result.raise_for_status()
