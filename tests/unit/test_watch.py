"""The alert rules and the dashboard that are shipped: of metrics that there are, all of them told.

Whether Prometheus understands the rules, and when they fire, ``make alerts`` tries (CI does so).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.figures import Figures
from geogaze.config import Settings
from geogaze.ledger.database import connect
from geogaze.ledger.store import Ledger
from infra.watching import WATCH, shortened
from worker.figures import UnitFigures
from worker.rounds import RoundFigures

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"\bgeogaze_\w+")
_PARTS = re.compile(r"_(total|bucket|sum|count)$")
RULES = (WATCH / "alerts.yml").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
ALERTS = re.findall(r"alert: (\w+)", RULES)


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """All metrics that the code has, by their names without what samples add."""
    database = connect(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    Ledger(database).create_tables()
    registries = [
        Figures(database, 9).registry,
        UnitFigures(Settings(device="cpu")).registry,
        RoundFigures().registry,
    ]
    found = {family.name for registry in registries for family in registry.collect()}
    database.dispose()
    return {name for name in found if name.startswith("geogaze_")}


def named(text: str) -> set[str]:
    return {_PARTS.sub("", name) for name in _NAME.findall(text)}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((WATCH / "dashboard.json").read_text(encoding="utf-8"))
    return found


def test_rules_and_their_tests_name_metrics_that_there_are(metrics: set[str]) -> None:
    used = named(RULES)
    assert len(used) > 10
    assert used <= metrics, used - metrics
    tried = named((WATCH / "alerts.test.yml").read_text(encoding="utf-8"))
    assert used <= tried <= metrics


def test_the_dashboard_shows_metrics_that_there_are(metrics: set[str]) -> None:
    panels = dashboard()["panels"]
    used = named(" ".join(target["expr"] for panel in panels for target in panel["targets"]))
    assert len(used) > 15
    assert used <= metrics, used - metrics
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [cell for panel in panels for cell in _cells(panel["gridPos"])]
    assert len(taken) == len(set(taken)), "panels lie upon each other"
    assert max(column for column, _ in taken) < 24


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for column in range(place["x"], place["x"] + place["w"]):
        for row in range(place["y"], place["y"] + place["h"]):
            yield column, row


def test_the_docs_tell_of_each_metric_and_each_alert(metrics: set[str]) -> None:
    told = named(OPERATIONS)
    assert metrics <= told, metrics - told
    assert told <= metrics, told - metrics
    assert len(ALERTS) > 10
    assert [alert for alert in ALERTS if f"`{alert}`" not in OPERATIONS] == []


def test_each_alert_is_tried_where_it_fires() -> None:
    tests = (WATCH / "alerts.test.yml").read_text(encoding="utf-8")
    fires = re.findall(r"alertname: (\w+)\n\s+exp_alerts", tests)
    assert set(fires) == set(ALERTS)


def test_shorter_rules_differ_in_times_alone() -> None:
    short = shortened(RULES, 15)
    assert shortened(RULES, 1) == RULES
    assert "for: 4s" in short
    assert "increase(geogaze_leases_expired_total[40s])) > clamp_min" in short
    assert '(geogaze_queue_age_seconds{state="accepted"}) > 40' in short
    assert "> 0.25 * sum" in short
    assert not re.search(r"\[\d+m\]|for: \d+m", short)
