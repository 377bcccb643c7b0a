"""Laws of observers: one JSON line an event, and none can hurt a run."""

import io
import logging

import orjson
import pytest

from coordinator import AgentContext, Brief, Coordinator, Event, Kind, Settings, Team, agent
from coordinator.telemetry.guard import Guarded
from coordinator.telemetry.lines import EventLines

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
        "data": {"state": "plan"},
    }  # fmt: skip


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
