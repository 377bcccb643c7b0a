"""Spans: every call of a run has an id that comes from its place in the run, and the id of the call around it."""

from hashlib import blake2b

from coordinator.domain.events import Event, Kind

AGENTS = frozenset({Kind.RUN_STARTED, Kind.DELEGATION_STARTED})
"""What begins an agent's work, and so encloses the calls that the agent makes."""


def trace_id(run: str) -> str:
    """Return the id of *run* as a trace, in the form that OpenTelemetry wants: 32 hexadecimal digits."""
    return blake2b(run.encode(), digest_size=16).hexdigest()


def span_id(run: str, step: str) -> str:
    """Return the id of the call *step* of *run*, the same in every process: 16 hexadecimal digits.

    Attempts (`step#2`) belong to the call; what names no step belongs to the run.
    """
    return blake2b(f"{run}/{step.partition('#')[0] or 'run'}".encode(), digest_size=8).hexdigest()


Span = tuple[str, str | None]


class Spans:
    """Knows the span of every event, and the span around it, of all runs that are under way.

    Around a call stands the delegation that started the agent who makes it, and at last the run.
    """

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, Span]] = {}
        """By run: the spans of its steps, and under `path/` those that an agent's calls have around them."""

    def __call__(self, event: Event) -> Span:
        """Return the ids of the span of *event* and of the one around it; a run has none around it."""
        if event.kind is Kind.RUN_STARTED:
            self._runs[event.run] = {}
        known = self._runs.get(event.run)
        if known is None:  # something late, whose run is over
            return span_id(event.run, event.step), None
        found = known.get(event.step)
        if found is None:
            found = known[event.step] = self._span(event, known)
        if event.kind in AGENTS:
            known[f"{event.step}/"] = found
        elif event.kind is Kind.RUN_ENDED:
            del self._runs[event.run]
        return found

    @staticmethod
    def _span(event: Event, known: dict[str, Span]) -> Span:
        span, path = span_id(event.run, event.step), event.step.partition("#")[0]
        while path:
            path = path.rpartition("/")[0]
            around = known.get(f"{path}/")
            if around is not None:
                return span, around[0]
        return span, None
