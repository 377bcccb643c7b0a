"""Whoever waits says so: for admission, for a gate, for money that others hold; who does not wait says nothing."""

import asyncio

import pytest

from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent
from coordinator.domain.content import StopReason
from coordinator.domain.events import Event, Kind
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage


@agent(max_output_tokens=10)
async def clerk(brief: Brief, ctx: AgentContext) -> str:
    """Asks once."""
    return await ctx.ask(brief.request)


class Model:
    """Takes two seconds."""

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(2)
        return ModelReply("x", (), StopReason.END, Usage(0, 1), "m:m")


async def two_at_once(**limits: object) -> list[Event]:
    events: list[Event] = []
    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 0, "output": 1000}}, world={}, min_output_tokens=10, **limits
    )
    async with Coordinator(Team(clerk), settings, models={"m": Model()}, observers=[events.append]) as coordinator:
        await asyncio.gather(*(coordinator.run("go") for _ in range(2)))
    return events


@pytest.mark.parametrize(
    ("limits", "cause", "seconds", "step"),
    [
        ({"admission": {"runs": 1}}, "admission", 2, "run"),
        ({"global_usd": 0.015, "run_usd": 0.01}, "money", 2, "run/turn1"),
        ({"rates": {"m:*": {"requests": 10, "per_s": 60, "burst": 0.1}}}, "gates", 6.7, "run/turn1"),
    ],
)
async def test_a_wait_is_an_event_of_the_step_that_waited(limits, cause, seconds, step):
    waited = [event for event in await two_at_once(**limits) if event.kind is Kind.WAITED]
    assert [(event.data["cause"], event.step, event.agent) for event in waited] == [(cause, step, "clerk")]
    assert waited[0].data["wait_s"] == pytest.approx(seconds, abs=0.1)


async def test_who_need_not_wait_says_nothing():
    assert not [event for event in await two_at_once() if event.kind is Kind.WAITED]
