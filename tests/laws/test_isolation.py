"""Law 7: two tenants never see each other's words, whatever fails, in whatever order things happen.

Every tenant's task, data and errors carry a canary. Model, tools and observer look at all that reaches them. Some
requests of all tenants are equal to the letter; then it is the model's reply that carries the canary of who sent it.
"""

import asyncio
import json
import re
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path

import pytest
from pydantic import BaseModel

from coordinator import AgentContext, Brief, Coordinator, Passage, Settings, Team, ToolContext, agent, tool
from coordinator.app import Ports
from coordinator.domain.calls import ToolCall
from coordinator.domain.content import StopReason, ToolUse
from coordinator.domain.model import ModelReply
from coordinator.domain.money import Usage
from coordinator.domain.scope import RunState
from coordinator.engine import tools as tool_core
from coordinator.models.simulated import BAD_DAY, SimulatedModel
from coordinator.policies import coalescing
from coordinator.simulation.chance import Dice, Names, pick
from coordinator.simulation.clock import VirtualLoop
from coordinator.simulation.faults import draw_faults
from coordinator.stores.memory.replies import Replies

pytestmark = pytest.mark.real_time  # every world owns its loop

TENANTS = ["ash", "birch", "cedar"]
CANARY = re.compile(r"canary-(\w+)")
SEEDS, RUNS = 12, 24
ASKING: ContextVar[str] = ContextVar("ASKING")
"""The tenant on whose behalf the model is called; nothing in its request tells."""


class Lost(ValueError):
    """What the tool is asked for is not there."""


class Answer(BaseModel):
    """A typed answer."""

    text: str


class Watch:
    """Collects every word of one tenant that reached another."""

    def __init__(self):
        self.leaks = []
        self.seen = 0
        self.reused = set()

    def look(self, tenant, where, words):
        found = set(CANARY.findall(words))
        self.seen += bool(found)
        if found - {tenant}:
            self.leaks.append(f"{where} of {tenant} holds words of {sorted(found - {tenant})}")


class Desk:
    """The data of one tenant: who asks first owns it."""

    def __init__(self, watch):
        self.watch = watch
        self.notes = []


@tool(timeout=5, errors={Lost: "lost"})
async def find(word: str, ctx: ToolContext[Desk]) -> Passage:
    """Find a word."""
    tenant = ctx.tenant.tenant
    ctx.resources.watch.look(tenant, "a tool's arguments", word)
    ctx.resources.notes.append(word)
    ctx.resources.watch.look(tenant, "a tenant's data", " ".join(ctx.resources.notes))
    await asyncio.sleep(0.1)
    if len(ctx.resources.notes) % 5 == 0:
        raise Lost(f"nothing of canary-{tenant} is there")
    return Passage(text=f"found for canary-{tenant}", source=f"{tenant}/notes")


@agent(tools=[find], parallel=1)
async def analyst(brief: Brief, ctx: AgentContext) -> Answer:
    """Looks up."""
    ctx.resources.watch.look(ctx.tenant.tenant, "a brief", brief.model_dump_json())
    answer = await ctx.solve(brief, instructions="look", output=Answer)
    said = " ".join(passage.text for passage in ctx.passages)
    ctx.resources.watch.look(ctx.tenant.tenant, "a context's passages", said)
    return answer


@agent(delegates=[analyst])
async def manager(brief: Brief, ctx: AgentContext) -> str:
    """Says good morning like everybody, then asks the analyst twice at once."""
    tenant, second = ctx.tenant.tenant, int(asyncio.get_running_loop().time())
    for _ in range(2):
        greeting = await ctx.ask(f"good morning, it is {second}")
        ctx.resources.watch.look(tenant, "a reply", greeting)
    briefs = [Brief(request=brief.request, goal=goal) for goal in "ab"]
    reports = await ctx.gather(*(ctx.delegate(analyst, one) for one in briefs))
    return " ".join(str(report.output or report.message) for report in reports)


async def words(model, request):
    """Answer with what was asked: all words of the conversation come back, in arguments and in answers."""
    text = request.messages[-1].text or request.messages[1].text
    said = " ".join(f"canary-{name}" for name in CANARY.findall(str(request.messages)))
    usage = Usage(len(text), 10)
    if not said:
        return ModelReply(f"good morning, canary-{ASKING.get()}", (), StopReason.END, usage, "m:m")
    if request.tools and len(request.messages) < 4:
        use = ToolUse(f"u{len(request.messages)}", "find", json.dumps({"word": f"{said} {len(request.messages)}"}))
        return ModelReply("", (use,), StopReason.TOOL_USE, usage, "m:m")
    return ModelReply(json.dumps({"text": said}), (), StopReason.END, usage, "m:m")


