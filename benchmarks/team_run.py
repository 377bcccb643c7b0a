"""The team run: CPU of one run with every layer on, beside a bare asyncio loop in the same process.

The manager takes four model turns, delegating in turn to analyst, writer and reviewer and then answering; the analyst
takes three turns with one tool call in each of the first two; the writer and the reviewer one each: 9 model calls, 2
tool calls, 3 delegations over channels. The model is scripted, in process, and has no latency.
"""

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from measured import build
from pydantic import BaseModel, ConfigDict

from coordinator import AgentContext, Brief, Coordinator, Settings, Status, Team, agent, tool
from coordinator.domain.content import StopReason, Text, ToolUse
from coordinator.domain.events import Event, Observer
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage

RUNS = 400
AT_ONCE = 100
ROUNDS = 7


class Answer(BaseModel):
    """What each agent hands back."""

    text: str


@tool(version="1.0", timeout=5)
async def search_kb(query: str, limit: int = 3) -> dict[str, Any]:
    """Search the knowledge base.

    Args:
        query: what to look for.
        limit: how many articles at most.
    """
    return {"articles": [query] * limit}


@tool(version="1.0", timeout=5)
async def lookup_customer(customer_id: str) -> dict[str, Any]:
    """Look a customer up.

    Args:
        customer_id: the customer's number.
    """
    return {"id": customer_id, "plan": "pro"}


@agent(tools=[search_kb, lookup_customer])
async def analyst(brief: Brief, ctx: AgentContext) -> Answer:
    """Gathers evidence."""
    return await ctx.solve(brief, instructions="analyst", output=Answer)


@agent()
async def writer(brief: Brief, ctx: AgentContext) -> Answer:
    """Writes the draft."""
    return await ctx.solve(brief, instructions="writer", output=Answer)


@agent()
async def reviewer(brief: Brief, ctx: AgentContext) -> Answer:
    """Reviews the draft."""
    return await ctx.solve(brief, instructions="reviewer", output=Answer)


@agent(delegates=[analyst, writer, reviewer])
async def manager(brief: Brief, ctx: AgentContext) -> Answer:
    """Leads."""
    return await ctx.solve(brief, instructions="manager", output=Answer)


def _delegate(name: str) -> list[ToolUse]:
    return [ToolUse(f"call-{name}", name, orjson.dumps({"request": "help", "goal": f"do the {name} part"}).decode())]


TURNS: dict[str, list[list[ToolUse]]] = {
    "manager": [_delegate("analyst"), _delegate("writer"), _delegate("reviewer"), []],
    "analyst": [
        [ToolUse("call-1", "search_kb", '{"query":"refund window","limit":3}')],
        [ToolUse("call-2", "lookup_customer", '{"customer_id":"c-7"}')],
        [],
    ],
    "writer": [[]],
    "reviewer": [[]],
}
USAGE = Usage(120, 30)


