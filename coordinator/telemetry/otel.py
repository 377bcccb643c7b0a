"""Runs as traces of OpenTelemetry: a span for every run, delegation, model call and tool call."""

from collections.abc import Callable, Mapping
from contextvars import Token
from typing import Any

from coordinator.domain.events import Event, Kind
from coordinator.domain.money import usd
from coordinator.domain.value import value
from coordinator.telemetry import genai
from coordinator.telemetry.extras import extra
from coordinator.telemetry.spans import Spans, trace_id

with extra("otel", "opentelemetry"):
    from opentelemetry import context, trace
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Tracer as SdkTracer
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SCOPE = "coordinator"
FINE = frozenset({"ok", "degraded"})
ENDED_BADLY = frozenset({"failed", "refused"})
"""Statuses of runs that are errors; a run that a person takes over, or that was called off, is none."""
NANOSECONDS = 1_000_000_000
LONGEST = 200

Attributes = dict[str, Any]
Opening = Callable[[Event], tuple[str, Attributes]]


@value
class Begun:
    """A span that has begun, when it did in nanoseconds, and what was current before it."""

    span: Span
    at: int
    before: Token[Context]


class Traces:
    """An observer that makes spans; it carries names and numbers, and no word of what was asked or answered.

    While a call is under way its span is the current one of its task, so that what tools and agents trace themselves
    hangs below it; parallel calls are in tasks of their own, and never see one another's. Spans have the ids that the
    lines of events tell (`spans.py`), as long as the tracer is the SDK's.

    Args:
        provider: makes the spans; by default the global one, which the service has set up.

    Raises:
        Invalid: `missing_extra`, on import of this module.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._ids = _Ids()
        self._tracer: Tracer = trace.get_tracer(SCOPE, tracer_provider=provider)
        if isinstance(self._tracer, SdkTracer):
            self._tracer.id_generator = self._ids
        self._spans = Spans()
        self._open: dict[str, Begun] = {}
        """By the id of the span."""

    def __call__(self, event: Event) -> None:
        """Begin, end or annotate the span that *event* belongs to."""
        if not event.run:
            return
        span, around = self._spans(event)
        opening = _OPENINGS.get(event.kind)
        if opening is not None:
            self._begin(event, opening, span, around)
        elif event.kind in _CLOSINGS:
            self._end(event, span)
        else:
            self._annotate(event, span)

    @staticmethod
    def headers() -> Mapping[str, str]:
        """Return the headers by which a request made now belongs to the current span: `traceparent`."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier

    def _begin(self, event: Event, opening: Opening, span_id: str, around: str | None) -> None:
        parent = self._open.get(around or "")
        here = trace.set_span_in_context(parent.span) if parent is not None else context.get_current()
        name, attributes = opening(event)
        self._ids.trace, self._ids.span = int(trace_id(event.run), 16), int(span_id, 16)
        at = int(event.at * NANOSECONDS)
        kind = SpanKind.CLIENT if event.kind is Kind.MODEL_STARTED else SpanKind.INTERNAL
        span = self._tracer.start_span(_text(name), here, kind, _clean(attributes), start_time=at)
        self._open[span_id] = Begun(span, at, context.attach(trace.set_span_in_context(span)))

    def _end(self, event: Event, span_id: str) -> None:
        begun = self._open.pop(span_id, None)
        if begun is None:
            return
        context.detach(begun.before)
        span, data = begun.span, event.data
        if span.is_recording():
            closing, code = _CLOSINGS[event.kind], str(data["code"])
            span.set_attributes(_clean(closing(data, span)))
            if code not in FINE and data.get("status", "failed") in ENDED_BADLY:
                span.set_attribute(genai.ERROR, code)
                span.set_status(StatusCode.ERROR, code)
        span.end(begun.at + int(data["duration_s"] * NANOSECONDS))

    def _annotate(self, event: Event, span_id: str) -> None:
        begun = self._open.get(span_id)
        if begun is None or not begun.span.is_recording():
            return
        data = event.data
        told = {f"coordinator.{name}": data[name] for name in _NOTED if name in data}
        if event.kind is Kind.CHARGED:  # what other events tell of money is part of it, or of an end
            told.update(_cost(data))
        begun.span.add_event(event.kind.value, _clean(told), int(event.at * NANOSECONDS))
        if ":" in (asked := str(data.get("dependency", ""))):  # the model, though it may never answer
            begun.span.set_attributes(_clean(genai.asked(asked)))


class _Ids(IdGenerator):
    """Gives each span the id that was put here just before it begins."""

    def __init__(self) -> None:
        self.trace = self.span = 0

    def generate_span_id(self) -> int:
        return self.span

    def generate_trace_id(self) -> int:
        return self.trace


_W3C = TraceContextTextMapPropagator()

