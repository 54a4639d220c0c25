"""The metrics: one line each, and what a metric is made of. Pure: readers are given a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from geogaze.doors import resolve
from geogaze.ledger.database import Database

METRICS = [
    "geogaze.metrics.jobs:JOBS",
    "geogaze.metrics.units:UNITS",
    "geogaze.metrics.units:DUE",
    "geogaze.metrics.waiting:AGE",
    "geogaze.metrics.waiting:LEFT",
    "geogaze.metrics.backlog:BACKLOG",
    "geogaze.metrics.workers:ALIVE",
    "geogaze.metrics.workers:SLOTS",
    "geogaze.metrics.callbacks:WAITING",
]
"""Where each metric is described."""

Readings = Mapping[tuple[str, ...], float]
"""Values by those of the labels, in their order; without labels, by ``()``."""


@dataclass(frozen=True)
class Metric:
    """A figure, or with labels some of a kind.

    Attributes:
        name: as Prometheus names metrics: ``geogaze_jobs``.
        help: what it is, in one line.
        kind: a gauge goes up and down, a counter only up.
        labels: what tells its values apart.
        read: gets them from the ledger's database, in few and quick queries: it is asked every few
            seconds.
        users: the label whose values users make, if one is: of these, few are named.
    """

    name: str
    help: str
    kind: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    read: Callable[[Database], Readings]
    users: str | None = None


def all_metrics() -> list[Metric]:
    """All metrics, in the table's order.

    Raises:
        LookupError: a line of the table leads nowhere.
    """
    return [resolve(reference) for reference in METRICS]
