"""What an event costs each observer: metrics for Prometheus, the watch over alarms, OpenTelemetry.

The events are those of the team run, in its order, of 400 runs one after another. Spans are given to a processor that
drops them: they are sent by a thread of their own. The limit for metrics: 10,000 events a second in under 10 % of one
core, which is 10 µs an event.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from coordinator import Event, run_scenario
from coordinator.domain.events import Observer
from coordinator.telemetry.alarms import Watch
from coordinator.telemetry.otel import Traces
from coordinator.telemetry.otel_metrics import Meters
from coordinator.telemetry.prometheus import Metrics

ROOT = Path(__file__).parents[1]
RUNS, ROUNDS = 400, 5


def cost(events: Sequence[Event], observer: Observer) -> float:
    """Return the CPU microseconds of one event."""
    began = time.process_time()
    for _ in range(RUNS):
        for event in events:
            observer(event)
    return (time.process_time() - began) * 1e6 / (RUNS * len(events))


def traces(*, sampled: bool) -> Traces:
    """Return an observer whose spans are made and dropped, or not even made."""
    provider = TracerProvider(shutdown_on_exit=False) if sampled else TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    return Traces(provider)


def main() -> None:
    """Print the figures."""
    events: list[Event] = []
    asyncio.run(run_scenario(ROOT / "scenarios" / "support_ticket.yaml", observers=[events.append]))
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    observers: dict[str, Observer] = {
        "metrics for Prometheus": Metrics(),
        "alarms": Watch([]),
        "traces of OpenTelemetry": traces(sampled=True),
        "traces that are not sampled": traces(sampled=False),
        "metrics of OpenTelemetry": Meters(meters),
    }
    print(f"{len(events)} events a run")
    for name, observer in observers.items():
        lowest = min(cost(events, observer) for _ in range(ROUNDS))
        print(f"{name}: {lowest:.1f} µs of CPU an event, {lowest:.1f} % of a core at 10,000 a second")


if __name__ == "__main__":
    main()
