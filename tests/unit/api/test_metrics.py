"""GET /metrics: what Prometheus is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import exc, insert, update
from sqlalchemy.orm import Session

from api.figures import Figures
from geogaze.config import Settings
from geogaze.ledger.claims import Claims
from geogaze.ledger.spending import Effort
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Delivery, Job, Unit, WorkerSeen, now
from geogaze.ledger.workers import Report, Workers
from geogaze.metrics.callbacks import WAITING
from tests.unit.api.testing import TestClient, due, make_app
from tests.unit.ledger.suite import patience, submission, submit

Values = dict[tuple[str, ...], float]


def figures(http: TestClient) -> dict[str, Values]:
    """Values by the labels' values, by the sample's name."""
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    told: dict[str, Values] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            told.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return told


def meddle(ledger: Ledger, statement: Any) -> None:
    with Session(ledger.database) as session, session.begin():
        session.execute(statement)


def claim(ledger: Ledger, *, commit: bool = False) -> UUID:
    unit = due(ledger.database)
    assert unit
    claims = Claims(ledger.database, lease_seconds=30, patience=patience(3))
    claimed = claims.claim(unit, "worker")
    assert claimed
    if commit:
        claims.commit(claimed, {}, items=10)
    return claimed.job_id


def test_a_new_ledger_has_noughts(http: TestClient) -> None:
    told = figures(http)
    assert told["geogaze_jobs"] == {
        (state,): 0 for state in ("accepted", "running", "successful", "failed", "dismissed")
    }
    assert "geogaze_units" not in told
    assert told["geogaze_workers"] == {("none",): 0}
    assert told["geogaze_queue_age_seconds"] == {("accepted",): 0, ("running",): 0}
    for name in ("units_due", "worker_slots", "tiles_left", "backlog_seconds", "callbacks_waiting"):
        assert told[f"geogaze_{name}"] == {(): 0}, name
    assert told["geogaze_ledger_up"] == {(): 1}
    assert told["process_resident_memory_bytes"][()] > 1e6


def test_the_backlog_is_what_is_left_at_the_pace_of_its_model(
    http: TestClient, ledger: Ledger
) -> None:
    def backlog() -> float:
        return figures(http)["geogaze_backlog_seconds"][()]

    def took(model: str, seconds: float) -> None:
        """A job of ten tiles, done."""
        job = ledger.submit(submission(request={"model": model}))
        claims = Claims(ledger.database, lease_seconds=30, patience=patience(3))
        while unit := due(ledger.database):
            claimed = claims.claim(unit, "worker")
            assert claimed
            items = 10 if claimed.phase == "explain" else 0
            effort = Effort("cpu", seconds / 2, 2)
            claims.commit(claimed, {"assets": {"files": {}}}, items=items, effort=effort)
        assert ledger.status(job).state is JobState.SUCCESSFUL

    assert backlog() == 0
    waiting = ledger.submit(submission(3, request={"model": "light"}))
    assert backlog() == pytest.approx(3.0), "nobody has told: a tenth of a second, or one a unit"
    ledger.dismiss(waiting)
    took("light", 2.0)
    took("heavy", 40.0)
    assert backlog() == 0, "what is done waits for nobody"
    ledger.submit(submission(3, request={"model": "light"}))
    assert backlog() == pytest.approx(30 * 0.2), "publishing included"
    ledger.submit(submission(2, request={"model": "heavy"}))
    assert backlog() == pytest.approx(30 * 0.2 + 20 * 4.0)
    ledger.submit(submission(1, request={"model": "new"}))
    assert backlog() == pytest.approx(30 * 0.2 + 20 * 4.0 + 10 * 42 / 20), "the mean of all"


def test_jobs_and_units_are_counted(http: TestClient, ledger: Ledger) -> None:
    submit(ledger, 3)
    gone = submit(ledger, 5)
    ledger.dismiss(gone)
    claim(ledger)
    told = figures(http)
    assert told["geogaze_jobs"][("running",)] == told["geogaze_jobs"][("dismissed",)] == 1
    assert told["geogaze_units"] == {
        ("explain", "pending", "default"): 2,
        ("explain", "running", "default"): 1,
    }
    assert told["geogaze_units_due"] == {(): 2}
    assert told["geogaze_tiles_left"] == {(): 30}
    claim(ledger, commit=True)
    assert figures(http)["geogaze_tiles_left"] == {(): 20}
    meddle(ledger, update(Unit).values(next_attempt_at=now() + 60))
    assert figures(http)["geogaze_units_due"] == {(): 0}, "they wait for another try"


def test_the_longest_wait_is_told_by_state(http: TestClient, ledger: Ledger) -> None:
    old, new = submit(ledger), submit(ledger)
    meddle(ledger, update(Job).where(Job.id == old).values(updated=now() - 500))
    ages = figures(http)["geogaze_queue_age_seconds"]
    assert 500 <= ages[("accepted",)] < 560
    assert ages[("running",)] == 0
    assert claim(ledger) == old
    ages = figures(http)["geogaze_queue_age_seconds"]
    assert ages[("accepted",)] < 60, "the other's"
    assert ages[("running",)] < 60, "it has just begun"
    meddle(ledger, update(Job).where(Job.id == old).values(updated=now() - 500))
    ledger.dismiss(new)
    ages = figures(http)["geogaze_queue_age_seconds"]
    assert ages[("accepted",)] == 0
    assert 500 <= ages[("running",)] < 560


def test_workers_are_those_that_live(http: TestClient, ledger: Ledger) -> None:
    workers = Workers(ledger.database)
    workers.report(Report("a", 2, "cuda:0 NVIDIA H200"))
    workers.report(Report("b", 2))
    gone = {"name": "gone", "slots": 2, "seen": now() - 3600.0}
    meddle(ledger, insert(WorkerSeen).values(**gone))
    told = figures(http)
    assert told["geogaze_worker_slots"] == {(): 4}
    assert told["geogaze_workers"] == {("cuda:0 NVIDIA H200",): 1, ("unknown",): 1}


def test_tenants_beyond_a_few_are_told_together(settings: Settings, ledger: Ledger) -> None:
    for number, tenant in enumerate(["small", "middle", "large", "least"]):
        ledger.submit(submission([2, 3, 5, 1][number], tenant=tenant))
    with TestClient(make_app(settings.model_copy(update={"metrics_tenants": 2}))) as http:
        assert figures(http)["geogaze_units"] == {
            ("explain", "pending", "large"): 5,
            ("explain", "pending", "middle"): 3,
            ("explain", "pending", "(others)"): 3,
        }
    with TestClient(make_app(settings.model_copy(update={"metrics_tenants": 0}))) as http:
        assert figures(http)["geogaze_units"] == {("explain", "pending", "(others)"): 11}


def test_messages_that_wait_are_counted(ledger: Ledger) -> None:
    assert WAITING.read(ledger.database) == {(): 0}
    job = submit(ledger)
    for number, (next_attempt, delivered) in enumerate([(60, None), (-10, None), (-9999, None)]):
        row = {"id": UUID(int=number), "job_id": job, "event": "success", "uri": "https://a/"}
        times = {"next_attempt_at": now() + next_attempt, "delivered": delivered}
        meddle(ledger, insert(Delivery).values(**row, **times))
    taken = {"id": UUID(int=9), "job_id": job, "event": "success", "uri": "https://a/"}
    meddle(ledger, insert(Delivery).values(**taken, next_attempt_at=now(), delivered=now()))
    assert WAITING.read(ledger.database) == {(): 2}, "one was given up, one was taken"


def test_requests_are_counted_by_templates(http: TestClient) -> None:
    for job in ("one", "two"):
        http.get(f"/jobs/{job}")
    http.get("/no/such/place")
    http.request("BREW", "/pot")
    told = figures(http)
    counted = told["geogaze_http_requests_total"]
    assert counted[("GET", "/jobs/{job}", "404")] == 2
    assert counted[("GET", "none", "404")] == counted[("other", "none", "404")] == 1
    seconds = told["geogaze_http_request_seconds_count"]
    assert (seconds[("/jobs/{job}",)], seconds[("none",)]) == (2, 2)
    assert figures(http)["geogaze_http_requests_total"][("GET", "/metrics", "200")] == 1


def test_a_ledger_that_is_away_takes_no_figure_of_the_process_with_it(
    http: TestClient, monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    def away() -> None:
        raise exc.OperationalError("SELECT 1", {}, ConnectionError("refused"))

    http.get("/livez")
    monkeypatch.setattr(ledger.database, "raw_connection", away)
    told = figures(http)
    assert told["geogaze_ledger_up"] == {(): 0}
    assert "geogaze_jobs" not in told
    assert told["geogaze_http_requests_total"][("GET", "/livez", "200")] == 1


def test_callbacks_and_layers_are_counted(ledger: Ledger) -> None:
    counted = Figures(ledger.database, 9)
    for taken in (True, True, False):
        counted.callback_sent(taken)
    for there in (True, False, False):
        counted.layer_asked(there)
    value = counted.registry.get_sample_value
    assert value("geogaze_callbacks_total", {"outcome": "taken"}) == 2
    assert value("geogaze_callbacks_total", {"outcome": "failed"}) == 1
    assert value("geogaze_layer_requests_total", {"cache": "hit"}) == 1
    assert value("geogaze_layer_requests_total", {"cache": "miss"}) == 2


def test_no_tenant_is_needed(settings: Settings) -> None:
    """A gateway keeps others out: Prometheus has no tenant."""
    gated = make_app(settings.model_copy(update={"tenant_header": "X-Tenant"}))
    with TestClient(gated) as http:
        assert http.get("/jobs").status_code == 400
        assert figures(http)["geogaze_worker_slots"] == {(): 0}