# What events that lie within a span tell of themselves. Words are left out: they may come from outside.
_NOTED = (
    "state", "attempt", "wait_s", "code", "dependency", "from", "to", "decision", "reasons", "claims", "unsupported",
    "account", "settled", "ceiling", "overrun", "outcome", "cause", "uncertain",
)  # fmt: skip


def _run(event: Event) -> tuple[str, Attributes]:
    return f"{genai.INVOKE_WORKFLOW} {event.agent}", {
        genai.OPERATION: genai.INVOKE_WORKFLOW, genai.WORKFLOW: event.agent, genai.AGENT: event.agent,
        "coordinator.run": event.run, "coordinator.tenant": event.tenant, "coordinator.step": event.step,
    }  # fmt: skip


def _delegation(event: Event) -> tuple[str, Attributes]:
    member = event.data["member"]
    return f"{genai.INVOKE_AGENT} {member}", {**_of(event, genai.INVOKE_AGENT), genai.AGENT: member}


def _model(event: Event) -> tuple[str, Attributes]:
    asked = genai.asked(event.data.get("asked") or event.data["class"])
    return f"{genai.CHAT} {asked[genai.REQUEST_MODEL]}", {**_of(event, genai.CHAT), **asked}


def _tool(event: Event) -> tuple[str, Attributes]:
    tool = event.data["tool"]
    return f"{genai.EXECUTE_TOOL} {tool}", {
        **_of(event, genai.EXECUTE_TOOL), genai.TOOL: tool, genai.TOOL_TYPE: genai.FUNCTION,
        "coordinator.effect": event.data["effect"],
    }  # fmt: skip


def _of(event: Event, operation: str) -> Attributes:
    return {
        genai.OPERATION: operation, genai.AGENT: event.agent, "coordinator.run": event.run,
        "coordinator.tenant": event.tenant, "coordinator.step": event.step,
    }  # fmt: skip


def _run_ended(data: Mapping[str, Any], _span: Span) -> Attributes:
    names = ("status", "code", "surface", "steps", "turns", "issues")
    return {**{f"coordinator.{name}": data[name] for name in names if name in data}, **_cost(data)}


def _delegation_ended(data: Mapping[str, Any], _span: Span) -> Attributes:
    return {"coordinator.code": data["code"]}


# Facts of a model call that few have.
_RARE = {
    "reuse": "coordinator.reuse", "uncertain": "coordinator.uncertain", "request_id": genai.RESPONSE_ID,
    "cached": genai.CACHE_READ_TOKENS, "cache_write": genai.CACHE_WRITE_TOKENS, "reasoning": genai.REASONING_TOKENS,
}  # fmt: skip


def _model_ended(data: Mapping[str, Any], span: Span) -> Attributes:
    said = {"coordinator.code": data["code"], "coordinator.model_class": data["class"]}
    if "model" not in data:
        return said
    # Another provider may have answered than the one that was asked first.
    answered = genai.asked(data["model"])
    rare = {name: data[fact] for fact, name in _RARE.items() if fact in data}
    return {
        **said, **_cost(data), **rare,
        genai.PROVIDER: answered[genai.PROVIDER], genai.RESPONSE_MODEL: answered[genai.REQUEST_MODEL],
        genai.FINISH_REASONS: (data["stop"],), genai.INPUT_TOKENS: data["input_tokens"],
        genai.OUTPUT_TOKENS: data["output_tokens"],
    }  # fmt: skip


def _tool_ended(data: Mapping[str, Any], _span: Span) -> Attributes:
    return {"coordinator.code": data["code"], "coordinator.outcome": data["outcome"], **_cost(data)}


def _cost(data: Mapping[str, Any]) -> Attributes:
    return {"coordinator.cost_usd": usd(data["cost"])} if "cost" in data else {}


def _clean(attributes: Attributes) -> Attributes:
    """Return *attributes* as they can be sent: a half of a sign in one text would lose its whole batch."""
    return {name: _text(said) if type(said) is str else said for name, said in attributes.items()}


def _text(said: str) -> str:
    return (said if said.isascii() else said.encode("utf-8", "replace").decode())[:LONGEST]


_OPENINGS: Mapping[Kind, Opening] = {
    Kind.RUN_STARTED: _run,
    Kind.DELEGATION_STARTED: _delegation,
    Kind.MODEL_STARTED: _model,
    Kind.TOOL_STARTED: _tool,
}
_CLOSINGS: Mapping[Kind, Callable[[Mapping[str, Any], Span], Attributes]] = {
    Kind.RUN_ENDED: _run_ended,
    Kind.DELEGATION_ENDED: _delegation_ended,
    Kind.MODEL_ENDED: _model_ended,
    Kind.TOOL_ENDED: _tool_ended,
}
