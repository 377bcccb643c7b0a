"""What is played: a team that meets with everything a run can wait for or hold, and the reference scenarios."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from coordinator import (
    AgentContext,
    Brief,
    Coordinator,
    Effect,
    Plan,
    PlanStep,
    Refused,
    RunResult,
    Settings,
    Team,
    ToolContext,
    World,
    agent,
    tool,
)
from coordinator.app import Ports
from coordinator.domain.calls import Task
from coordinator.domain.content import StopReason, ToolUse
from coordinator.domain.errands import Offload, Stragglers
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.events import Observer
from coordinator.domain.model import Model, ModelReply, ModelRequest
from coordinator.domain.money import Usage
from coordinator.domain.surfaces import Tenant
from coordinator.engine.offload import Threads
from coordinator.models.offline.engine import OfflineModel
from coordinator.models.scripted import ScriptedModel
from coordinator.scenario import open_scenario
from coordinator.simulation.chance import Names
from coordinator.simulation.faults import FaultRule
from coordinator.simulation.offload import Inline
from coordinator.toolbox.world import Snapshots
from tests.laws.playing import MISUSED, Piece

SCENARIOS = sorted((Path(__file__).parent.parent.parent / "scenarios").glob("*.yaml"))


class Answer(BaseModel):
    """A typed answer."""

    text: str


async def look_slowly(word: str) -> str:
    """Look a word up in another place."""
    await asyncio.sleep(0.5)
    return word


@tool(price_usd=0.001, timeout=5, fallbacks=[look_slowly])
async def look(word: str) -> str:
    """Look a word up."""
    await asyncio.sleep(0.5)
    return word


@tool(effect=Effect.WRITE, price_usd=0.002, timeout=5)
async def note(word: str) -> str:
    """Write a word down."""
    await asyncio.sleep(0.2)
    return word


@tool(price_usd=0.001, timeout=5)
def count(word: str) -> int:
    """Count letters, where it can block nobody."""
    return len(word)


@tool(timeout=5)
async def scan(word: str, ctx: ToolContext[Any]) -> str:
    """Read in a thread, at a bench that must be open."""
    if isinstance(ctx.resources, Bench):
        ctx.resources.use()
    return await ctx.offload(word.upper)


@tool(effect=Effect.WRITE, timeout=9)
async def carve(word: str) -> str:
    """Finish what was begun, whoever goes away."""
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        await asyncio.sleep(3)
    return word


@agent(tools=[look, note], parallel=1)
async def analyst(brief: Brief, ctx: AgentContext) -> Answer:
    """Looks up."""
    return await ctx.solve(brief, instructions="", output=Answer)


@agent(delegates=[analyst], parallel=1, timeout=60, allowance_usd=0.05)
async def lead(brief: Brief, ctx: AgentContext) -> Answer:
    """Delegates further, and lends its place meanwhile."""
    return (await ctx.delegate(analyst, brief)).result()


async def tried(ctx: AgentContext, given: Any) -> str:
    """Use a tool, and do without it when it cannot be used."""
    try:
        await ctx.use(given, {"word": "w"})
    except CoordinatorError as error:
        return error.code
    return "ok"


@agent(delegates=[analyst, lead])
async def manager(brief: Brief, ctx: AgentContext) -> str:
    """Delegates in parallel to members that delegate."""
    await ctx.ask("hello")
    briefs = [Brief(request="r", goal=str(number)) for number in range(2)]
    reports = await ctx.gather(*(ctx.delegate(member, given) for given in briefs for member in (analyst, lead)))
    return ",".join(report.code for report in reports)


@agent(delegates=[analyst, lead])
async def planner(brief: Brief, ctx: AgentContext) -> str:
    """Carries out a plan in which one step needs two others."""
    steps = [("a", "analyst", ()), ("b", "lead", ()), ("c", "lead", ("a", "b"))]
    plan = Plan(steps=tuple(PlanStep(id=name, member=who, goal=name, needs=needs) for name, who, needs in steps))
    reports = await ctx.execute(plan, brief)
    return ",".join(report.code for report in reports.values())


@agent(tools=[look, note, count, scan, carve])
async def smith(brief: Brief, ctx: AgentContext) -> str:
    """Uses every tool, alone and side by side; waits until a breaker lets a probe through."""
    tools = (look, note, count, scan, carve)
    codes = [await tried(ctx, given) for given in tools]
    await asyncio.sleep(2)
    codes += await ctx.gather(*(tried(ctx.fork(given.name), given) for given in tools))
    return ",".join(codes)


@agent(tools=[carve, look])
async def carver(brief: Brief, ctx: AgentContext) -> Answer:
    """Takes its time to end, side by side with somebody who does not."""
    fails = [ctx.fork("a").use(carve, {"word": "w"}), ctx.fork("b").use(look, {"wrong": "w"})]
    return Answer(text=str(await ctx.gather(*fails)))


@agent(delegates=[carver], tools=[carve])
async def torn(brief: Brief, ctx: AgentContext) -> str:
    """Fails while a member and a tool are at work."""

    async def fail() -> str:
        await asyncio.sleep(0.5)
        raise Refused("no", code="not_allowed")

    branches = [ctx.fork("a").delegate(carver, brief), ctx.fork("b").use(carve, {"word": "w"}), fail()]
    await ctx.gather(*branches)
    return "never"


class Words:
    """Thinks for a second, uses two tools when it is offered any, then answers."""

    async def __call__(self, model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(1)
        usage = Usage(10, 10)
        if request.tools and len(request.messages) == 1:
            uses = (ToolUse("u1", "look", '{"word":"a"}'), ToolUse("u2", "note", '{"word":"b"}'))
            return ModelReply("", uses, StopReason.TOOL_USE, usage, "m:m")
        return ModelReply('{"text":"x"}', (), StopReason.END, usage, "m:m")


@agent(tools=[look, note, count, scan], parallel=1)
async def deaf(brief: Brief, ctx: AgentContext) -> str:
    """Swallows its end, and takes its time."""
    await ctx.use(note, {"word": "a"})
    await unheard(2)
    return "at last"


@agent(delegates=[deaf])
async def headstrong(brief: Brief, ctx: AgentContext) -> str:
    """Delegates to the deaf one, and hears no better."""
    report = await ctx.delegate(deaf, brief)
    await unheard(1)
    return str(report.output)


async def unheard(seconds: float) -> None:
    """Wait, also when that is cancelled."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await asyncio.sleep(5)


