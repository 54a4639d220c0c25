"""Figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from typing_extensions import override

from api.access import Need, needs
from api.dependencies import WithAll
from api.problems import documented
from geogaze.ledger.database import Database
from geogaze.metrics.table import Metric, all_metrics

router = APIRouter()

_Family = GaugeMetricFamily | CounterMetricFamily
_FAMILIES: dict[str, type[_Family]] = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


class _OfLedger(Collector):
    """Reads all metrics when it is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    def collect(self) -> Iterator[_Family]:
        for metric in all_metrics():
            yield _family(metric, self._database)


def _family(metric: Metric, database: Database) -> _Family:
    family = _FAMILIES[metric.kind](metric.name, metric.help, labels=metric.labels)
    for labels, value in metric.read(database).items():
        family.add_metric(labels, value)
    return family


@router.get(
    "/metrics",
    tags=["service"],
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **documented(),
    },
)
@needs(Need.ADMIN)
def metrics(services: WithAll) -> Response:
    """Jobs, units and workers of all tenants in figures, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(_OfLedger(services.ledger.database))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
