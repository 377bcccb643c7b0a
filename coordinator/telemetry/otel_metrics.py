"""Metrics over OpenTelemetry: those that Prometheus has too, and the histograms of the GenAI conventions."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from coordinator.domain.events import Event, Kind
from coordinator.telemetry import genai, metrics
from coordinator.telemetry.extras import extra
from coordinator.telemetry.metrics import FINE, UNKNOWN, Add, Counting, Metric

with extra("otel", "opentelemetry"):
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation, get_meter

SCOPE = "coordinator"
UNITS = {"seconds": "s", "usd": "USD"}
CONVENTIONAL = frozenset({metrics.RUN_SECONDS, metrics.MODEL_SECONDS, metrics.TOOL_SECONDS})
"""What the conventions have a histogram for; it is not measured twice."""

Named = Callable[[Mapping[str, Any]], dict[str, str]]
"""Returns what a measurement is named by, given the data of the event of an end."""


class Meters:
    """An observer that counts for OpenTelemetry.

    Args:
        provider: keeps the numbers; by default the global one, which the service has set up.

    Raises:
        Invalid: `missing_extra`, on import of this module.
    """

    def __init__(self, provider: MeterProvider | None = None) -> None:
        self._meter: Meter = get_meter(SCOPE, meter_provider=provider)
        self._count = Counting(self._instrument)
        self._tokens = self._histogram(genai.CLIENT_TOKENS, "{token}", genai.TOKENS)
        self._seconds: dict[Kind, tuple[Histogram, Named]] = {
            Kind.RUN_ENDED: (self._histogram(genai.WORKFLOW_DURATION, "s", genai.LONG_SECONDS), _run),
            Kind.DELEGATION_ENDED: (self._histogram(genai.AGENT_DURATION, "s", genai.LONG_SECONDS), _delegation),
            Kind.MODEL_ENDED: (self._histogram(genai.CLIENT_DURATION, "s", genai.SECONDS), _model),
            Kind.TOOL_ENDED: (self._histogram(genai.TOOL_DURATION, "s", genai.SECONDS), _tool),
        }

    def __call__(self, event: Event) -> None:
        """Count what happened."""
        self._count(event)
        timed = self._seconds.get(event.kind)
        if timed is None:
            return
        histogram, named = timed
        data = event.data
        attributes = named(data)
        if data["code"] not in FINE:
            attributes[genai.ERROR] = data["code"]
        histogram.record(data["duration_s"], attributes)
        if event.kind is Kind.MODEL_ENDED and "model" in data and "reuse" not in data:
            self._tokens.record(data["input_tokens"], {**attributes, genai.TOKEN_TYPE: "input"})
            self._tokens.record(data["output_tokens"], {**attributes, genai.TOKEN_TYPE: "output"})

    def _histogram(self, name: str, unit: str, buckets: tuple[float, ...], tells: str = "") -> Histogram:
        return self._meter.create_histogram(name, unit, tells, explicit_bucket_boundaries_advisory=buckets)

    def _instrument(self, metric: Metric) -> Callable[..., Add]:
        name, _, unit = metric.name.rpartition("_")
        name, unit = (name, UNITS[unit]) if unit in UNITS else (metric.name, "1")
        if metric in CONVENTIONAL:
            return lambda *_labels: _pass
        if metric.buckets:
            histogram = self._histogram(f"{SCOPE}.{name}", unit, metric.buckets, metric.tells)
            return lambda *labels: partial(histogram.record, attributes=_attributes(metric, labels))
        counts = _Counts(metric)
        self._meter.create_observable_counter(f"{SCOPE}.{name}", [counts.read], unit, metric.tells)
        return counts.adding


class _Counts:
    """A counter that is asked when metrics are sent: adding to one of OpenTelemetry's own costs ten times as much."""

    __slots__ = ("_cells", "_metric")

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._cells: dict[tuple[str, ...], float] = {}

    def adding(self, *labels: str) -> Add:
        cells = self._cells
        cells[labels] = 0

        def add(amount: float) -> None:
            cells[labels] += amount

        return add

    def read(self, _options: CallbackOptions) -> Iterator[Observation]:
        for labels, counted in list(self._cells.items()):  # it is asked in a thread of its own
            yield Observation(counted, _attributes(self._metric, labels))


def _attributes(metric: Metric, labels: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(metric.labels, labels, strict=True))


def _pass(_amount: float) -> None:
    """Count nothing."""


def _run(_data: Mapping[str, Any]) -> dict[str, str]:
    return {genai.OPERATION: genai.INVOKE_WORKFLOW}


def _delegation(data: Mapping[str, Any]) -> dict[str, str]:
    member = UNKNOWN if data["code"] == "unknown_member" else data["member"]
    return {genai.OPERATION: genai.INVOKE_AGENT, genai.AGENT: member}


def _model(data: Mapping[str, Any]) -> dict[str, str]:
    return {genai.OPERATION: genai.CHAT, **(genai.asked(data["model"]) if "model" in data else {})}


def _tool(data: Mapping[str, Any]) -> dict[str, str]:
    tool = UNKNOWN if data["code"] == "unknown_tool" else data["tool"]
    return {genai.OPERATION: genai.EXECUTE_TOOL, genai.TOOL: tool}
