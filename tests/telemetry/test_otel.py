"""Laws of traces: a run is one tree, nobody's calls mix with another's, and all of it reaches a real collector."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from coordinator import AgentContext, Brief, Coordinator, Effect, Event, Kind, Settings, Team, agent, tool
from coordinator.models.scripted import ScriptedModel, ScriptedReply
from coordinator.telemetry.lines import EventLines
from coordinator.telemetry.otel import Traces
from coordinator.telemetry.spans import trace_id
from tests.telemetry.collector import Collector, attributes, collecting

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parents[2]
PRICE = {"input": 1, "output": 4}
RUNS = 20


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture
def provider(collector: Collector) -> Iterator[TracerProvider]:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector.url}/v1/traces")))
    yield made
    made.shutdown()


@tool(effect=Effect.READ, version="1.0")
async def look(what: str) -> str:
    """Looks.

    Args:
        what: whatever.
    """
    with trace.use_span(OWN[0].start_span(f"in look {what}"), end_on_exit=True):
        await asyncio.sleep(0)
    if what == "nothing":
        raise ZeroDivisionError
    return what


@tool(effect=Effect.READ, version="1.0")
def block(what: str) -> str:
    """Blocks.

    Args:
        what: whatever.
    """
    OWN[0].start_span(f"in block {what}").end()
    return what


@agent(tools=[look, block], parallel=1)
async def clerk(brief: Brief, ctx: AgentContext) -> str:
    """Looks twice at once."""
    OWN[0].start_span(f"in clerk {brief.request}").end()
    one, two = ctx.fork("one"), ctx.fork("two")
    await ctx.gather(one.use(look, {"what": f"{brief.request}-1"}), two.use(block, {"what": f"{brief.request}-2"}))
    return brief.request


@agent(tools=[look], delegates=[clerk])
async def boss(brief: Brief, ctx: AgentContext) -> str:
    """Asks three clerks at once, of whom one works at a time; the others wait."""
    ctx.enter("asking")
    branches = [ctx.fork(str(number)) for number in range(3)]
    asked = [Brief(request=f"{brief.request}-{number}") for number in range(3)]
    await ctx.gather(*(one.delegate(clerk, brief) for one, brief in zip(branches, asked, strict=True)))
    return str(await ctx.ask("what now?"))


OWN: list[trace.Tracer] = []
"""The tracer of what tools and agents trace themselves."""


def opened(provider: TracerProvider | None, *observers: Any, team: Team | None = None, **settings: Any) -> Coordinator:
    OWN[:] = [] if provider is None else [provider.get_tracer("a user")]
    watching = [*observers] if provider is None else [Traces(provider), *observers]
    script = [ScriptedReply(text="done", times=None)]
    return Coordinator(
        team or Team(boss), Settings(world={}, models={"small": "scripted:tape"}, **settings), observers=watching,
        models={"scripted": ScriptedModel(script)},
    )  # fmt: skip


async def test_a_run_reaches_a_collector_as_one_tree_with_the_names_of_the_conventions(provider, collector):
    async with opened(provider) as coordinator:
        result = await coordinator.run("r", tenant="acme")
    provider.force_flush()
    (run,) = collector.named("invoke_workflow boss")
    told = attributes(run)
    assert run.trace_id.hex() == trace_id(result.run_id)
    assert not run.parent_span_id
    assert told["gen_ai.operation.name"] == "invoke_workflow"
    assert told["gen_ai.workflow.name"] == "boss"
    assert (told["coordinator.status"], told["coordinator.run"], told["coordinator.tenant"]) == (
        "completed", result.run_id, "acme"
    )  # fmt: skip
    assert [(event.name, attributes(event)) for event in run.events] == [("state", {"coordinator.state": "asking"})]

    (chat,) = collector.named("chat tape")
    said = attributes(chat)
    assert chat.kind == Span.SPAN_KIND_CLIENT
    assert chat.parent_span_id == run.span_id
    assert [one.string_value for one in said.pop("gen_ai.response.finish_reasons").values] == ["end"]
    assert {name: said[name] for name in said if name.startswith("gen_ai")} == {
        "gen_ai.operation.name": "chat", "gen_ai.agent.name": "boss", "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "tape", "gen_ai.response.model": "tape", "gen_ai.response.id": "0-1",
        "gen_ai.usage.input_tokens": said["gen_ai.usage.input_tokens"], "gen_ai.usage.output_tokens": 1,
    }  # fmt: skip
    assert said["coordinator.cost_usd"] > 0

    members = collector.named("invoke_agent clerk")
    assert [one.parent_span_id for one in members] == [run.span_id] * 3
    assert all(attributes(one)["gen_ai.agent.name"] == "clerk" for one in members)
    for name in ("execute_tool look", "execute_tool block"):
        calls = collector.named(name)
        assert {one.parent_span_id for one in calls} == {one.span_id for one in members}
        assert attributes(calls[0])["gen_ai.tool.name"] == name.split()[1]
    assert {one.trace_id for one in collector.spans} == {run.trace_id}
    for one in collector.spans:
        assert run.start_time_unix_nano <= one.start_time_unix_nano <= one.end_time_unix_nano


async def test_log_lines_carry_the_ids_of_the_spans(provider, collector):
    out = io.BytesIO()
    async with opened(provider, EventLines(out)) as coordinator:
        await coordinator.run("r")
    provider.force_flush()
    lines = [orjson.loads(line) for line in out.getvalue().splitlines()]
    ended = {line["span"]: line["parent"] for line in lines if line["event"].endswith(".ended")}
    ours = [span for span in collector.spans if not span.name.startswith("in ")]
    assert {span.span_id.hex(): span.parent_span_id.hex() or None for span in ours} == ended


async def test_parallel_runs_and_calls_never_mix(provider, collector):
    async with opened(provider, admission={"runs": 7, "waiting": 100}) as coordinator:
        results = await asyncio.gather(*(coordinator.run(f"r{number}") for number in range(RUNS)))
        assert trace.get_current_span() is trace.INVALID_SPAN
    provider.force_flush()
    traces = {f"r{number}": trace_id(result.run_id) for number, result in enumerate(results)}
    inner = [span for span in collector.spans if span.name.startswith("in ")]
    assert len(inner) == RUNS * 3 * 3
    for span in inner:
        _, where, what = span.name.split()
        assert span.trace_id.hex() == traces[what.split("-")[0]]
        around = collector.around(span)
        if where == "clerk":
            assert around.name == "invoke_agent clerk"
            assert attributes(around)["coordinator.step"].split("/")[1] == what.split("-")[1]
        else:
            assert around.name == f"execute_tool {where}"
            assert attributes(around)["coordinator.step"].split("/")[1] == what.split("-")[1]


async def test_a_run_belongs_to_the_span_that_it_was_started_in(provider, collector):
    async with opened(provider) as coordinator:
        with provider.get_tracer("a service").start_as_current_span("POST /ask") as request:
            await coordinator.run("r")
            assert trace.get_current_span() is request
    provider.force_flush()
    (outside,), (run,) = collector.named("POST /ask"), collector.named("invoke_workflow boss")
    assert (run.parent_span_id, run.trace_id) == (outside.span_id, outside.trace_id)


@agent(tools=[look])
async def unlucky(brief: Brief, ctx: AgentContext) -> str:
    """Calls what crashes, until that is too much."""
    return str(await ctx.use(look, {"what": brief.request}))


async def test_what_fails_says_with_which_code(provider, collector):
    async with opened(provider, team=Team(unlucky)) as coordinator:
        await coordinator.run("nothing")
    provider.force_flush()
    for name in ("execute_tool look", "invoke_workflow unlucky"):
        (span,) = collector.named(name)
        assert attributes(span)["error.type"] == "tool_crashed"
        assert span.status.code == Status.STATUS_CODE_ERROR


async def test_a_cancelled_run_leaves_no_span_open(provider, collector):
    @agent()
    async def slow(brief: Brief, ctx: AgentContext) -> str:
        await asyncio.Event().wait()
        return ""

    async with opened(provider, team=Team(slow)) as coordinator:
        handle = coordinator.start("r")
        await asyncio.sleep(0)
        await handle.cancel()
        assert trace.get_current_span() is trace.INVALID_SPAN
    provider.force_flush()
    (span,) = collector.named("invoke_workflow slow")
    assert attributes(span)["coordinator.status"] == "cancelled"
    assert span.status.code == Status.STATUS_CODE_UNSET


def test_half_a_sign_in_a_name_loses_no_batch(provider, collector):
    observer, odd = Traces(provider), "look\ud800up"
    data = {"tool": odd, "code": "unknown_tool", "error": "invalid", "outcome": "failed", "effect": "read", "size": 2}
    for seq, kind in enumerate((Kind.TOOL_STARTED, Kind.TOOL_ENDED), start=1):
        observer(Event("r-1", seq, 1.0, kind, "acme", "boss", "run/turn1/tool1", {**data, "duration_s": 0.5}))
    provider.force_flush()
    (span,) = collector.spans
    assert span.name == "execute_tool look?up"
    assert span.end_time_unix_nano - span.start_time_unix_nano == 500_000_000


def test_what_a_call_used_has_the_names_of_the_conventions_as_far_as_it_is_told(provider, collector):
    observer = Traces(provider)
    ended = {
        "class": "small", "model": "openai:gpt-x", "code": "ok", "stop": "end", "input_tokens": 2100,
        "output_tokens": 40, "cost": 250, "duration_s": 0.5,
    }  # fmt: skip
    more = {"cached": 1500, "cache_write": 300, "reasoning": 20, "request_id": "req_1", "uncertain": True}
    for turn, data in (("run/turn1", {**ended, **more}), ("run/turn2", ended)):
        observer(Event("r-1", 1, 1.0, Kind.MODEL_STARTED, "acme", "boss", turn, {"class": "small"}))
        observer(Event("r-1", 2, 1.0, Kind.MODEL_ENDED, "acme", "boss", turn, data))
    provider.force_flush()
    full, plain = map(attributes, collector.spans)
    assert {name: said for name, said in full.items() if name not in plain} == {
        "gen_ai.usage.cache_read.input_tokens": 1500, "gen_ai.usage.cache_creation.input_tokens": 300,
        "gen_ai.usage.reasoning.output_tokens": 20, "gen_ai.response.id": "req_1", "coordinator.uncertain": True,
    }  # fmt: skip


def test_money_of_an_attempt_without_a_reply_is_an_event_of_its_call(provider, collector):
    observer = Traces(provider)
    charged = {"dependency": "look#0", "cost": 300, "uncertain": True}
    told = [
        (Kind.TOOL_STARTED, "run/turn1/tool1", {"tool": "look", "effect": "read"}),
        (Kind.CHARGED, "run/turn1/tool1#1", charged),
        (Kind.TOOL_ENDED, "run/turn1/tool1", {"code": "timeout", "outcome": "failed", "duration_s": 0.5}),
    ]
    for seq, (kind, step, data) in enumerate(told, start=1):
        observer(Event("r-1", seq, 1.0, kind, "acme", "boss", step, data))
    provider.force_flush()
    (span,) = collector.spans
    assert [(event.name, attributes(event)) for event in span.events] == [
        ("charged", {"coordinator.dependency": "look#0", "coordinator.cost_usd": 0.0003, "coordinator.uncertain": True})
    ]


async def test_a_sampler_that_takes_nothing_costs_nothing_else():
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    async with opened(provider) as coordinator:
        assert (await coordinator.run("r")).status == "completed"


async def test_no_word_of_the_run_reaches_the_collector_even_where_content_is_logged(provider, collector):
    async with opened(provider, content=True) as coordinator:
        await coordinator.run("the secret question")
    provider.force_flush()
    ours = [span for span in collector.spans if not span.name.startswith("in ")]
    assert ours
    assert not [span for span in ours if "secret question" in str(span)]


# ------------------------------------------------------------------------------------------------ as settings ask for


ANSWER = {
    "id": "c-1", "model": "gpt-x-2026-01-01",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "done"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2},
}  # fmt: skip


async def test_settings_alone_send_traces_and_metrics_and_carry_the_trace_to_the_provider(collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    collector.reply = orjson.dumps(ANSWER)
    model = f"compatible:gpt-x@{collector.url}/v1"
    settings = Settings(world={}, models={"small": model}, prices={model: PRICE}, otel=True)

    @agent()
    async def asks(brief: Brief, ctx: AgentContext) -> str:
        forks = [ctx.fork(str(number)) for number in range(5)]
        await ctx.gather(*(fork.ask("what now?") for fork in forks))
        return "done"

    async with Coordinator(Team(asks), settings) as coordinator:
        results = await asyncio.gather(*(coordinator.run("r") for _ in range(4)))
    assert {result.status for result in results} == {"completed"}
    assert collector.resource["service.name"] == "coordinator"
    chats = collector.named("chat gpt-x")
    sent = {headers["traceparent"] for headers in collector.headers}
    assert sent == {f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" for span in chats}
    assert len(sent) == 20
    told = attributes(chats[0])
    assert (told["gen_ai.provider.name"], told["gen_ai.usage.output_tokens"]) == ("compatible", 2)
    tokens = collector.metrics["gen_ai.client.token.usage"].histogram.data_points
    assert {attributes(point)["gen_ai.token.type"]: point.sum for point in tokens} == {"input": 200, "output": 40}
    (runs,) = collector.metrics["coordinator.runs"].sum.data_points
    assert (runs.as_int or runs.as_double, attributes(runs)) == (4, {"status": "completed", "surface": "default"})
    assert collector.metrics["coordinator.run_cost"].unit == "USD"
    assert "coordinator.run_duration" not in collector.metrics
    for name in ("invoke_workflow", "client.operation"):
        assert f"gen_ai.{name}.duration" in collector.metrics


async def test_a_collector_that_is_away_holds_the_end_up_for_seconds_only(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    loop = asyncio.get_running_loop()
    async with opened(None, otel=True, team=Team(quiet)) as coordinator:
        assert (await coordinator.run("r")).status == "completed"
        began = loop.time()
    assert loop.time() - began < 5


@agent()
async def quiet(brief: Brief, ctx: AgentContext) -> str:
    """Says its brief."""
    return brief.request


# --------------------------------------------------------------------------------------------------------- the extras

RUNNING = """
import asyncio, sys
from coordinator import AgentContext, Brief, Coordinator, Settings, Team, agent

