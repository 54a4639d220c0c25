"""The files of jobs under addresses that stay: whole, by ranges, by their heads, and elsewhere."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.storage import FolderStorage
from tests.unit.api.test_execution import check_problem
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient
from tests.unit.ledger.suite import submit

HEAT = bytes(range(256)) * 4
TAG = f'"{hashlib.sha256(HEAT).hexdigest()}"'
COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@pytest.fixture
def job(ledger: Ledger, storage: FolderStorage) -> UUID:
    """A job that was asked for heat alone and has made an Item too."""
    job = submit(ledger)
    end(ledger, job, JobState.SUCCESSFUL)
    files = {
        "heat-boat": made(storage, job, "heat-boat.tif", HEAT, COG),
        "item": made(storage, job, "item.json", b"{}", "application/geo+json"),
        "page": made(storage, job, "index.html", b"<p>", "text/html; charset=utf-8"),
    }
    assets = {"files": files, "skipped": []}
    with Session(ledger.database) as session, session.begin():
        request = {**ledger.request(job), "outputs": ["heat-boat"]}
        session.execute(update(Job).where(Job.id == job).values(assets=assets, request=request))
    return job


def made(
    storage: FolderStorage, job: UUID, file: str, data: bytes, media_type: str
) -> dict[str, Any]:
    key = f"jobs/{job}/publish/0/1/{file}"
    storage.put(key, data)
    sha256 = hashlib.sha256(data).hexdigest()
    return {"key": key, "file": file, "type": media_type, "size": len(data), "sha256": sha256}


def test_links_are_the_apis_own_and_lead_to_the_files(http: TestClient, job: UUID) -> None:
    links = http.get(f"/jobs/{job}/results").json()
    assert set(links) == {"heat-boat"}
    href = links["heat-boat"]["href"]
    assert href == f"http://testserver/jobs/{job}/assets/heat-boat.tif"
    whole = http.get(href)
    assert (whole.status_code, whole.content) == (200, HEAT)
    assert whole.headers["content-type"] == COG
    assert whole.headers["etag"] == TAG
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"] == 'inline; filename="heat-boat.tif"'
    assert http.get(f"/jobs/{job}/results/heat-boat").content == HEAT
    beside = http.get(href.replace("heat-boat.tif", "item.json"))
    assert beside.content == b"{}", "files refer to one another, wanted or not"


@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("0-15", 0, 16), ("1000-", 1000, 1024), ("-24", 1000, 1024)]
)
def test_ranges(http: TestClient, job: UUID, asked: str, start: int, stop: int) -> None:
    part = http.get(f"/jobs/{job}/assets/heat-boat.tif", headers={"Range": f"bytes={asked}"})
    assert (part.status_code, part.content) == (206, HEAT[start:stop])
    assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/1024"
    assert part.headers["etag"] == TAG


def test_what_is_known_is_not_sent_again(http: TestClient, job: UUID) -> None:
    path = f"/jobs/{job}/assets/heat-boat.tif"
    same = http.get(path, headers={"If-None-Match": TAG})
    assert (same.status_code, same.content) == (304, b"")
    other = {"Range": "bytes=0-15", "If-Range": '"another"'}
    assert http.get(path, headers=other).content == HEAT, "a range of another version"
    beyond = http.get(path, headers={"Range": "bytes=5000-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */1024")


def test_the_head_alone(http: TestClient, job: UUID) -> None:
    head = http.head(f"/jobs/{job}/assets/heat-boat.tif")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == "1024"


def test_objects_in_a_bucket_are_led_to(
    app: FastAPI, http: TestClient, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderStorage, "file", lambda self, key: None)
    monkeypatch.setattr(FolderStorage, "link", lambda self, key, s: f"https://s3/{key}?for={s}")
    path = f"/jobs/{job}/assets/heat-boat.tif"
    led = http.get(path, follow_redirects=False)
    assert led.status_code == 307
    assert led.headers["location"] == (f"https://s3/jobs/{job}/publish/0/1/heat-boat.tif?for=3600")
    assert led.headers["cache-control"] == "private, max-age=1800", "the link lives longer"
    head = http.head(path, follow_redirects=False)
    assert (head.status_code, head.headers["content-length"]) == (200, "1024")
    assert (head.headers["content-type"], head.headers["etag"]) == (COG, TAG)
    page = http.get(f"/jobs/{job}/assets/index.html", follow_redirects=False)
    assert (page.status_code, page.content) == (200, b"<p>"), "it reads what lies beside it here"


READ = [
    (None, 200, 0, 1024),
    ("bytes=0-15", 206, 0, 16),
    ("bytes=1000-", 206, 1000, 1024),
    ("bytes=-24", 206, 1000, 1024),
    ("bytes=900-5000", 206, 900, 1024),
    ("bytes=0-65535", 206, 0, 1024),
    ("bytes=5000-", 416, 0, 0),
    ("bytes=-", 200, 0, 1024),
    ("bytes=5-2", 200, 0, 1024),
    (f"bytes=0-{'9' * 5000}", 200, 0, 1024),
]


def test_a_jobs_page_reads_files_in_a_bucket_through_here(
    http: TestClient, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderStorage, "file", lambda self, key: None)
    monkeypatch.setattr(FolderStorage, "link", lambda self, key, s: f"https://s3/{key}")
    path = f"/jobs/{job}/assets/heat-boat.tif"
    page = f"https://maps.example/heat/jobs/{job}/assets/index.html"
    for asked, status, start, stop in READ:
        headers = {"Referer": page, **({"Range": asked} if asked else {})}
        part = http.get(path, headers=headers, follow_redirects=False)
        assert (part.status_code, part.content) == (status, HEAT[start:stop]), asked
        assert part.headers["etag"] == TAG
        if status == 206:
            assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/1024"
    other = {"Referer": page, "Range": "bytes=0-15", "If-Range": '"another"'}
    assert http.get(path, headers=other).content == HEAT, "a range of another version"
    for referer in (page.replace(str(job), str(uuid4())), "https://maps.example/", "//[", ""):
        led = http.get(path, headers={"Referer": referer}, follow_redirects=False)
        assert (led.status_code, led.headers["vary"]) == (307, "Referer"), referer
    monkeypatch.setattr("api.sending._CARRIED", 10)
    led = http.get(path, headers={"Referer": page}, follow_redirects=False)
    assert led.status_code == 307, "it is too much"


@pytest.mark.parametrize("file", ["heat-road.tif", "../item.json", "%2e%2e/item.json", ""])
def test_other_files_are_not_there(http: TestClient, job: UUID, file: str) -> None:
    assert http.get(f"/jobs/{job}/assets/{file}").status_code == 404
    check_problem(http.get(f"/jobs/{job}/results/heat-road"), 404)


def test_a_file_that_was_lost_is_told(http: TestClient, storage: FolderStorage, job: UUID) -> None:
    storage.remove([f"jobs/{job}/publish/0/1/heat-boat.tif"])
    answer = http.get(f"/jobs/{job}/assets/heat-boat.tif")
    check_problem(answer, 404)
    assert str(storage.root) not in answer.text


@pytest.mark.parametrize(
    ("state", "status"),
    [(JobState.RUNNING, 404), (JobState.FAILED, 500), (JobState.DISMISSED, 410)],
)
def test_jobs_without_results_have_no_files(
    http: TestClient, ledger: Ledger, state: JobState, status: int
) -> None:
    job = submit(ledger)
    end(ledger, job, state)
    check_problem(http.get(f"/jobs/{job}/assets/item.json"), status)
