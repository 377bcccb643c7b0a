"""What is counted of runs, and how: every metric by name, and the one observer that feeds them from events.

Who keeps the numbers is not said here: `prometheus.py` and `otel.py` each make the instruments.
"""

from collections.abc import Callable, Mapping
from typing import Any

from coordinator.domain.events import Event, Kind
from coordinator.domain.money import usd
from coordinator.domain.result import Status
from coordinator.domain.value import value
from coordinator.telemetry.alarms import Alarm

Add = Callable[[float], None]
"""Adds to a counter, or puts one more measurement into a histogram."""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
STEPS = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0)
DOLLARS = (0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

MOST_NAMES = 200
"""Different values of a label that comes from outside the settings; those beyond are counted together."""
OTHER = "other"
UNKNOWN = "unknown"
ANSWERED = frozenset({Status.COMPLETED, Status.FLAGGED})
FINE = frozenset({"ok", "degraded"})

# What agents decided and a policy turned away because the decision was wrong, not because a dependency was down.
UNSOUND = frozenset(
    {"needs_approval", "repeated_call", "loop_stopped", "delegation_cycle", "depth_exceeded", "delegations_exceeded"}
)


@value
class Metric:
    """A counter, or with *buckets* a histogram. Units are seconds and dollars, and stand in the name."""

    name: str
    labels: tuple[str, ...]
    tells: str
    buckets: tuple[float, ...] = ()


Make = Callable[[Metric], Callable[..., Add]]
"""Makes the instrument of a metric: a function from the values of its labels to what adds to it."""

RUNS = Metric("runs", ("status", "surface"), "Runs that ended.")
RUN_SECONDS = Metric("run_duration_seconds", ("status",), "Seconds from a run's start to its end.", SECONDS)
RUN_STEPS = Metric("run_steps", ("status",), "Model calls, tool calls and delegations of a run.", STEPS)
RUN_COST = Metric("run_cost_usd", ("status",), "Dollars that a run cost.", DOLLARS)
ESCALATIONS = Metric("escalations", ("code",), "Runs that were handed to a person, by the reason.")
WAITED = Metric("waited_seconds", ("cause",), "Seconds that calls of runs waited: admission, gates, money, retries.")
MODEL_CALLS = Metric("model_calls", ("class", "outcome"), "Model calls that ended.")
MODEL_SECONDS = Metric("model_call_duration_seconds", ("class",), "Seconds of a model call, retries included.", SECONDS)
TOKENS = Metric("tokens", ("model", "type"), "Tokens that were billed: input or output.")
COST = Metric("cost_usd", ("source",), "Dollars that were billed, by model or tool.")
REUSED = Metric("replies_reused", ("how",), "Model calls that the cache answered, or the same request in flight.")
SAVED = Metric("saved_usd", ("how",), "Dollars that those calls would have cost.")
TOOL_CALLS = Metric("tool_calls", ("tool", "outcome"), "Tool calls that ended.")
TOOL_SECONDS = Metric("tool_call_duration_seconds", ("tool",), "Seconds of a tool call, retries included.", SECONDS)
DELEGATIONS = Metric("delegations", ("member", "outcome"), "Delegations that ended.")
DECISIONS = Metric("decisions", ("quality",), "What agents decided to call: sound, or turned away as wrong.")
RETRIES = Metric("retries", ("dependency",), "Attempts that were repeated.")
FALLBACKS = Metric("fallbacks", ("from", "to"), "Calls that went to the next model or tier.")
VERDICTS = Metric("verdicts", ("decision",), "Drafts that a reviewer judged.")
CLAIMS = Metric("claims", ("stage",), "Statements of drafts that were checked; answer: of those that went out.")
UNSUPPORTED = Metric("claims_unsupported", ("stage",), "Those of them that no source supports.")
HUMAN = Metric("human_decisions", ("decision",), "Calls that a person approved or rejected.")
TRIPS = Metric("breaker_transitions", ("dependency", "to"), "Changes of state of breakers.")
ISSUES = Metric("issues", ("code",), "What runs could not do, or a person should know.")
CRASHES = Metric("crashes", (), "Agents and tools that raised what they do not declare.")
ALARMS = Metric("alarms", ("alarm",), "Alarms that were raised.")

METRICS = (
    RUNS, RUN_SECONDS, RUN_STEPS, RUN_COST, ESCALATIONS, WAITED, MODEL_CALLS, MODEL_SECONDS, TOKENS, COST, REUSED,
    SAVED, TOOL_CALLS, TOOL_SECONDS, DELEGATIONS, DECISIONS, RETRIES, FALLBACKS, VERDICTS, CLAIMS, UNSUPPORTED, HUMAN,
    TRIPS, ISSUES, CRASHES, ALARMS,
)  # fmt: skip


class Counting:
    """An observer that feeds every metric from events; it keeps one small tuple a run, and lets it go with the run.

    Args:
        make: makes the instrument of each metric.
    """

    __slots__ = ("_adders", "_claims", "_instruments", "_names", "_take")

    def __init__(self, make: Make) -> None:
        self._instruments = {metric.name: make(metric) for metric in METRICS}
        self._adders: dict[tuple[str, ...], Add] = {}
        """By metric and values of its labels."""
        self._names: dict[str, set[str]] = {}
        """By label: the values it has had."""
        self._claims: dict[str, tuple[int, int]] = {}
        """By run: the statements of its last draft, and those without support."""
        self._take: Mapping[Kind, Callable[[Event, Mapping[str, Any]], None]] = {
            Kind.RUN_ENDED: self._run,
            Kind.MODEL_ENDED: self._model,
            Kind.TOOL_ENDED: self._tool,
            Kind.DELEGATION_ENDED: self._delegation,
            Kind.CHARGED: self._charged,
            Kind.VERDICT: self._verdict,
            Kind.RETRY: lambda _, data: self._add(RETRIES, data["dependency"]),
            Kind.FALLBACK: lambda _, data: self._add(FALLBACKS, data["from"], data["to"]),
            Kind.BREAKER: lambda _, data: self._add(TRIPS, data["dependency"], data["to"]),
            Kind.DECISION: lambda _, data: self._add(HUMAN, "approved" if data["approved"] else "rejected"),
            Kind.ISSUE: lambda _, data: self._add(ISSUES, self._known("issue", data["code"])),
            Kind.CRASH: lambda _, data: self._add(CRASHES),
            Kind.ALARM: lambda _, data: self._add(ALARMS, data["alarm"]),
        }
        # What is seldom is shown from the start: an increase is seen only of what was there before.
        self._add(CRASHES, amount=0)
        for alarm in Alarm:
            self._add(ALARMS, alarm.value, amount=0)

    def __call__(self, event: Event) -> None:
        """Count what happened."""
        take = self._take.get(event.kind)
        if take is not None:
            take(event, event.data)

    def _run(self, event: Event, data: Mapping[str, Any]) -> None:
        status = data["status"]
        self._add(RUNS, status, data["surface"])
        self._add(RUN_SECONDS, status, amount=data["duration_s"])
        self._add(RUN_STEPS, status, amount=data["steps"])
        self._add(RUN_COST, status, amount=usd(data["cost"]))
        if status == Status.ESCALATED:
            self._add(ESCALATIONS, self._known("code", data["code"]))
        for cause, seconds in data.get("waited_s", {}).items():
            self._add(WAITED, cause, amount=seconds)
        claims, unsupported = self._claims.pop(event.run, (0, 0))
        if claims and status in ANSWERED:
            self._count_claims("answer", claims, unsupported)

    def _model(self, _event: Event, data: Mapping[str, Any]) -> None:
        kind = self._known("class", data["class"])
        self._add(MODEL_CALLS, kind, outcome(data))
        self._add(MODEL_SECONDS, kind, amount=data["duration_s"])
        if "reuse" in data:
            self._add(REUSED, data["reuse"])
            self._add(SAVED, data["reuse"], amount=usd(data["saved"]))
        elif "model" in data:
            model = self._known("model", data["model"])
            self._add(TOKENS, model, "input", amount=data["input_tokens"])
            self._add(TOKENS, model, "output", amount=data["output_tokens"])
            self._add(COST, model, amount=usd(data["cost"]))

    def _tool(self, _event: Event, data: Mapping[str, Any]) -> None:
        # A model may call whatever it makes up; such a name is no label.
        tool = UNKNOWN if data["code"] == "unknown_tool" else self._known("tool", data["tool"])
        self._add(TOOL_CALLS, tool, outcome(data))
        self._add(TOOL_SECONDS, tool, amount=data["duration_s"])
        if data.get("cost"):
            self._add(COST, tool, amount=usd(data["cost"]))
        self._decided(data)

    def _charged(self, _event: Event, data: Mapping[str, Any]) -> None:
        name = str(data["dependency"])
        source = self._known("model", name) if ":" in name else self._known("tool", name.partition("#")[0])
        self._add(COST, source, amount=usd(data["cost"]))

    def _delegation(self, _event: Event, data: Mapping[str, Any]) -> None:
        member = UNKNOWN if data["code"] == "unknown_member" else self._known("member", data["member"])
        self._add(DELEGATIONS, member, outcome(data))
        self._decided(data)

    def _verdict(self, event: Event, data: Mapping[str, Any]) -> None:
        self._add(VERDICTS, self._known("decision", data["decision"]))
        claims, unsupported = data.get("claims", 0), data.get("unsupported", 0)
        self._claims[event.run] = claims, unsupported
        if claims:
            self._count_claims("draft", claims, unsupported)

    def _decided(self, data: Mapping[str, Any]) -> None:
        unsound = data.get("error") == "invalid" or data["code"] in UNSOUND
        self._add(DECISIONS, "unsound" if unsound else "sound")

    def _count_claims(self, stage: str, claims: int, unsupported: int) -> None:
        self._add(CLAIMS, stage, amount=claims)
        self._add(UNSUPPORTED, stage, amount=unsupported)

    def _known(self, label: str, name: str) -> str:
        """Return *name* as a value of *label*, of which there are never more than a fixed number."""
        names = self._names.setdefault(label, set())
        if name in names:
            return name
        if len(names) >= MOST_NAMES:
            return OTHER
        names.add(name)
        return name

    def _add(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        key = (metric.name, *labels)
        add = self._adders.get(key)
        if add is None:
            add = self._adders[key] = self._instruments[metric.name](*labels)
        add(amount)


def outcome(data: Mapping[str, Any]) -> str:
    """Return how a call ended, in one of few words, by what the event of its end tells.

    ok, degraded, invalid, refused, fault, unknown (an effect whose reply was lost), cancelled, or failed (it crashed,
    or an agent reported a failure).
    """
    code = data["code"]
    if code in FINE:
        return str(code)
    if data.get("error") == "unknownoutcome":
        return UNKNOWN
    return str(data.get("error") or ("cancelled" if code == "cancelled" else "failed"))
