"""What this API process tells Prometheus: its own requests, and the ledger as it is now."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from geogaze.ledger.database import Database
from geogaze.metrics.few import folded
from geogaze.metrics.listening import tell_version
from geogaze.metrics.table import Metric, Readings, all_metrics

log = structlog.get_logger()

_Family = GaugeMetricFamily | CounterMetricFamily
_FAMILIES: dict[str, type[_Family]] = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Figures:
    """Counts of one API process. Others have their own, but tell the same of the ledger.

    Args:
        database: the ledger's.
        most: tenants that are named.
    """

    def __init__(self, database: Database, most: int) -> None:
        self.registry = CollectorRegistry()
        tell_version(self.registry, "api")
        ProcessCollector(registry=self.registry)
        self.registry.register(_OfLedger(database, most))
        self._requests = Counter(
            "geogaze_http_requests",
            "Requests by method, route and status (499: who asked has left).",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "geogaze_http_request_seconds",
            "Seconds until the answer began, by route.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._callbacks = Counter(
            "geogaze_callbacks",
            "Tries to deliver a message to a subscriber, by whether it was taken.",
            ("outcome",),
            registry=self.registry,
        )
        self._layers = Counter(
            "geogaze_layer_requests",
            "Layers that tiles and values were asked of, by whether they were in memory.",
            ("cache",),
            registry=self.registry,
        )
        for outcome in ("taken", "failed"):
            self._callbacks.labels(outcome)
        for cache in ("hit", "miss"):
            self._layers.labels(cache)

    def answered(self, method: str, route: str | None, status: int | None, seconds: float) -> None:
        """Count a request. Routes are templates, so that there are few."""
        known, where = method if method in _METHODS else "other", route or "none"
        self._requests.labels(known, where, str(status or 499)).inc()
        self._seconds.labels(where).observe(seconds)

    def callback_sent(self, taken: bool) -> None:  # noqa: FBT001  a listener of one fact
        """Count a try to deliver a message."""
        self._callbacks.labels("taken" if taken else "failed").inc()

    def layer_asked(self, there: bool) -> None:  # noqa: FBT001  a listener of one fact
        """Count a layer that was asked for."""
        self._layers.labels("hit" if there else "miss").inc()


class _OfLedger(Collector):
    """Reads the ledger when it is asked. What cannot be read is told by one figure, and takes none
    of the process's own away: they are wanted most then.
    """

    def __init__(self, database: Database, most: int) -> None:
        self._database, self._most = database, most

    @override
    def collect(self) -> Iterator[_Family]:
        metrics = all_metrics()
        try:
            readings = [metric.read(self._database) for metric in metrics]
        except SQLAlchemyError as error:
            log.warning("ledger not read for metrics", error=str(error))
            readings = []
        yield GaugeMetricFamily(
            "geogaze_ledger_up", "Whether the ledger can be read.", value=bool(readings)
        )
        for metric, values in zip(metrics, readings, strict=False):
            yield self._family(metric, values)

    def _family(self, metric: Metric, readings: Readings) -> _Family:
        family = _FAMILIES[metric.kind](metric.name, metric.help, labels=metric.labels)
        if metric.users is not None:
            readings = folded(readings, metric.labels.index(metric.users), self._most)
        for labels, value in readings.items():
            family.add_metric(labels, value)
        return family
