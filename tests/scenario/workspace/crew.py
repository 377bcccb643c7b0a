"""A small team for tests: a clerk who takes notes from a shelf, and a boss who asks the clerk and perhaps a model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from coordinator import (
    AgentContext,
    Brief,
    Citation,
    Effect,
    Invalid,
    Passage,
    Reply,
    Team,
    ToolContext,
    World,
    agent,
    tool,
)  # fmt: skip

print("crew is imported")


async def take_by_hand(name: str, ctx: ToolContext[Path]) -> Passage:
    return Passage(text="found by hand", source=f"notes/{name}", line=3)


@tool(fallbacks=[take_by_hand])
async def take_note(name: str, ctx: ToolContext[Path]) -> Passage:
    """Take one note from the shelf."""
    return Passage(text=(ctx.resources / f"{name}.txt").read_text().strip(), source=f"notes/{name}", line=1)


@tool(effect=Effect.FINANCIAL, price_usd=0.01)
async def pay(amount: int) -> str:
    """Pay money."""
    return f"paid {amount}"


@agent(tools=[take_note, pay])
async def clerk(brief: Brief, ctx: AgentContext) -> Passage:
    """Takes notes."""
    if "pay" in brief.request:
        await ctx.use(pay, {"amount": 1})
    return await ctx.use(take_note, {"name": "alpha"})


@agent(delegates=[clerk])
async def boss(brief: Brief, ctx: AgentContext) -> Reply:
    """Asks the clerk."""
    print("the boss says something")
    ctx.enter("listen", brief.request)
    if "wait" in brief.request:
        await asyncio.Event().wait()
    said = await ctx.ask(brief.request) if "ask" in brief.request else ""
    report = await ctx.delegate(clerk, brief)
    if report.status == "failed":
        ctx.flag(report.code, report.message)
        return Reply(text="The shelf could not be reached.", status="escalated")
    note = report.result()
    return Reply(
        text=f"{ctx.tenant.tenant} hears: {said}{note.text} [1]",
        citations=[Citation(source=note.source, line=note.line, quote=note.text)],
        status="flagged" if "doubt" in brief.request else "completed",
    )


@asynccontextmanager
async def open_shelf(world: World) -> AsyncIterator[Path]:
    shelf = world.path("shelf")
    if not shelf.is_dir():
        raise Invalid(f"{shelf} is no shelf", code="broken_shelf", hint="name a folder")
    yield shelf


team = Team(boss, resources=open_shelf, task_types={"small": ["take_note"]})