class Script:
    """Answers by role and turn, without latency or with *seconds* of it."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.calls = 0
        self.seconds = seconds

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        self.calls += 1
        if self.seconds:
            await asyncio.sleep(self.seconds)
        messages = request.messages
        part = messages[0].parts[0]
        role = part.text if isinstance(part, Text) else ""
        uses = TURNS[role][(len(messages) - 2) // 2]
        if uses:
            return ModelReply("", tuple(uses), StopReason.TOOL_USE, USAGE, "script:script")
        return ModelReply(f'{{"text":"{role} done"}}', (), StopReason.END, USAGE, "script:script")


# The bare loop does just that, with nothing around it.


class SearchArguments(BaseModel):
    """Arguments of search_kb."""

    model_config = ConfigDict(extra="forbid")
    query: str
    limit: int = 3


class CustomerArguments(BaseModel):
    """Arguments of lookup_customer."""

    model_config = ConfigDict(extra="forbid")
    customer_id: str


async def _bare_search(arguments: SearchArguments) -> dict[str, Any]:
    return {"articles": [arguments.query] * arguments.limit}


async def _bare_lookup(arguments: CustomerArguments) -> dict[str, Any]:
    return {"id": arguments.customer_id, "plan": "pro"}


Messages = list[dict[str, Any]]
BARE_TOOLS: dict[str, tuple[type[BaseModel], Callable[[Any], Awaitable[Any]]]] = {
    "search_kb": (SearchArguments, _bare_search),
    "lookup_customer": (CustomerArguments, _bare_lookup),
}


class Bare:
    """A team run without any policy: one coroutine per agent, a dictionary of tools, each agent its own messages."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    async def __call__(self) -> None:
        counts = [0, 0, 0]
        text = await self._agent("manager", "help", counts)
        assert (text, counts) == ("manager done", [9, 2, 3]), (text, counts)

    async def _agent(self, role: str, task: str, counts: list[int]) -> str:
        messages: Messages = [{"role": "system", "content": role}, {"role": "user", "content": task}]
        while True:
            counts[0] += 1
            reply = await self._model(messages)
            messages.append(reply)
            if not reply["tool_calls"]:
                return str(reply["content"])
            for use in reply["tool_calls"]:
                messages.append({"role": "tool", "id": use.id, "content": await self._use(use, counts)})

    async def _use(self, use: ToolUse, counts: list[int]) -> str:
        if use.name in TURNS:
            counts[2] += 1
            return await self._agent(use.name, str(json.loads(use.arguments)["request"]), counts)
        counts[1] += 1
        arguments, tool = BARE_TOOLS[use.name]
        return json.dumps(await tool(arguments.model_validate_json(use.arguments)))

    async def _model(self, messages: Messages) -> dict[str, Any]:
        if self.seconds:
            await asyncio.sleep(self.seconds)
        role = messages[0]["content"]
        uses = TURNS[role][(len(messages) - 2) // 2]
        return {"role": "assistant", "content": "" if uses else f"{role} done", "tool_calls": uses}


bare = Bare()


EVENTS = [0]


def count(_event: Event) -> None:
    """An observer that counts events, as metrics would."""
    EVENTS[0] += 1


def coordinator_with(script: Script, *observers: Observer) -> Coordinator:
    """Return a coordinator whose every layer works: rates, ceilings and breakers are set and far away."""
    settings = Settings(
        models={"small": "script"}, prices={"script:*": {"input": 0.15, "output": 0.6}}, run_usd=1.0,
        tenant_day_usd=100_000, global_usd=100_000, deadline_s=600, world={},
        rates={"script:*": {"requests": 10_000_000, "per_s": 1}, "search_kb": {"requests": 10_000_000, "per_s": 1}},
        admission={"runs": 10_000, "waiting": 10_000},
    )  # fmt: skip
    return Coordinator(Team(manager), settings, models={"script": script}, observers=observers)


async def one_after_another(work: Callable[[], Awaitable[Any]], runs: int = RUNS) -> float:
    """Return the CPU microseconds of one run, of *runs* made one after another."""
    began = time.process_time()
    for _ in range(runs):
        await work()
    return (time.process_time() - began) / runs * 1e6


async def in_flight(work: Callable[[], Awaitable[Any]], at_once: int = AT_ONCE, runs: int = RUNS) -> float:
    """Return the CPU microseconds of one run, of *runs* made *at_once* at a time."""
    began = time.process_time()
    for _ in range(runs // at_once):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(_coroutine(work()))
    return (time.process_time() - began) / runs * 1e6


async def _coroutine(work: Awaitable[Any]) -> None:
    await work


async def main() -> None:
    """Print the figures and their ratios, with every event told to an observer and with nobody listening."""
    print(f"team run, {build()}:")
    for listening, observers in (("events counted", (count,)), ("nobody listening", ())):
        async with coordinator_with(Script(), *observers) as coordinator:
            await _compare(coordinator, listening)


async def _compare(coordinator: Coordinator, listening: str) -> None:
    async def ours() -> None:
        result = await coordinator.run("help")
        assert result.status is Status.COMPLETED, result
        assert (result.turns, result.steps, result.text) == (9, 14, "manager done"), result

    await one_after_another(ours, 50)
    for name, measure in (("one after another", one_after_another), (f"{AT_ONCE} in flight", in_flight)):
        pairs = []
        for _ in range(ROUNDS):
            gc.collect()
            pairs.append((await measure(ours), await measure(bare)))
        mine = statistics.median(pair[0] for pair in pairs)
        theirs = statistics.median(pair[1] for pair in pairs)
        ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
        figures = f"{mine:.0f} us CPU a run, bare loop {theirs:.0f} us, ratio {ratio:.1f}"
        print(f"team run, {name}, {listening}: {figures}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