async def world(seed, watch):
    dice, loop = Dice(seed), asyncio.get_running_loop()

    @asynccontextmanager
    async def desks(_):
        yield Desk(watch)

    def observe(event):
        watch.reused.add(event.data.get("reuse"))
        watch.look(event.tenant, f"event {event.kind}", json.dumps(dict(event.data), default=str))

    team = Team(manager, resources=desks)
    settings = Settings(
        models={"small": "m"}, prices={"m:*": {"input": 0.1, "output": 0.1}}, world={}, deadline_s=60,
        cache={"for_s": 60},
    )  # fmt: skip
    coordinator = Coordinator(
        team, settings, observers=[observe], ports=Ports(loop.time, Names(), dice.stream("chance")),
        models={"m": SimulatedModel(words, dice.stream("model"), mishaps=BAD_DAY)},
        faults=draw_faults({"find": 1}, dice.stream("faults")),
    )  # fmt: skip
    chance = dice.stream("visits")

    async def visit(number):
        tenant = pick(TENANTS, chance)
        await asyncio.sleep(5 * chance())
        ASKING.set(tenant)
        result = await coordinator.run(f"ask {number} about canary-{tenant}", tenant=tenant)
        watch.look(tenant, "a result", result.model_dump_json())

    async with coordinator:
        await coordinator.furnish(TENANTS)
        async with asyncio.TaskGroup() as tasks:
            for number in range(RUNS):
                tasks.create_task(visit(number))


def leaks(seeds=SEEDS):
    watch = Watch()
    for seed in range(seeds):
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:  # noqa: B023 - called at once
            runner.run(world(seed, watch))
    assert watch.seen > 100
    assert watch.reused >= {"cache", "flight"}
    return watch.leaks


def test_no_tenant_ever_sees_another_tenants_words():
    assert leaks() == []


def shared_passages(monkeypatch):
    everybody = {}
    begins = RunState.__init__

    def begin(self, *given, **more):
        begins(self, *given, **more)
        self.passages = everybody

    monkeypatch.setattr(RunState, "__init__", begin)


def shared_arguments(monkeypatch):
    checks, last = ToolCall.checked, []

    def checked(self, arguments):
        last.append(arguments)
        return checks(self, last[-2] if len(last) % 7 == 0 else arguments)

    monkeypatch.setattr(ToolCall, "checked", checked)


def remembered_errors(monkeypatch):
    maps, known = tool_core._mapped, {}

    def mapped(tool, call, error):
        return known.setdefault(call.name, maps(tool, call, error))

    monkeypatch.setattr(tool_core, "_mapped", mapped)


def talkative_events(monkeypatch):
    emits, last = RunState.emit, []

    def emit(self, kind, agent, step, data):
        last.append(f"canary-{self.tenant.tenant}")
        emits(self, kind, agent, step, {**data, "before": last[-2:]})

    monkeypatch.setattr(RunState, "emit", emit)


def shared_desk(monkeypatch):
    async def furnish(self, tenants):
        return None

    monkeypatch.setattr(Coordinator, "furnish", furnish)


def one_cache(monkeypatch):
    get, keep = Replies.get, Replies.keep
    monkeypatch.setattr(Replies, "get", lambda self, tenant, digest: get(self, "all", digest))
    monkeypatch.setattr(Replies, "keep", lambda self, tenant, digest, reply: keep(self, "all", digest, reply))


def one_line(monkeypatch):
    monkeypatch.setattr(coalescing, "_key", lambda call: ("all", call.dependency, call.digest))


DEFECTS = [
    (shared_passages, "context"), (shared_arguments, "argument"), (remembered_errors, "result|brief|argument"),
    (talkative_events, "event"), (shared_desk, "data"),
    (one_cache, "reply"), (one_line, "reply"),
]  # fmt: skip


@pytest.mark.plants
@pytest.mark.parametrize(("defect", "found"), DEFECTS, ids=[case[0].__name__ for case in DEFECTS])
def test_a_planted_leak_is_found(monkeypatch, defect, found):
    defect(monkeypatch)
    told = leaks(seeds=3)
    assert any(part in leak for leak in told for part in found.split("|")), told[:3]


def test_the_world_of_a_tenant_is_a_copy_of_its_own(tmp_path: Path):
    opened = []

    @asynccontextmanager
    async def desks(_):
        opened.append(object())
        yield opened[-1]

    seen = {}

    @agent()
    async def shows(brief: Brief, ctx: AgentContext) -> str:
        """Shows what it was given."""
        seen.setdefault(ctx.tenant.tenant, set()).add(id(ctx.resources))
        return "ok"

    async def main():
        settings = Settings(models={"small": "m"}, prices={"m:*": {"input": 0, "output": 0}}, world={})
        async with Coordinator(Team(shows, resources=desks), settings, models={"m": words}) as coordinator:
            await coordinator.furnish(["ash", "birch"])
            for tenant in ("ash", "birch", "ash", "birch"):
                await coordinator.run("hi", tenant=tenant)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    assert [len(ids) for ids in seen.values()] == [1, 1]
    assert seen["ash"] != seen["birch"]
