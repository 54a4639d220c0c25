"""Jobs over HTTP: lists, status, results, dismissal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import rasterio
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.errors import SceneUnreadable, StorageUnavailable
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.states import OPEN_JOB, JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Phase
from geogaze.runner.work import Worker
from geogaze.storage import FolderStorage
from tests.left_behind import OF_EVERY_JOB
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.testing import TestClient, due
from tests.unit.ledger.suite import patience, submit
from worker.sweeper import Sweeper

OGC = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"


def end(ledger: Ledger, job: UUID, state: JobState) -> None:
    """Bring a submitted job to a state, without any work."""
    claims = Claims(ledger.database, lease_seconds=60, patience=patience(3))
    assets = {"files": {}, "skipped": []}
    while state is not JobState.ACCEPTED and ledger.status(job).state in OPEN_JOB:
        if state is JobState.DISMISSED:
            ledger.dismiss(job)
            return
        unit = due(ledger.database)
        assert unit
        claim = claims.claim(unit, "worker")
        assert claim
        if state is JobState.RUNNING:
            return
        if state is JobState.FAILED:
            claims.give_up(claim, SceneUnreadable("'port.tif' is damaged"))
        else:
            claims.commit(claim, {"assets": assets}, items=10)


def place(ledger: Ledger, job: UUID, moment: datetime) -> None:
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Job).where(Job.id == job).values(created=moment.timestamp()))


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [job["jobID"] for job in answer.json()["jobs"]]


def link(answer: Any, rel: str) -> str | None:
    found = [entry["href"] for entry in answer.json()["links"] if entry["rel"] == rel]
    return found[0] if found else None


@pytest.fixture
def five(ledger: Ledger) -> list[str]:
    """Five jobs of 1 to 5 May 2026, noon, newest first; the middle one was dismissed."""
    jobs = []
    for day in range(1, 6):
        job = submit(ledger)
        place(ledger, job, datetime(2026, 5, day, 12, tzinfo=UTC))
        jobs.append(job)
    ledger.dismiss(jobs[2])
    return [str(job) for job in reversed(jobs)]


def test_pages_lead_there_and_back(http: TestClient, five: list[str]) -> None:
    first = http.get("/jobs", params={"limit": 2, "processID": "explain"})
    assert ids(first) == five[:2]
    assert link(first, "prev") is None
    second = http.get(link(first, "next") or "")
    assert ids(second) == five[2:4]
    third = http.get(link(second, "next") or "")
    assert ids(third) == five[4:]
    assert link(third, "next") is None
    assert ids(http.get(link(third, "prev") or "")) == five[2:4]
    assert ids(http.get(link(second, "prev") or "")) == five[:2]
    assert ids(http.get(link(second, "self") or "")) == five[2:4]


def test_a_full_last_page_has_no_next(http: TestClient, five: list[str]) -> None:
    answer = http.get("/jobs", params={"limit": 5})
    assert ids(answer) == five
    assert link(answer, "next") is None


def test_filters(http: TestClient, five: list[str]) -> None:
    def found(**parameters: Any) -> list[int]:
        return [five.index(job) for job in ids(http.get("/jobs", params=parameters))]

    assert found(status="dismissed") == [2]
    assert found(status="accepted") == [0, 1, 3, 4]
    assert found(status=["accepted", "dismissed"]) == [0, 1, 2, 3, 4]
    assert found(processID="explain", type="process") == [0, 1, 2, 3, 4]
    assert found(processID="paint") == []
    assert found(datetime="2026-05-03T00:00:00Z/..") == [0, 1, 2]
    assert found(datetime="../2026-05-03T00:00:00Z") == [3, 4]
    assert found(datetime="/2026-05-03T00:00:00+00:00") == [3, 4]
    assert found(datetime="2026-05-02T12:00:00Z/2026-05-03T14:00:00+02:00") == [2, 3]
    assert found(datetime="2026-05-02T12:00:00Z") == [3]
    assert found(datetime="2026-05-04T00:00:00Z/..", status="dismissed") == []


def test_filters_live_on_in_the_links(http: TestClient, five: list[str]) -> None:
    parameters = {"limit": 1, "status": ["accepted", "running"], "datetime": "../2026-05-04T20:00Z"}
    answer = http.get("/jobs", params=parameters)
    seen = ids(answer)
    while following := link(answer, "next"):
        answer = http.get(following)
        seen += ids(answer)
    assert seen == [five[1], five[3], five[4]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=many",
        "offset=-1",
        "offset=100000000000000000000",
        "status=sleeping",
        "type=workflow",
        "datetime=yesterday",
        "datetime=2026-05-01/tomorrow",
        "datetime=2026-13-01",
    ],
)
def test_bad_queries_are_problems(http: TestClient, query: str) -> None:
    check_problem(http.get(f"/jobs?{query}"), 400)


@pytest.mark.parametrize(
    "job", ["8853cb49-145e-4aaa-8aaa-145e8853cb49", "none", "1", "4f0c..", "%00"]
)
@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("GET", "/results"), ("GET", "/skipped"), ("POST", "/retry"), ("DELETE", "")],
)
def test_unknown_jobs(http: TestClient, job: str, method: str, suffix: str) -> None:
    answer = http.request(method, f"/jobs/{job}{suffix}")
    check_problem(answer, 404)
    assert answer.json()["type"] == f"{OGC}/no-such-job"


@pytest.mark.parametrize("state", list(JobState))
def test_status_tells_the_state(http: TestClient, ledger: Ledger, state: JobState) -> None:
    job = submit(ledger)
    end(ledger, job, state)
    info = http.get(f"/jobs/{job}").json()
    assert info["status"] == state.value
    assert info["jobID"] == str(job)
    assert ("finished" in info) == (state not in OPEN_JOB)
    results = [entry["href"] for entry in info["links"] if entry["rel"].endswith("/results")]
    assert results == (
        [f"http://testserver/jobs/{job}/results"] if state is JobState.SUCCESSFUL else []
    )
    assert (info["progress"] == 100) == (state is JobState.SUCCESSFUL)
    for name in ("created", "started", "updated", "finished"):
        if name in info:
            assert datetime.fromisoformat(info[name]).tzinfo is not None
    if state is JobState.FAILED:
        assert "damaged" in info["message"]


@pytest.mark.parametrize(
    ("state", "status", "uri"),
    [
        (JobState.ACCEPTED, 404, f"{OGC}/result-not-ready"),
        (JobState.RUNNING, 404, f"{OGC}/result-not-ready"),
        (JobState.FAILED, 500, "urn:geogaze:problem:job-failed"),
        (JobState.DISMISSED, 410, "urn:geogaze:problem:results-gone"),
    ],
)
def test_results_that_are_not_there(
    http: TestClient, ledger: Ledger, state: JobState, status: int, uri: str
) -> None:
    job = submit(ledger)
    end(ledger, job, state)
    answer = http.get(f"/jobs/{job}/results")
    check_problem(answer, status)
    assert answer.json()["type"] == uri
    if state is JobState.FAILED:
        assert "'port.tif' is damaged" in answer.json()["detail"]


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.SUCCESSFUL, JobState.FAILED])
def test_a_dismissed_job_is_gone_at_once_and_may_be_dismissed_again(
    http: TestClient, ledger: Ledger, state: JobState
) -> None:
    job = submit(ledger)
    end(ledger, job, state)
    answer = http.delete(f"/jobs/{job}")
    assert answer.status_code == 200
    assert answer.json()["status"] == "dismissed"
    check_problem(http.get(f"/jobs/{job}/results"), 410)
    again = http.delete(f"/jobs/{job}")
    assert (again.status_code, again.json()) == (200, answer.json())


def test_status_tells_how_much_is_done_and_left(http: TestClient, ledger: Ledger) -> None:
    job = submit(ledger, 3, calibrate=1)
    info = http.get(f"/jobs/{job}").json()
    assert info["unitsLeft"] == {"explain": 3, "calibrate": 1, "render": 0, "publish": 1}
    assert info["phase"] == "explain"
    assert (info["tilesDone"], info["tilesReused"]) == (0, 0)
    assert not {"secondsLeft", "tilesPerSecond", "lastError"} & set(info)
    claims = Claims(ledger.database, lease_seconds=60, patience=patience(3))
    for step in range(2):
        unit = due(ledger.database)
        assert unit
        claim = claims.claim(unit, "worker")
        assert claim
        if step:
            claims.give_up(claim, StorageUnavailable("S3 did not answer"))
        else:
            claims.commit(claim, {}, items=10)
    info = http.get(f"/jobs/{job}").json()
    assert (info["status"], info["tilesDone"]) == ("running", 10)
    assert info["unitsLeft"]["explain"] == 2
    assert not {"secondsLeft", "tilesPerSecond"} & set(info)  # as long as no batch was told
    assert info["lastError"] == "S3 did not answer"
    unit = due(ledger.database)
    assert unit
    claim = claims.claim(unit, "worker")
    assert claim
    claims.tell(claim, 2)
    with Session(ledger.database) as session, session.begin():  # as if it had been a while ago
        (count,) = session.scalars(select(Phase).where(Phase.pace.is_not(None)))
        count.pace = [[at - 200.0, tiles] for at, tiles in count.pace or ()]
    claims.tell(claim, 6)
    info = http.get(f"/jobs/{job}").json()
    assert (info["tilesDone"], info["message"]) == (16, "explaining: 16 of 30 tiles")
    assert info["tilesPerSecond"] == 0.02
    assert info["secondsLeft"] == pytest.approx(14 * 50, rel=0.05)


@pytest.mark.parametrize("state", [s for s in JobState if s is not JobState.FAILED])
def test_only_a_failed_job_can_be_retried(
    http: TestClient, ledger: Ledger, state: JobState
) -> None:
    job = submit(ledger)
    end(ledger, job, state)
    answer = http.post(f"/jobs/{job}/retry")
    check_problem(answer, 409)
    assert state.value in answer.json()["detail"]
    assert ledger.status(job).state is state


def test_a_failed_job_goes_on_where_it_was(http: TestClient, ledger: Ledger) -> None:
    job = submit(ledger, 2)
    claims = Claims(ledger.database, lease_seconds=60, patience=patience(3))
    unit = due(ledger.database)
    assert unit
    claim = claims.claim(unit, "worker")
    assert claim
    claims.commit(claim, {}, items=10)
    end(ledger, job, JobState.FAILED)
    info = http.post(f"/jobs/{job}/retry").json()
    assert (info["status"], info["tilesDone"]) == ("running", 10)
    assert "finished" not in info
    assert info["unitsLeft"]["explain"] == 1
    check_problem(http.get(f"/jobs/{job}/results"), 404)
    end(ledger, job, JobState.SUCCESSFUL)
    assert http.get(f"/jobs/{job}").json()["status"] == "successful"


def test_skipped_tiles_are_told(http: TestClient, ledger: Ledger) -> None:
    job = submit(ledger)
    check_problem(http.get(f"/jobs/{job}/skipped"), 404)
    end(ledger, job, JobState.SUCCESSFUL)
    assert http.get(f"/jobs/{job}/skipped").json() == {"skipped": []}
    found = [{"reason": "Block (row 1, column 0) is damaged", "tiles": 1, "positions": [[2, 0]]}]
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Job).values(assets={"files": {}, "skipped": found}))
    assert http.get(f"/jobs/{job}/skipped").json() == {"skipped": found}


def test_a_job_from_submission_to_removal(
    http: TestClient, settings: Settings, storage: FolderStorage, scene: Path
) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat"], "overlap": 0}
    location = http.post(EXECUTION, json={"inputs": inputs}).headers["location"]
    worker = Worker.from_settings(settings)
    ledger = worker.resources.ledger
    progress = [http.get(location).json()["progress"]]
    while unit := due(ledger.database):
        assert worker.run(unit)
        progress.append(http.get(location).json()["progress"])
    info = http.get(location).json()
    assert info["status"] == "successful", info
    assert progress == sorted(progress)
    assert info["tilesDone"] == info["tiles"]
    assert info["tilesPerSecond"] > 0
    assert info["bill"]["workerSeconds"] > 0
    item = http.get(f"/collections/explain/items/{info['jobID']}").json()["properties"]
    assert item["geogaze:worker_seconds"] == info["bill"]["workerSeconds"]
    file = http.get(f"{location}/assets/item.json").json()["properties"]
    assert "geogaze:worker_seconds" not in file, "a job's files are the same whatever it took"

    results = http.get(f"{location}/results").json()
    assert set(results) == {"heat-boat", "style-boat", "overlay-boat", "backdrop", *OF_EVERY_JOB}
    for name, product in results.items():
        assert product["href"] == f"{location}/assets/{product['title']}"
        file = http.get(product["href"])
        assert file.status_code == 200, name
        assert file.headers["content-type"].startswith(product["type"]), name  # text has a charset
    with (
        rasterio.MemoryFile(http.get(results["heat-boat"]["href"]).content) as heat_file,
        heat_file.open() as heat,
    ):
        assert heat.crs.to_epsg() == 32631

    assert http.delete(location).json()["status"] == "dismissed"
    check_problem(http.get(f"{location}/results"), 410)
    Sweeper(settings, Collection(ledger.database), storage).release()
    assert list(storage.keys("")) == []
    ledger.database.dispose()
