"""A small stage for load tests: one agent that asks a model once and a tool once, with limits that tests choose."""

from collections.abc import Callable

import pytest

from coordinator import AgentContext, Brief, Settings, Team, agent, tool
from coordinator.domain.calls import Task
from coordinator.simulate import Stage


@tool()
async def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word}: found"


@agent(tools=[look_up])
async def desk(brief: Brief, ctx: AgentContext) -> str:
    """Answers."""
    await ctx.use(look_up, {"word": "gate"})
    return await ctx.ask(brief.request)


@pytest.fixture
def staged() -> Callable[..., Stage]:
    """Build the stage with settings."""

    def of(**settings: object) -> Stage:
        return Stage(Team(desk), Settings(**settings), Task(text="What is a gate?"), tenant="acme", user="u-1")

    return of
