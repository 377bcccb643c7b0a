"""Metrics for Prometheus: the extra `prometheus`, in a registry of their own."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from coordinator.domain.events import Event
from coordinator.telemetry.extras import extra
from coordinator.telemetry.levels import TELLS, levels
from coordinator.telemetry.metrics import Add, Counting, Metric

with extra("prometheus", "prometheus_client"):
    from prometheus_client import CollectorRegistry, Counter, Histogram, make_asgi_app
    from prometheus_client import Metric as PrometheusMetric
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
    from prometheus_client.exposition import generate_latest

__all__ = ["CONTENT_TYPE", "Metrics"]

PREFIX = "coordinator_"

Snapshot = Callable[[], Any]
"""A Coordinator's own `snapshot`."""


class Metrics:
    """An observer that counts for Prometheus, and shows the counts, and what a Coordinator holds, when it is asked.

    Give it to the Coordinator as an observer, and to it the Coordinator's `snapshot`:

        metrics = Metrics()
        async with Coordinator(team, settings, observers=[metrics]) as coordinator:
            metrics.watch(coordinator.snapshot)

    Raises:
        Invalid: `missing_extra`, on import of this module.
    """

    def __init__(self) -> None:
        self.registry = _Registry()
        self._count = Counting(self._instrument)
        self._levels = _Levels()
        self.registry.register(self._levels)

    def __call__(self, event: Event) -> None:
        """Count what happened."""
        self._count(event)

    def watch(self, snapshot: Snapshot) -> None:
        """Show what *snapshot* tells, whenever the metrics are read; they are then read in the Coordinator's loop."""
        self._levels.snapshot = snapshot

    def exposition(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    def app(self) -> Callable[..., Awaitable[None]]:
        """Return an ASGI application that answers every request with the metrics; a service mounts it at `/metrics`."""
        asgi: Callable[..., Awaitable[None]] = make_asgi_app(self.registry)
        return asgi

    def _instrument(self, metric: Metric) -> Callable[..., Add]:
        name = PREFIX + metric.name
        if metric.buckets:
            histogram = Histogram(name, metric.tells, metric.labels, registry=self.registry, buckets=metric.buckets)
            return lambda *labels: histogram.labels(*labels).observe
        counter = Counter(name, metric.tells, metric.labels, registry=self.registry)
        return lambda *labels: (counter.labels(*labels) if labels else counter).inc


class _Registry(CollectorRegistry):
    """A registry that does not tell when each series began, which doubles what is sent and nobody asks for."""

    def collect(self) -> Iterator[PrometheusMetric]:
        for family in super().collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class _Levels:
    """Collects what a Coordinator holds, at the moment of the scrape."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if self.snapshot is None:
            return
        families: dict[str, GaugeMetricFamily] = {}
        for level in levels(self.snapshot()):
            family = families.get(level.name)
            if family is None:
                tells = TELLS[level.name]
                family = families[level.name] = GaugeMetricFamily(PREFIX + level.name, tells, labels=[*level.labels])
            family.add_metric([*level.labels.values()], float(level.value))
        yield from families.values()