def inline(stragglers: Stragglers) -> Offload:
    """Do blocking work in the loop, after 25 ms."""
    return Inline(stragglers, lambda: 0.5)


def ports(offload: Callable[[Stragglers], Offload] = inline) -> Ports:
    """Return what makes a run repeat exactly."""
    return Ports(lambda: 1.8e9, Names(), lambda: 0.5, offload)


def workplace(
    team: Team,
    *faults: FaultRule,
    offload: Callable[[Stragglers], Offload] = inline,
    observers: tuple[Observer, ...] = (),
    **more: Any,
) -> Callable[[Observer], Coordinator]:
    """Return what opens a coordinator of *team*, with accounts for everybody and gates that run short."""
    given = {
        "models": {"small": "m"}, "prices": {"m:*": {"input": 0.1, "output": 0.1}}, "world": {},
        "session_usd": 8, "user_day_usd": 9, "tenant_day_usd": 10,
        "rates": {"m:m": {"requests": 8, "per_s": 4}, "look": {"requests": 3, "per_s": 2},
                  "tenant:*": {"requests": 9, "per_s": 3}},
        "retry": {"base_s": 0.2},
    }  # fmt: skip
    settings = Settings(**{**given, **more})

    async def resolver(name: str) -> Tenant | None:
        await asyncio.sleep(0.1)
        return None

    def opened(told: Observer) -> Coordinator:
        return Coordinator(
            team, settings, models={"m": Words()}, observers=[told, *observers], faults=faults,
            ports=ports(offload), tenants=resolver,
        )  # fmt: skip

    return opened


def asks(**who: Any) -> Callable[[Coordinator], Any]:
    return lambda coordinator: coordinator.run("hi", **{"tenant": "t", "user": "u", "session": "s", **who})


