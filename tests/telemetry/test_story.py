"""Laws of stories: what a record says comes out, and figures add up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coordinator import Event, Kind
from coordinator.telemetry.run_files import Record, read
from coordinator.telemetry.story import Story, tell


def story_of(events: list[Event]) -> Story:
    return tell(Record(Path("x.jsonl"), {}, tuple(events)))


def test_a_story_has_the_status_the_time_and_the_money(told: Any) -> None:
    story = story_of(told.events)
    assert (story.status, story.root.code, story.seconds, story.cost) == ("flagged", "tool_degraded", 4.2, 400)
    assert story.waits == {"retries": 0.25}
    assert story.headline() == "flagged (tool_degraded), 1 model call, 2 tool calls, 1 delegation"


def test_what_did_not_go_straight_on_is_told_in_order(told: Any) -> None:
    story = story_of(told.events)
    assert [(one.kind, one.agent, one.what) for one in story.moments] == [
        ("charged", "clerk", "charged $0.0001 for look_up#0 although no answer came"),
        ("retry", "clerk", "attempt 2 after timeout, 250 ms later"),
        ("fallback", "clerk", "look_up#0 is down (timeout); look_up#1 is tried"),
        ("refused", "clerk", "refused: a person must approve"),
    ]
    assert [(issue.code, agent) for issue, agent in story.issues] == [("tool_degraded", "clerk")]


def test_the_tree_holds_every_call_and_every_note(told: Any) -> None:
    story = story_of(told.events)
    assert [(node.kind, node.name) for node in story.nodes()] == [
        ("agent", "boss"), ("state", "plan"), ("model", "openai:gpt-x"), ("agent", "clerk"), ("tool", "look_up"),
        ("note", "charged $0.0001 for look_up#0 although no answer came"),
        ("note", "attempt 2 after timeout, 250 ms later"),
        ("note", "look_up#0 is down (timeout); look_up#1 is tried"),
        ("note", "tool_degraded: <b>half</b> an answer"),
        ("tool", "pay"), ("note", "refused: a person must approve"), ("note", "verdict: revise, 2 reasons"),
    ]  # fmt: skip


def test_a_run_that_only_repeats_why_its_call_was_refused_is_one_refusal(told: Any) -> None:
    told.events.pop()
    told(Kind.RUN_ENDED, "boss", "run", status="refused", code="needs_approval", error="refused")
    assert story_of(told.events).count("refused") == 1


def test_a_run_that_was_never_admitted_is_a_refusal(told: Any) -> None:
    del told.events[1:]
    told(Kind.RUN_ENDED, "boss", "run", status="refused", code="admission_full", error="refused", message="full")
    story = story_of(told.events)
    assert [one.what for one in story.moments] == ["refused: full"]
    assert story.headline() == "refused (admission_full)"


def test_spending_adds_up_to_what_the_calls_cost(told_long: Callable[..., Any]) -> None:
    story = story_of(told_long(10).events)
    for by in (lambda node: node.agent, lambda node: node.name):
        found = story.spending(by)
        assert sum(one.cost for one in found) == story.cost == 10 * 9 * 250
        assert sum(one.calls for one in found) == 10 * 15
    assert [one.name for one in found] == ["openai:gpt-x-mini", "search_knowledge"]


def test_what_failed_attempts_cost_is_part_of_their_call_and_of_whom_they_went_to(told: Any) -> None:
    story = story_of(told.events)
    assert {node.name: node.cost for node in story.calls()} == {"openai:gpt-x": 250, "look_up": 150, "pay": 0}
    assert story.tree.cost == story.root.spent == story.cost == 400
    told.events.pop()
    told(Kind.MODEL_STARTED, "boss", "run/turn2", **{"class": "small"})
    told(Kind.CHARGED, "boss", "run/turn2#1", dependency="openai:gpt-x", cost=70, uncertain=False)
    told(Kind.CHARGED, "boss", "run/turn2#2", dependency="openai:gpt-x", cost=20, uncertain=False)
    told(Kind.MODEL_ENDED, "boss", "run/turn2", code="ok", duration_s=1.0, model="other:y", cost=5)
    told(Kind.MODEL_STARTED, "boss", "run/turn3", **{"class": "small"})
    told(Kind.CHARGED, "boss", "run/turn3#1", dependency="gone:z", cost=1, uncertain=True)
    told(Kind.MODEL_ENDED, "boss", "run/turn3", **{"class": "small", "code": "timeout", "duration_s": 1.0})
    story = story_of(told.events)
    found = story.by_target()
    assert {one.name: (one.calls, one.cost) for one in found} == {
        "openai:gpt-x": (1, 340), "look_up": (1, 150), "other:y": (1, 5), "gone:z": (1, 1), "pay": (1, 0),
    }  # fmt: skip
    assert [one.cost for one in found] == sorted((one.cost for one in found), reverse=True)
    assert sum(one.cost for one in story.spending(lambda node: node.agent)) == story.cost == 496


@pytest.mark.parametrize("kept", range(1, 16))
def test_a_story_that_breaks_off_says_so_and_what_did_not_end(kept: int, told: Any) -> None:
    story = story_of(told.events[:kept])
    assert story.status == "unfinished"
    assert "ends before the run" in next(story.shortcomings())
    begun = {event.step for event in told.events[:kept] if event.kind.endswith(".started")}
    ended = {event.step for event in told.events[:kept] if event.kind.endswith(".ended")}
    assert {node.step for node in story.nodes() if node.code == "unfinished"} == begun - ended


def test_a_story_without_its_beginning_is_told_all_the_same(told: Any) -> None:
    story = story_of(told.events[3:])
    assert story.status == "flagged"
    assert [node.name for node in story.nodes() if node.kind == "tool"] == ["look_up", "pay"]
    assert "3 events in between" in " ".join(story.shortcomings())


def test_a_clock_that_was_set_back_takes_no_time_back(told: Any) -> None:
    told.now -= 3600
    told(Kind.TOOL_LATE, "clerk", "run/plan1/a/turn1/tool1", dependency="look_up#0", late_s=1.0, outcome="done")
    story = story_of(told.events)
    assert min(one.at for one in story.moments) >= 0
    assert sorted(one.at for one in story.moments) == [one.at for one in story.moments]


def test_what_was_said_hangs_at_its_call(told: Any, file_of: Callable[..., Path]) -> None:
    said = [{"role": "user", "text": "Where is it?"}]
    data = {"class": "small", "content": said}
    told.events[2] = Event("r-1", 3, told.events[2].at, Kind.MODEL_STARTED, "acme", "boss", "run/turn1", data)
    story = tell(read(file_of(told)))
    assert story.has_content
    assert next(node for node in story.nodes() if node.kind == "model").said == said
