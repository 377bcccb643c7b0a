"""Laws of observers: one JSON line an event, and none can hurt a run."""

import io
import json
import logging

import orjson
import pytest

from coordinator import AgentContext, Brief, Coordinator, Event, Kind, Settings, Team, agent
from coordinator.telemetry.guard import Guarded
from coordinator.telemetry.lines import EventLines
from coordinator.telemetry.spans import span_id

EVENT = Event("r-1", 1, 12.5, Kind.STATE, "acme", "manager", "run", {"state": "plan"})


def test_each_event_is_one_line_with_run_and_sequence() -> None:
    out = io.BytesIO()
    lines = EventLines(out)
    lines(EVENT)
    lines(EVENT)
    first, second = out.getvalue().splitlines()
    assert first == second
    assert orjson.loads(first) == {
        "event": "state", "run": "r-1", "seq": 1, "at": 12.5, "tenant": "acme", "agent": "manager", "step": "run",
        "span": span_id("r-1", "run"), "parent": None, "data": {"state": "plan"},
    }  # fmt: skip


@pytest.mark.parametrize("place", ["data", "nested", "tenant", "agent", "step"])
def test_no_secret_reaches_the_file(place: str) -> None:
    out, secret = io.BytesIO(), "a-key-of-nobodys-shape"
    data = {"data": {"message": f"denied: {secret}"}, "nested": {"content": [{"text": secret}]}}.get(place, {})
    given = {name: secret if place == name else "x" for name in ("tenant", "agent")}
    step = f"run/{'plan/' * 20}{secret}" if place == "step" else "run"
    EventLines(out, [secret])(Event("r-1", 1, 0.0, Kind.ISSUE, given["tenant"], given["agent"], step, data))
    assert secret not in out.getvalue().decode()
    assert "[redacted]" in out.getvalue().decode()


@pytest.mark.parametrize("value", ["lone \ud800 surrogate", 2**70, {1: "a number as a name"}, {"a", "set"}, object()])
def test_what_json_can_hardly_say_is_still_one_line(value: object) -> None:
    out = io.BytesIO()
    EventLines(out)(Event("r-1", 1, 0.0, Kind.ISSUE, "acme", "", "run", {"odd": value}))
    assert len(out.getvalue().splitlines()) == 1
    assert json.loads(out.getvalue())["event"] == "issue"


def test_an_observer_that_raises_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Event] = []

    def bad(event: Event) -> None:
        seen.append(event)
        raise ZeroDivisionError

    guarded = Guarded(bad)
    with caplog.at_level(logging.ERROR, logger="coordinator"):
        guarded.tell(EVENT)
        guarded.tell(EVENT)
    assert len(seen) == 1
    assert "is dropped" in caplog.text


async def test_a_run_goes_on_when_an_observer_raises(caplog: pytest.LogCaptureFixture) -> None:
    def bad(event: Event) -> None:
        raise ZeroDivisionError

    @agent()
    async def manager(brief: Brief, ctx: AgentContext) -> str:
        return "fine"

    async with Coordinator(Team(manager), Settings(world={}), observers=[bad]) as coordinator:
        assert (await coordinator.run("hi")).text == "fine"
