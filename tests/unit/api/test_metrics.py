"""GET /metrics: what Prometheus is told."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.ledger.claims import Claims
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import WorkerSeen, now
from tests.unit.api.testing import TestClient, due, make_app
from tests.unit.ledger.suite import patience, submit

Values = dict[tuple[str, ...], float]


def figures(http: TestClient) -> dict[str, Values]:
    """Values by the labels' values, by the metric's name."""
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


def test_a_new_ledger_has_noughts(http: TestClient) -> None:
    told = figures(http)
    assert told["geogaze_jobs"] == {
        (state,): 0 for state in ("accepted", "running", "successful", "failed", "dismissed")
    }
    assert told["geogaze_units"] == {}
    assert told["geogaze_worker_slots"] == {(): 0}


def test_jobs_and_units_are_counted_by_state(http: TestClient, ledger: Ledger) -> None:
    submit(ledger, 3)
    gone = submit(ledger, 5)
    ledger.dismiss(gone)
    unit = due(ledger.database)
    assert unit
    Claims(ledger.database, lease_seconds=30, patience=patience(3)).claim(unit, "worker")
    told = figures(http)
    assert told["geogaze_jobs"][("running",)] == told["geogaze_jobs"][("dismissed",)] == 1
    assert told["geogaze_units"] == {("explain", "pending"): 2, ("explain", "running"): 1}


def test_slots_are_those_of_living_workers(http: TestClient, ledger: Ledger) -> None:
    with Session(ledger.database) as session, session.begin():
        for name, seconds in (("here", 5.0), ("gone", 3600.0)):
            values = {"name": name, "slots": 2, "seen": now() - seconds}
            session.execute(insert(WorkerSeen).values(**values))
    assert figures(http)["geogaze_worker_slots"] == {(): 2}


def test_no_tenant_is_needed(settings: Settings) -> None:
    """A gateway keeps others out: Prometheus has no tenant."""
    gated = make_app(settings.model_copy(update={"tenant_header": "X-Tenant"}))
    with TestClient(gated) as http:
        assert http.get("/jobs").status_code == 400
        assert figures(http)["geogaze_worker_slots"] == {(): 0}
