"""Judging: what came out against what was expected, one line for each difference."""

from typing import Any

import pytest

from coordinator.domain.citing import Citation
from coordinator.domain.events import Event, Kind
from coordinator.domain.result import Issue, RunResult, Status
from coordinator.scenario.file import Expectation
from coordinator.scenario.judging import Tally, cited, judge

RESULT = RunResult(
    status=Status.FLAGGED,
    code="not_found",
    text="Order 1042 is\nin transit.",
    citations=[Citation(source="orders/1042"), Citation(source="help/delivery-times.md", line=5)],
    issues=[Issue(code="not_found", message="the rest was not found")],
    cost_usd=0.02,
)


def tally(**kinds: list[str]) -> Tally:
    found = Tally()
    for name in kinds.get("tools", []):
        found(Event("r", 1, 0.0, Kind.TOOL_STARTED, "t", "a", "run/use1", {"tool": name}))
    for name in kinds.get("members", []):
        found(Event("r", 1, 0.0, Kind.DELEGATION_STARTED, "t", "a", "run/delegate1", {"member": name}))
    return found


def judged(expect: dict[str, Any], **kinds: list[str]) -> list[str]:
    return judge(Expectation.model_validate(expect), RESULT, tally(**kinds))


@pytest.mark.parametrize(
    "expect",
    [
        {},
        {"status": "flagged", "code": "not_found", "issues": ["not_found"]},
        {"mentions": ["1042", "IN TRANSIT", "is in"]},
        {"not_mentions": ["delivered"]},
        {"cites": ["orders/1042", "orders", "1042", "help/delivery-times.md", "delivery-times.md", "help"]},
        {"tools": {"a": 2, "b": ">=1", "c": 0, "d": "<1"}},
        {"tools": {"a": "<= 2", "b": "=1", "c": "==0"}},
        {"delegations": {"x": ">1"}},
        {"events": {"tool.started": 3, "breaker": 0}},
        {"max_cost_usd": 0.02},
    ],
)
def test_what_came_as_expected_is_not_mentioned(expect: dict[str, Any]) -> None:
    assert judged(expect, tools=["a", "a", "b"], members=["x", "x"]) == []


@pytest.mark.parametrize(
    ("expect", "line"),
    [
        ({"status": "completed"}, "status: expected completed, came flagged (not_found: the rest was not found)"),
        ({"code": "ok"}, "code: expected ok, came not_found"),
        ({"issues": ["tool_degraded"]}, "issues: expected tool_degraded, came not_found"),
        ({"mentions": ["late"]}, "mentions: expected 'late', came Order 1042 is in transit."),
        ({"not_mentions": ["transit"]}, "not_mentions: expected no 'transit', came …order 1042 is in transit.…"),
        ({"cites": ["returns.md"]}, "cites: expected returns.md, came orders/1042, help/delivery-times.md"),
        ({"tools": {"a": 1}}, "tools: expected a = 1, came 2"),
        ({"tools": {"c": ">=1"}}, "tools: expected c >= 1, came 0"),
        ({"delegations": {"x": 0}}, "delegations: expected x = 0, came 1"),
        ({"events": {"breaker": ">=1"}}, "events: expected breaker >= 1, came 0"),
        ({"max_cost_usd": 0.01}, "max_cost_usd: expected at most $0.0100, came $0.0200"),
    ],
)
def test_difference_names_what_was_expected_and_what_came(expect: dict[str, Any], line: str) -> None:
    assert judged(expect, tools=["a", "a"], members=["x"]) == [line]


def test_every_difference_is_listed() -> None:
    assert len(judged({"status": "completed", "code": "ok", "mentions": ["x", "y"], "cites": ["z"]})) == 5


@pytest.mark.parametrize("wanted", ["order", "orders/104", "042", "rders/1042", ""])
def test_part_of_a_source_is_no_citation_of_it(wanted: str) -> None:
    assert not cited(wanted, Citation(source="orders/1042"))
