"""OpenTelemetry for who has set up none: what the standard variables (`OTEL_…`) say, and OTLP over HTTP."""

import os

from coordinator.domain.events import Event
from coordinator.telemetry.extras import extra
from coordinator.telemetry.otel import Traces
from coordinator.telemetry.otel_metrics import Meters

with extra("otel", "opentelemetry"):
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

PATIENCE_S = 3.0
"""Seconds for which a collector that does not answer holds up the end of the process, where no variable says more."""


class OpenTelemetry:
    """An observer that sends traces and metrics to the providers of the process, or to its own where there are none.

    Raises:
        Invalid: `missing_extra`, on import of this module.
    """

    def __init__(self) -> None:
        self._tracers = None if isinstance(trace.get_tracer_provider(), TracerProvider) else _tracers()
        self._meters = None if isinstance(metrics.get_meter_provider(), MeterProvider) else _meters()
        self._trace, self._count = Traces(self._tracers), Meters(self._meters)
        self.headers = self._trace.headers

    def __call__(self, event: Event) -> None:
        """Take in what happened."""
        self._trace(event)
        self._count(event)

    def close(self) -> None:
        """Send what is left, as far as it was set up here; blocks."""
        for provider in (self._tracers, self._meters):
            if provider is not None:
                provider.shutdown()


def _tracers() -> TracerProvider:
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=_patience("TRACES"))))
    return provider


def _meters() -> MeterProvider:
    exporter = OTLPMetricExporter(timeout=_patience("METRICS"))
    return MeterProvider([PeriodicExportingMetricReader(exporter)], _resource(), shutdown_on_exit=False)


def _resource() -> Resource:
    found = Resource.create()
    named = not str(found.attributes[SERVICE_NAME]).startswith("unknown_service")
    return found if named else found.merge(Resource({SERVICE_NAME: "coordinator"}))


def _patience(signal: str) -> float | None:
    said = ("OTEL_EXPORTER_OTLP_TIMEOUT", f"OTEL_EXPORTER_OTLP_{signal}_TIMEOUT")
    return None if any(map(os.environ.get, said)) else PATIENCE_S