async def afterwards(coordinator: Coordinator) -> RunResult:
    """Ask when everything else is long over: whatever was left behind could stand in the way now."""
    await asyncio.sleep(1000)
    result: RunResult = await asks()(coordinator)
    return result


class Bench:
    """What a tool works with, as long as it is open."""

    def __init__(self) -> None:
        self.open = True
        self.misused = False

    def use(self) -> None:
        """Work at it."""
        self.misused = self.misused or not self.open


class Benches:
    """Resources that take time to open and to close, and are known afterwards."""

    def __init__(self) -> None:
        self._made: list[Bench] = []

    @asynccontextmanager
    async def __call__(self, world: World) -> AsyncIterator[Bench]:
        await asyncio.sleep(0.3)
        bench = Bench()
        self._made.append(bench)
        try:
            yield bench
            await asyncio.sleep(0.3)
        finally:
            bench.open = False

    def left(self) -> list[str]:
        """Return what is still open, and what was used after it had been closed."""
        made, self._made = self._made, []
        return [
            *("bench: open" for bench in made if bench.open),
            *(MISUSED for bench in made if bench.misused),
        ]


def workshop() -> list[Piece]:
    """Return what is played with the team of this file."""
    down = FaultRule(tool="look", tier=0, fail="unreached", times=3)
    away = FaultRule(tool="scan", fail="throttled", times=1, retry_after_s=0.5)
    # Two failures in a row open a breaker; it has cooled down when the tool is used again, and lets one probe through.
    broken = FaultRule(tool="count", fail="error", times=2)
    breaker = {"failures": 2, "cooldown_s": 3}
    narrow = {
        "admission": {"runs": 2, "waiting": 3}, "session_usd": None, "user_day_usd": None, "tenant_day_usd": 0.055,
        "run_usd": 0.055, "prices": {"m:*": {"input": 0.1, "output": 20}},
    }  # fmt: skip
    own, shared = Benches(), Benches()
    return [
        Piece("delegations", workplace(Team(manager)), asks()),
        Piece("plan", workplace(Team(planner)), asks()),
        Piece(
            "tools", workplace(Team(smith), down, away, broken, breaker=breaker), asks(),
            lambda coordinator: [afterwards(coordinator)],
        ),
        Piece("own world", workplace(Team(smith, resources=own)), asks(world={}), left=own.left),
        Piece("threads", workplace(Team(smith, resources=shared), offload=Threads), asks(), left=shared.left),
        Piece("torn", workplace(Team(torn)), asks()),
        Piece("deaf", workplace(Team(headstrong)), asks()),
        Piece(
            "crowd", workplace(Team(manager), **narrow), asks(),
            lambda coordinator: [asks()(coordinator), asks(tenant="o")(coordinator), asks()(coordinator)],
        ),
        Piece(
            "cache", workplace(Team(planner), cache={"for_s": 60}), asks(),
            lambda coordinator: [asks()(coordinator), asks()(coordinator), afterwards(coordinator)],
        ),
        Piece("started", workplace(Team(planner)), lambda coordinator: coordinator.start("hi", tenant="t")._task),
    ]  # fmt: skip


def scenarios() -> list[Piece]:
    """Return the reference scenarios, with models that take a second, whose words are kept."""
    words, images = OfflineModel(cache_size=10_000), Snapshots()
    return [_scenario(path, words, images) for path in SCENARIOS]


def _scenario(path: Path, words: Model, images: Snapshots) -> Piece:
    scenario = open_scenario(path)
    file = scenario.file

    def opened(told: Observer) -> Coordinator:
        models = {"offline": _thinking(words), "scripted": _thinking(ScriptedModel(scenario.script))}
        return Coordinator(
            scenario.team, scenario.settings, world=scenario.world, observers=[told], models=models,
            faults=file.faults, snapshots=images, ports=ports(),
        )  # fmt: skip

    task = Task(text=file.task, kind=file.kind)
    who = {"tenant": file.tenant, "user": file.user, "session": file.session}
    return Piece(scenario.name, opened, lambda coordinator: coordinator.run(task, **who))


def _thinking(words: Model) -> Model:
    async def answers(model: str, request: ModelRequest) -> ModelReply:
        await asyncio.sleep(1)
        return await words(model, request)

    return answers
