"""The team run: CPU of one run with every layer on, beside a bare asyncio loop in the same process.

The manager takes four model turns, delegating in turn to analyst, writer and reviewer and then answering; the analyst
takes three turns with one tool call in each of the first two; the writer and the reviewer one each: 9 model calls, 2 tool
calls, 3 delegations over channels. The model is scripted, in process, and has no latency.
"""

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from coordinator import AgentContext, Brief, Coordinator, Settings, Status, Team, agent, tool
from coordinator.domain.content import Message, StopReason, Text, ToolUse
from coordinator.domain.model import ModelReply, ModelRequest
from coordinator.domain.money import Usage
from pydantic import BaseModel, ConfigDict

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


async def _bare_search(arguments: str) -> dict[str, Any]:
    given = SearchArguments.model_validate_json(arguments)
    return {"articles": [given.query] * given.limit}


async def _bare_lookup(arguments: str) -> dict[str, Any]:
    given = CustomerArguments.model_validate_json(arguments)
    return {"id": given.customer_id, "plan": "pro"}


async def _bare_member(role: str, seconds: float) -> str:
    messages: list[dict[str, Any]] = [{"role": "system", "content": role}, {"role": "user", "content": "help"}]
    for uses in TURNS[role]:
        if seconds:
            await asyncio.sleep(seconds)
        if not uses:
            break
        use = uses[0]
        messages.append({"role": "assistant", "tool": use.name, "arguments": use.arguments})
        result = await BARE_TOOLS[use.name](use.arguments, seconds)
        messages.append({"role": "tool", "content": orjson.dumps(result).decode()})
    return f"{role} done"


BARE_TOOLS: dict[str, Callable[[str, float], Awaitable[Any]]] = {
    "search_kb": lambda arguments, _: _bare_search(arguments),
    "lookup_customer": lambda arguments, _: _bare_lookup(arguments),
    "analyst": lambda _, seconds: _bare_member("analyst", seconds),
    "writer": lambda _, seconds: _bare_member("writer", seconds),
    "reviewer": lambda _, seconds: _bare_member("reviewer", seconds),
}


async def bare(seconds: float = 0.0) -> None:
    """One team run without any policy."""
    assert await _bare_member("manager", seconds) == "manager done"


def coordinator_with(script: Script) -> Coordinator:
    """Return a coordinator whose every layer works: rates, ceilings and breakers are set and far away."""
    settings = Settings(
        models={"small": "script"}, prices={"script:*": {"input": 0.15, "output": 0.6}}, run_usd=1.0,
        tenant_day_usd=100_000, global_day_usd=100_000, deadline_s=600, world={},
        rates={"script:*": {"requests": 10_000_000, "per_s": 1}, "search_kb": {"requests": 10_000_000, "per_s": 1}},
        admission={"runs": 10_000, "waiting": 10_000},
    )  # fmt: skip
    return Coordinator(Team(manager), settings, models={"script": script})


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
    """Print both figures and their ratio."""
    script = Script()
    async with coordinator_with(script) as coordinator:

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
            print(f"team run, {name}: {mine:.0f} us CPU a run, bare loop {theirs:.0f} us, ratio {ratio:.1f}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
