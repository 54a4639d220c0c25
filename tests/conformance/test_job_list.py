"""The classes job-list, callback and dismiss."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.conftest import INPUTS, Service
from tests.conformance.requirements import meets
from tests.conformance.test_core import check_limit, check_no_job
from tests.schemas.processes import check

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def jobs(service: Service) -> list[str]:
    """Ids of jobs that ended: two echoes, one of which took a while, and one dismissed."""
    quick = service.job()
    slow = service.job(inputs={**INPUTS, "pause": 1.2})
    gone = service.job()
    for job in (quick, slow, gone):
        service.ended(job)
    service.http.delete(gone)
    return [job.rpartition("/")[2] for job in (quick, slow, gone)]


def listed(service: Service, query: str = "") -> list[dict[str, Any]]:
    document = service.document(f"/jobs?limit=1000{query}")
    check(document, "jobList")
    found: list[dict[str, Any]] = document["jobs"]
    return found


def ids(service: Service, query: str = "") -> set[str]:
    return {job["jobID"] for job in listed(service, query)}


@meets("job-list", "job-list-op", "job-list-success")
def test_jobs_are_listed(service: Service, jobs: list[str], explained: str) -> None:
    assert {*jobs, explained.rpartition("/")[2]} <= ids(service)


@meets(
    "job-list",
    *("type-definition", "processid-definition", "status-definition"),
    *("datetime-definition", "duration-definition"),
)
def test_filters_are_defined(service: Service, requirement: str) -> None:
    operation = service.get("/openapi-3.0.json").json()["paths"]["/jobs"]["get"]
    defined = {one["name"]: one for one in operation["parameters"]}
    names = {
        "type-definition": ("type",),
        "processid-definition": ("processID",),
        "status-definition": ("status",),
        "datetime-definition": ("datetime",),
        "duration-definition": ("minDuration", "maxDuration"),
    }[requirement.rpartition("/")[2]]
    for name in names:
        assert defined[name]["in"] == "query"
        assert not defined[name].get("required")
        schema = defined[name]["schema"]
        several = name in {"type", "processID", "status"}
        assert schema["type"] == ("array" if several else schema["type"])
        if "Duration" in name:
            assert schema["type"] in {"number", "integer"}


@meets("job-list", "limit-definition")
def test_the_limit_is_defined(service: Service) -> None:
    check_limit(service, "/jobs")


@meets("job-list", "limit-response", "links")
def test_pages_are_as_long_as_the_limit_and_lead_on(service: Service, jobs: list[str]) -> None:
    seen: list[str] = []
    path = "/jobs?limit=2"
    while path:
        page = service.document(path)
        assert 0 < len(page["jobs"]) <= 2
        seen += [job["jobID"] for job in page["jobs"]]
        relations = {link["rel"]: link["href"] for link in page["links"]}
        assert "self" in relations
        path = relations.get("next", "")
    assert len(seen) == len(set(seen))
    assert set(seen) == ids(service)


@meets("job-list", "type-response")
def test_by_type(service: Service, jobs: list[str]) -> None:
    assert ids(service, "&type=process") == ids(service)
    assert service.get("/jobs?type=dance").status_code == 400


@meets("job-list", "processid-mandatory", "processid-response")
def test_by_process(service: Service, jobs: list[str], explained: str) -> None:
    assert all(job["processID"] for job in listed(service))
    echoes = listed(service, "&processID=echo")
    assert {job["processID"] for job in echoes} == {"echo"}
    assert set(jobs) <= {job["jobID"] for job in echoes}
    assert ids(service, "&processID=echo&processID=explain") == ids(service)
    assert ids(service, "&processID=paint") == set()


@meets("job-list", "status-response")
def test_by_status(service: Service, jobs: list[str]) -> None:
    *successful, dismissed = jobs
    assert dismissed in ids(service, "&status=dismissed")
    assert set(successful) <= ids(service, "&status=successful")
    assert not set(successful) & ids(service, "&status=dismissed&status=failed")
    assert service.get("/jobs?status=lost").status_code == 400


@meets("job-list", "datetime-response")
def test_by_time(service: Service, jobs: list[str]) -> None:
    created = {job["jobID"]: job["created"] for job in listed(service)}
    first, second = created[jobs[0]], created[jobs[1]]
    assert first <= second
    since = ids(service, f"&datetime={second}/..".replace("+", "%2B"))
    assert jobs[1] in since
    assert (jobs[0] in since) is (first == second)
    until = ids(service, f"&datetime=../{first}".replace("+", "%2B"))
    assert jobs[0] in until
    assert (jobs[1] in until) is (first == second)
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert ids(service, f"&datetime={later}/..") == set()


@meets("job-list", "duration-response")
def test_by_duration(service: Service, jobs: list[str]) -> None:
    quick, slow, _ = jobs
    assert slow in ids(service, "&minDuration=1")
    assert slow not in ids(service, "&maxDuration=1")
    assert quick in ids(service, "&minDuration=0")
    assert not {quick, slow} & ids(service, "&minDuration=3600")


@pytest.fixture
def told() -> Iterator[tuple[str, dict[str, Any], threading.Semaphore]]:
    """An address that may be told of a job, what it was told by path, and how often."""
    heard: dict[str, Any] = {}
    count = threading.Semaphore(0)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard[self.path] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()
            count.release()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", heard, count
        server.shutdown()
        thread.join()


@meets("callback", "job-callback")
def test_a_subscriber_is_told(
    service: Service, told: tuple[str, dict[str, Any], threading.Semaphore]
) -> None:
    address, heard, count = told
    names = {"successUri": "good", "inProgressUri": "begun", "failedUri": "bad"}
    subscriber = {name: f"{address}/{path}" for name, path in names.items()}
    job = service.job(subscriber=subscriber)
    for _ in ("begun", "good"):
        assert count.acquire(timeout=60)
    assert set(heard) == {"/begun", "/good"}
    check(heard["/begun"], "statusInfo")
    assert heard["/begun"]["jobID"] == job.rpartition("/")[2]
    check(heard["/good"], "results")
    assert service.get(heard["/good"]["echo"]["href"]).json() == INPUTS


@meets("dismiss", "job-dismiss-op", "job-dismiss-success")
def test_a_job_is_dismissed(resting: Service) -> None:
    job = resting.job()
    answer = resting.http.delete(job)
    assert answer.status_code == 200
    check(answer.json(), "statusInfo")
    assert (answer.json()["status"], answer.json()["jobID"]) == (
        *("dismissed", job.rpartition("/")[2]),
    )
    assert resting.document(job)["status"] == "dismissed"
    check_no_job(resting, f"/jobs/{NOBODY}")
    assert resting.http.delete(f"/jobs/{NOBODY}").status_code == 404
