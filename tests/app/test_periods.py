"""What all runs together may cost holds for an hour, a day, a month or in total, by the injected clock."""

import asyncio
from datetime import UTC, datetime

import pytest

from coordinator import AgentContext, Brief, Coordinator, RunResult, Settings, Status, Team, agent
from coordinator.app import Ports
from coordinator.domain.content import StopReason
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage

CALL_USD = 0.01


@agent(max_output_tokens=10)
async def clerk(brief: Brief, ctx: AgentContext) -> str:
    """Asks once."""
    return await ctx.ask(brief.request)


class Model:
    """Writes all it may, after *seconds*."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(self.seconds)
        return ModelReply("x", (), StopReason.END, Usage(0, 10), "m:m")


def opened(period: str, start: float, model: Model | None = None) -> Coordinator:
    """A coordinator whose runs together may cost two calls in a *period*, at the UTC stamp *start*."""
    loop = asyncio.get_running_loop()
    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 0, "output": 1000}}, world={}, min_output_tokens=10,
        run_usd=CALL_USD, global_usd=2 * CALL_USD, global_period=period, deadline_s=86_400,
    )  # fmt: skip
    ports = Ports(stamp=lambda: start + loop.time())
    return Coordinator(Team(clerk), settings, models={"m": model or Model()}, ports=ports)


NEARLY = {
    "hour": datetime(2026, 11, 20, 14, 59, 30, tzinfo=UTC),
    "day": datetime(2026, 11, 20, 23, 59, 30, tzinfo=UTC),
    "month": datetime(2026, 11, 30, 23, 59, 30, tzinfo=UTC),
}


@pytest.mark.parametrize("period", NEARLY)
async def test_what_is_exhausted_in_one_period_is_there_again_in_the_next(period):
    async with opened(period, NEARLY[period].timestamp()) as coordinator:
        told = [(await coordinator.run("go")).code for _ in range(3)]
        await asyncio.sleep(30)
        told += [(await coordinator.run("go")).code for _ in range(3)]
    assert told == ["ok", "ok", "budget_exhausted"] * 2


@pytest.mark.parametrize("period", NEARLY)
async def test_what_is_exhausted_may_be_asked_for_again_when_its_next_period_begins(period):
    async with opened(period, NEARLY[period].timestamp()) as coordinator:
        told = [await coordinator.run("go") for _ in range(3)]
        refused = told[-1]
        assert (refused.code, refused.retry_after) == ("budget_exhausted", pytest.approx(28, abs=1e-3))
        await asyncio.sleep(refused.retry_after or 0)
        assert (await coordinator.run("go")).code == "ok"


async def test_what_is_exhausted_for_good_is_not_to_be_asked_for_again():
    async with opened("total", 1.8e9) as coordinator:
        told = [await coordinator.run("go") for _ in range(3)]
    assert (told[-1].code, told[-1].retry_after) == ("budget_exhausted", None)


HALF_A_DAY_S = 43_200


async def refused_at_noon(**ceiling: float) -> RunResult:
    """Return the result of a second run, a second after noon; the first has spent what *ceiling* allows."""
    noon, loop = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp(), asyncio.get_running_loop()
    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 0, "output": 1000}}, world={}, min_output_tokens=10, **ceiling
    )  # type: ignore[arg-type]  # settings by name
    ports = Ports(stamp=lambda: noon + loop.time())
    async with Coordinator(Team(clerk), settings, models={"m": Model()}, ports=ports) as coordinator:
        for _ in range(2):
            result = await coordinator.run("go", user="u", session="s")
    assert (result.status, result.code) == (Status.REFUSED, "budget_exhausted")
    return result


@pytest.mark.parametrize("ceiling", ["user_day_usd", "tenant_day_usd", "global_usd"])
async def test_who_has_spent_the_day_may_ask_again_at_the_next_midnight_of_the_injected_clock(ceiling):
    result = await refused_at_noon(**{ceiling: CALL_USD})
    assert result.retry_after == pytest.approx(HALF_A_DAY_S - 1, abs=1e-3)


async def test_what_no_day_brings_back_or_a_whole_day_does_not_cover_is_not_to_be_asked_for_again():
    assert (await refused_at_noon(session_usd=CALL_USD)).retry_after is None
    assert (await refused_at_noon(run_usd=CALL_USD / 2)).retry_after is None
    assert (await refused_at_noon(tenant_day_usd=CALL_USD / 2)).retry_after is None


async def test_a_key_whose_day_was_spent_may_be_used_again():
    async with opened("day", NEARLY["day"].timestamp()) as coordinator:
        for _ in range(2):
            await coordinator.run("go")
        first = coordinator.start("go", key="k")
        assert (await first.result()).code == "budget_exhausted"
        await asyncio.sleep(30)
        assert (await coordinator.start("go", key="k").result()).code == "ok"


async def test_what_is_exhausted_in_total_stays_so():
    async with opened("total", NEARLY["month"].timestamp()) as coordinator:
        told = [(await coordinator.run("go")).code for _ in range(3)]
        await asyncio.sleep(40 * 86_400)
        assert told == ["ok", "ok", "budget_exhausted"]
        assert (await coordinator.run("go")).code == "budget_exhausted"


async def test_who_waits_for_money_when_the_period_ends_pays_from_the_next():
    async with opened("hour", NEARLY["hour"].timestamp(), Model(seconds=100)) as coordinator:
        results = await asyncio.gather(*(coordinator.run("go") for _ in range(4)))
        accounts = {one.name: one.settled for one in coordinator.snapshot().accounts}
    assert [result.status for result in results] == [Status.COMPLETED] * 4
    assert [round(result.duration_s) for result in results] == [100, 100, 130, 130]
    assert accounts == {"global/2026-11-20T14": 20_000, "global/2026-11-20T15": 20_000}
