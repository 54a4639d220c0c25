"""A metric more: one file that reads it, one line in the table of metrics."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.tables import Delivery
from geogaze.metrics.table import METRICS, Metric, Readings, all_metrics
from tests.unit.api.testing import TestClient, make_app, make_settings


def read(database: Database) -> Readings:
    """How many messages wait, by what they tell."""
    with Session(database) as session:
        waiting = select(Delivery.event, func.count()).where(Delivery.delivered.is_(None))
        counted = session.execute(waiting.group_by(Delivery.event)).all()
    return {("success",): 0} | {(event,): count for event, count in counted}


WAITING = Metric(
    "geogaze_deliveries", "Messages that subscribers wait for.", "gauge", ("event",), read
)
LINE = "geogaze.metrics.deliveries:WAITING"


def test_a_metric_of_the_table_is_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path
) -> None:
    file = ModuleType("geogaze.metrics.deliveries")
    file.WAITING = WAITING
    monkeypatch.setitem(sys.modules, "geogaze.metrics.deliveries", file)
    monkeypatch.setattr("geogaze.metrics.table.METRICS", [*METRICS, LINE])
    with TestClient(make_app(make_settings(tmp_path, bundle_folder))) as http:
        lines = http.get("/metrics").text.splitlines()
    assert "# TYPE geogaze_deliveries gauge" in lines
    assert 'geogaze_deliveries{event="success"} 0.0' in lines


def test_a_forgotten_metric_fails_when_the_application_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path
) -> None:
    monkeypatch.setattr("geogaze.metrics.table.METRICS", [*METRICS, LINE])
    with pytest.raises(LookupError, match=r"geogaze\.metrics\.deliveries"):
        make_app(make_settings(tmp_path, bundle_folder))


def test_every_line_leads_to_a_metric() -> None:
    assert all(isinstance(metric, Metric) for metric in all_metrics())
    assert len({metric.name for metric in all_metrics()}) == len(METRICS)
