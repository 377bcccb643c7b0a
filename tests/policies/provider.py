"""What stands behind the layers that spare requests: it answers after a second, and counts what it is sent."""

import asyncio
from typing import Any

from coordinator import Coordinator, Settings, Team, agent
from coordinator.domain.calls import ModelCall
from coordinator.domain.content import StopReason
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage


class Provider:
    """Answers after a second, and counts; *failures* come first."""

    def __init__(self, *failures: CoordinatorError, stop: StopReason = StopReason.END) -> None:
        self.calls = 0
        self.failures = list(failures)
        self.stop = stop

    async def __call__(self, call: ModelCall) -> ModelReply:
        self.calls += 1
        number = self.calls
        await asyncio.sleep(1)
        if self.failures:
            raise self.failures.pop(0)
        return ModelReply(f"answer {number}", (), self.stop, Usage(10, 5), "fake:m", cost=7)


class Once:
    """A model of one answer that counts its calls; the first *stalls* of them never end."""

    def __init__(self, stalls: int = 0) -> None:
        self.calls = 0
        self.stalls = stalls

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        self.calls += 1
        await asyncio.sleep(1 if self.calls > self.stalls else 10_000)
        return ModelReply("done", (), StopReason.END, Usage(10, 100), "once:m")


def open_coordinator(model: Once, events: list[Any], **settings: Any) -> Coordinator:
    """Return a coordinator whose manager asks *model* what it is asked itself."""

    @agent()
    async def manager(brief: Any, ctx: Any) -> str:
        return str(await ctx.ask(brief.request))

    price = {"once:*": {"input": 1, "output": 1}}
    given = Settings(**{"models": {"small": "once:m"}, "prices": price, "world": {}, **settings})
    return Coordinator(Team(manager), given, models={"once": model}, observers=[events.append])
