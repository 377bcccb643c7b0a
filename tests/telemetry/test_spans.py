"""Laws of spans: ids come from run and step alone; around a call stands the agent that makes it."""

from typing import Any

from coordinator import Event, Kind, run_scenario
from coordinator.telemetry.spans import Spans, span_id, trace_id


def test_ids_are_the_same_in_every_process() -> None:
    assert span_id("r-1", "run/turn1") == "b623023197a507b2"
    assert span_id("r-1", "run/turn1") == span_id("r-1", "run/turn1#3")
    assert span_id("r-1", "") == span_id("r-1", "run")
    assert span_id("r-1", "run/turn1") != span_id("r-2", "run/turn1")
    assert len(trace_id("r-1")) == 32


def test_around_every_call_stands_the_agent_that_makes_it(told: Any) -> None:
    spans = Spans()
    found = {(event.kind, event.step): spans(event) for event in told.events}
    run, clerk = span_id("r-1", "run"), span_id("r-1", "run/plan1/a")
    assert found[Kind.RUN_STARTED, "run"] == (run, None)
    assert found[Kind.MODEL_STARTED, "run/turn1"][1] == run
    assert found[Kind.DELEGATION_STARTED, "run/plan1/a"] == (clerk, run)
    assert found[Kind.TOOL_ENDED, "run/plan1/a/turn1/tool1"][1] == clerk
    assert found[Kind.RETRY, "run/plan1/a/turn1/tool1#2"] == found[Kind.TOOL_ENDED, "run/plan1/a/turn1/tool1"]
    assert found[Kind.VERDICT, "run/plan1/a"] == (clerk, run)
    assert found[Kind.RUN_ENDED, "run"] == (run, None)


def test_nothing_is_kept_of_runs_that_are_over(told: Any) -> None:
    spans = Spans()
    for event in told.events:
        spans(event)
    late = Event("r-1", 99, 0.0, Kind.TOOL_LATE, "acme", "clerk", "run/plan1/a/turn1/tool1", {})
    assert spans(late) == (span_id("r-1", late.step), None)
    assert spans._runs == {}


async def test_every_span_of_a_real_run_hangs_below_the_run() -> None:
    events: list[Event] = []
    await run_scenario("scenarios/support_ticket.yaml", observers=[events.append])
    spans = Spans()
    around = dict(spans(event) for event in events)
    roots = {span for span, parent in around.items() if parent is None}
    assert roots == {span_id(events[0].run, "run")}
    assert {parent for parent in around.values() if parent} <= set(around)
