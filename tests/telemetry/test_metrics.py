"""Laws of metrics: they agree with what runs say of themselves, names are few, and every rule asks for what exists."""

import asyncio
import re
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from agents import team as desk
from coordinator import (
    AgentContext,
    Brief,
    Coordinator,
    Effect,
    Event,
    Fault,
    Kind,
    Refused,
    Settings,
    Team,
    agent,
    tool,
)
from coordinator.domain.errors import Reached
from coordinator.telemetry.alarms import Alarm
from coordinator.telemetry.levels import TELLS
from coordinator.telemetry.metrics import METRICS, MOST_NAMES
from coordinator.telemetry.prometheus import PREFIX, Metrics

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations"
DOCUMENT = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
RULES = YAML(typ="safe").load(OPERATIONS / "alerts.yml")
INCIDENTS = (OPERATIONS / "incidents.md").read_text(encoding="utf-8")


def numbers(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Everything that is exposed, by name and values of its labels in the order of their names."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    samples = [sample for family in families for sample in family.samples]
    return {
        (one.name.removeprefix(PREFIX), *(one.labels[name] for name in sorted(one.labels))): one.value
        for one in samples
    }


class Told:
    """Metrics, and events made up for them."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self._seq = count(1)

    def __call__(self, kind: Kind, run: str = "r-1", **data: Any) -> None:
        self.metrics(Event(run, next(self._seq), 0.0, kind, "acme", "boss", "run", data))

    def tool(self, name: str, code: str = "ok", **more: Any) -> None:
        self(Kind.TOOL_ENDED, tool=name, code=code, duration_s=0.1, cost=0, **more)

    def end(self, status: str, run: str = "r-1", **more: Any) -> None:
        ended = {"surface": "paid", "code": "ok", "duration_s": 2.0, "steps": 7, "cost": 2_500}
        self(Kind.RUN_ENDED, run, status=status, **(ended | more))

    @property
    def numbers(self) -> dict[tuple[str, ...], float]:
        return numbers(self.metrics)


# ---------------------------------------------------------------------------------------------------- what is counted


def test_a_run_is_counted_by_status_and_surface_with_its_steps_cost_and_time() -> None:
    told = Told()
    told.end("completed", waited_s={"gates": 1.5, "admission": 0.5})
    told.end("completed")
    told.end("escalated", code="triage")
    found = told.numbers
    assert found["runs_total", "completed", "paid"] == 2
    assert found["run_steps_sum", "completed"] / found["run_steps_count", "completed"] == 7
    assert found["run_cost_usd_sum", "completed"] == pytest.approx(0.005)
    assert found["run_duration_seconds_bucket", "2.5", "completed"] == 2
    assert found["run_duration_seconds_bucket", "1.0", "completed"] == 0
    assert found["waited_seconds_total", "gates"] == 1.5
    assert found["escalations_total", "triage"] == 1


@pytest.mark.parametrize(
    ("data", "outcome", "quality"),
    [
        ({"code": "ok"}, "ok", "sound"),
        ({"code": "degraded"}, "degraded", "sound"),
        ({"code": "timeout", "error": "fault"}, "fault", "sound"),
        ({"code": "breaker_open", "error": "refused"}, "refused", "sound"),
        ({"code": "invalid_arguments", "error": "invalid"}, "invalid", "unsound"),
        ({"code": "needs_approval", "error": "refused"}, "refused", "unsound"),
        ({"code": "repeated_call", "error": "refused"}, "refused", "unsound"),
        ({"code": "unknown_outcome", "error": "unknownoutcome"}, "unknown", "sound"),
        ({"code": "cancelled"}, "cancelled", "sound"),
        ({"code": "crashed"}, "failed", "sound"),
    ],
)
def test_tool_calls_are_told_apart_by_how_they_ended_and_whether_the_decision_was_sound(data, outcome, quality) -> None:
    told = Told()
    told.tool("look", **data)
    assert told.numbers["tool_calls_total", outcome, "look"] == 1
    assert told.numbers["decisions_total", quality] == 1


def test_claims_count_for_every_draft_and_for_the_last_one_that_went_out() -> None:
    told = Told()
    told(Kind.VERDICT, decision="reject", reasons=2, claims=5, unsupported=2)
    told(Kind.VERDICT, decision="accept", reasons=0, claims=4, unsupported=0)
    told.end("completed")
    told(Kind.VERDICT, "r-2", decision="reject", reasons=1, claims=3, unsupported=1)
    told.end("flagged", "r-2")
    told(Kind.VERDICT, "r-3", decision="reject", reasons=1, claims=9, unsupported=9)
    told.end("escalated", "r-3")
    found = told.numbers
    assert [found[name, "draft"] for name in ("claims_total", "claims_unsupported_total")] == [21, 12]
    assert [found[name, "answer"] for name in ("claims_total", "claims_unsupported_total")] == [7, 1]
    assert found["verdicts_total", "accept"] == 1
    assert found["verdicts_total", "reject"] == 3
    assert told.metrics._count._claims == {}


def test_what_was_used_again_is_no_bill() -> None:
    told = Told()
    model = {"class": "small", "model": "openai:x", "code": "ok", "duration_s": 1.0, "stop": "end"}
    told(Kind.MODEL_ENDED, **model, input_tokens=100, output_tokens=10, cost=500)
    told(Kind.MODEL_ENDED, **model, input_tokens=100, output_tokens=10, cost=0, reuse="cached", saved=500)
    told(Kind.MODEL_ENDED, **{"class": "small"}, code="denied", error="fault", duration_s=1.0)
    found = told.numbers
    assert [found["tokens_total", "openai:x", kind] for kind in ("input", "output")] == [100, 10]
    assert (found["cost_usd_total", "openai:x"], found["saved_usd_total", "cached"]) == (0.0005, 0.0005)
    assert [found["model_calls_total", "small", outcome] for outcome in ("ok", "fault")] == [2, 1]


def test_attempts_without_a_reply_are_part_of_the_bill_of_whom_they_went_to() -> None:
    told = Told()
    told(Kind.TOOL_ENDED, tool="look", code="ok", duration_s=0.1, cost=200)
    told(Kind.CHARGED, dependency="look#1", cost=300, uncertain=True)
    told(Kind.CHARGED, dependency="openai:x", cost=70, uncertain=False)
    found = told.numbers
    assert (found["cost_usd_total", "look"], found["cost_usd_total", "openai:x"]) == (0.0005, 0.00007)


def test_what_people_decide_and_what_breaks_is_counted() -> None:
    told = Told()
    told(Kind.DECISION, tool="refund", approved=False)
    told(Kind.DECISION, tool="refund", approved=True)
    told(Kind.RETRY, attempt=2, wait_s=0.1, code="timeout", dependency="crm#0")
    told(Kind.FALLBACK, **{"from": "crm#0", "to": "crm#1", "code": "timeout"})
    told(Kind.BREAKER, dependency="crm#0", **{"from": "closed", "to": "open"})
    told(Kind.ISSUE, code="tool_degraded", message="…")
    told(Kind.CRASH, error="ZeroDivisionError")
    told(Kind.ALARM, "", alarm="budget", message="…")
    found = told.numbers
    for name in (
        ("human_decisions_total", "approved"), ("human_decisions_total", "rejected"), ("retries_total", "crm#0"),
        ("fallbacks_total", "crm#0", "crm#1"), ("breaker_transitions_total", "crm#0", "open"),
        ("issues_total", "tool_degraded"), ("crashes_total",), ("alarms_total", "budget"),
    ):  # fmt: skip
        assert found[name] == 1


# --------------------------------------------------------------------------------------------------------- few names


def test_names_from_outside_make_few_series() -> None:
    told = Told()
    for number in range(1000):
        told.tool(f"made up {number}", "unknown_tool", error="invalid")
        told.tool(f"tool {number}")
        told.end("escalated", f"r-{number}", code=f"code_{number}")
        told(Kind.ISSUE, code=f"code_{number}", message="…")
    found = told.numbers
    assert found["tool_calls_total", "invalid", "unknown"] == 1000
    assert found["tool_calls_total", "ok", "other"] == 1000 - MOST_NAMES
    assert len([name for name in found if name[0] == "escalations_total"]) == MOST_NAMES + 1


@tool(effect=Effect.READ, version="1.0")
async def fails(what: str) -> str:
    """Fails.

    Args:
        what: whatever.
    """
    raise Fault("the system is down", reached=Reached.YES, transient=False, code="server_error")


@agent(tools=[fails])
async def clerk(brief: Brief, ctx: AgentContext) -> str:
    """Tries a tool that is down."""
    try:
        await ctx.use(fails, {"what": brief.request})
    except (Fault, Refused):
        ctx.flag("not_found", "the system is down")
    return "sorry"


async def test_what_is_held_is_shown_and_no_tenant_or_user_is_named() -> None:
    metrics = Metrics()
    rates = {"tenant:*": {"requests": 1000}, "user:*": {"requests": 1000}, "agent:*": {"requests": 1000}}
    settings = Settings(world={}, global_usd=5, rates=rates, breaker={"failures": 2}, cache={})
    async with Coordinator(Team(clerk), settings, observers=[metrics]) as coordinator:
        metrics.watch(coordinator.snapshot)
        runs = (coordinator.run(f"{n}", tenant=f"tenant-{n}", user=f"user-{n}", session=f"s-{n}") for n in range(30))
        await asyncio.gather(*runs)
        found, exposed = numbers(metrics), metrics.exposition().decode()
    assert found["runs_total", "flagged", "default"] == 30
    assert found["breaker_state", "fails#0", "open"] == 1
    assert found["breaker_state", "fails#0", "closed"] == 0
    gates = {labels[0] for name, *labels in found if name == "gate_waiting"}
    assert gates == {"fails#0", "tenant:*", "user:*", "agent clerk"}
    assert found["replies_cached",] == 0
    for name in ("tenant-1", "user-1", "s-1", "r-"):
        assert name not in exposed


async def test_metrics_of_the_reference_team_agree_with_its_results() -> None:
    metrics, settings = Metrics(), Settings(global_usd=5.0, world=WORLD)
    async with Coordinator(desk, settings, observers=[metrics]) as coordinator:
        metrics.watch(coordinator.snapshot)
        asked = [
            "Where is my order 1042?",
            "I want my money back for order 1042, or I sue.",
            "How long is a gift card valid?",
        ]
        results = [await coordinator.run(one, tenant="acme", user="u-7") for one in asked]
        found = numbers(metrics)
    completed = [result for result in results if result.status == "completed"]
    assert found["runs_total", "completed", "default"] == len(completed) == 2
    assert found["run_steps_sum", "completed"] == sum(result.steps for result in completed)
    spent = sum(result.cost_usd for result in results)
    assert found["cost_usd_total", "offline:offline"] == pytest.approx(spent)
    assert found["budget_spent_usd",] == pytest.approx(spent)
    assert (found["budget_ceiling_usd",], found["budget_held_usd",], found["runs_running",]) == (5, 0, 0)
    assert found["verdicts_total", "accept"] == 2
    assert found["claims_total", "answer"] >= 2
    assert found["claims_unsupported_total", "answer"] == 0


WORLD = {"database": str(ROOT / "scenarios/data/shop.sql"), "knowledge": str(ROOT / "scenarios/data/help")}


def test_two_observers_share_nothing_and_the_global_registry_stays_as_it_is() -> None:
    one, two = Told(), Told()
    one.end("completed")
    assert ("runs_total", "completed", "paid") not in two.numbers
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith(PREFIX)]


# --------------------------------------------------------------------------------------------- documents and rules

SUFFIXES = ("_total", "_bucket", "_sum", "_count", "")


def exposed() -> dict[str, set[str]]:
    """Every name that a scrape may show, with its labels."""
    names: dict[str, set[str]] = {f"{PREFIX}{name}": set() for name in TELLS}
    names[f"{PREFIX}gate_waiting"] = {"gate"}
    names[f"{PREFIX}breaker_state"] = {"dependency", "state"}
    names[f"{PREFIX}retry_budget"] = {"dependency"}
    for metric in METRICS:
        for suffix in ("_bucket", "_sum", "_count") if metric.buckets else ("_total",):
            more = {"le"} if suffix == "_bucket" else set()
            names[f"{PREFIX}{metric.name}{suffix}"] = {*metric.labels} | more
    return names


def rules() -> Iterable[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def test_every_metric_is_documented_with_its_labels_and_nothing_else_is() -> None:
    table = re.findall(r"^\| (`coordinator_[^|]+) \|([^|]*)\|", DOCUMENT, re.MULTILINE)
    told = {
        name: set(re.findall(r"`(\w+)`", labels)) for names, labels in table for name in re.findall(r"`(\w+)`", names)
    }
    expected = {re.sub("_(bucket|sum|count)$", "", name): labels - {"le"} for name, labels in exposed().items()}
    assert told == expected


def test_rules_are_groups_of_named_rules_with_an_expression_each() -> None:
    assert set(RULES) == {"groups"}
    assert len({group["name"] for group in RULES["groups"]}) == len(RULES["groups"])
    for group in RULES["groups"]:
        assert set(group) <= {"name", "interval", "rules"}
    for rule in rules():
        if "record" in rule:
            assert set(rule) == {"record", "expr"}
            assert re.fullmatch(r"coordinator(:[a-z0-9_]+){2}", rule["record"])
        else:
            assert {"alert", "expr", "labels", "annotations"} <= set(rule) <= {
                "alert", "expr", "for", "labels", "annotations"
            }  # fmt: skip
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["expr"].count("{") == rule["expr"].count("}")


def test_every_rule_asks_for_metrics_and_labels_that_exist() -> None:
    known, recorded = exposed(), {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        asked = re.findall(r"\b(coordinator[a-z0-9_:]+)(?:\{([^}]*)\})?", rule["expr"])
        assert asked, rule
        for name, matchers in asked:
            if ":" in name:
                assert name in recorded, rule
                continue
            labels = set(re.findall(r"(\w+)\s*(?:=|!|=~|!~)", matchers))
            assert labels <= known[name], rule
    used = {name for rule in rules() for name in re.findall(r"\bby \((\w+)\)", rule["expr"])}
    assert used <= {"le", "tool", "stage"}


def test_values_that_rules_match_are_values_that_events_have() -> None:
    values = {
        "status": {"completed", "flagged", "escalated", "awaiting_approval", "refused", "cancelled", "failed"},
        "outcome": {"ok", "degraded", "invalid", "refused", "fault", "unknown", "cancelled", "failed"},
        "alarm": {alarm.value for alarm in Alarm}, "stage": {"draft", "answer"}, "quality": {"sound", "unsound"},
        "decision": {"accept", "approved", "rejected"}, "state": {"closed", "half-open", "open"},
    }  # fmt: skip
    for rule in rules():
        for label, said in re.findall(r"(\w+)(?:=~|!~|!=|=)\"([^\"]+)\"", rule["expr"]):
            assert set(said.split("|")) <= values[label], rule


def test_every_alert_has_its_part_of_the_guide_and_every_part_its_alert() -> None:
    alerts = [rule["alert"] for rule in rules() if "alert" in rule]
    assert re.findall(r"^### (\w+)$", INCIDENTS, re.MULTILINE) == alerts
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"]["runbook"] == f"docs/operations/incidents.md#{rule['alert'].lower()}"
    for part in INCIDENTS.split("\n### ")[1:]:
        assert all(f"**{word}**" in part for word in ("Means", "Look", "Do"))


def test_every_alarm_is_documented_and_has_its_alert() -> None:
    for document in (DOCUMENT, INCIDENTS):
        rows = re.findall(r"^\| `(\w+)` \| (?:of|a |`alert|\[)", document, re.MULTILINE)
        assert set(rows) >= {alarm.value for alarm in Alarm}


def test_what_the_guide_names_exists() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for name in re.findall(r"`(coordinator[_:][a-z0-9_:]+)", INCIDENTS):
        assert name in recorded if ":" in name else any(f"{name}{end}" in exposed() for end in SUFFIXES), name