@agent()
async def quiet(brief: Brief, ctx: AgentContext) -> str:
    return brief.request

async def main():
    async with Coordinator(Team(quiet), Settings(world={}), observers=[print]) as coordinator:
        await coordinator.run("hello")

asyncio.run(main())
import coordinator.cli, coordinator.load
print([name for name in sys.modules if name.partition(".")[0] in ("opentelemetry", "prometheus_client", "requests")])
"""
MISSING = """
import sys
for name in ("opentelemetry", "prometheus_client"):
    sys.modules[name] = None
from coordinator import Invalid, Settings
from coordinator.app.watchers import Watchers
for wanted in ("prometheus", "otel", "otel_metrics", "exporting"):
    try:
        __import__(f"coordinator.telemetry.{wanted}")
    except Invalid as error:
        print(error.code, error)
try:
    Watchers(Settings(world={}, otel=True), ())
except Invalid as error:
    print(error.code, error)
"""


def said_by(script: str, cwd: Path) -> list[str]:
    ran = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def test_nothing_of_the_extras_is_imported_until_it_is_asked_for(tmp_path):
    assert said_by(RUNNING, tmp_path)[-1] == "[]"


def test_a_missing_extra_is_one_line_that_says_how_to_install_it(tmp_path):
    prometheus, *otel = said_by(MISSING, tmp_path)
    assert prometheus == (
        "missing_extra prometheus needs packages that are not installed (prometheus_client). "
        "pip install 'agent-coordinator[prometheus]'"
    )
    assert len(otel) == 4
    assert all(line.endswith("pip install 'agent-coordinator[otel]'") for line in otel)
