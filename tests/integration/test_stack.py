"""The whole system: real Redis, PostgreSQL and S3, the API, the dispatcher, two workers."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import numpy as np
import psutil
import pytest
import rasterio
from rasterio.warp import transform
from sqlalchemy import select
from sqlalchemy.orm import Session

from geogaze.client import Client
from geogaze.config import Settings
from geogaze.errors import RemoteError
from geogaze.ledger.database import connect
from geogaze.ledger.states import UnitState
from geogaze.ledger.tables import Job, Unit
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run
from infra.stack import Stack
from tests.factories import ROTATED, make_scene

THREADS = 1
CHUNK_TILES = 16
LEASE_SECONDS = 6
PATIENCE = 60  # seconds
REQUEST = {"classes": ["boat", "road"], "overlap": 0.5}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    make_scene(folder / "port.tif", 700, 900, transform=ROTATED)
    make_scene(folder / "large.tif", 3000, 3000)
    return folder


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, scenes: Path, bundle_folder: Path
) -> Iterator[Stack]:
    with Stack(
        tmp_path_factory.mktemp("stack"),
        source_folders=[scenes],
        workers=2,
        environment={
            "GEOGAZE_MODEL_FOLDERS": json.dumps([str(bundle_folder.parent)]),
            "GEOGAZE_TORCH_THREADS": str(THREADS),
            "GEOGAZE_CHUNK_TILES": str(CHUNK_TILES),
            "GEOGAZE_LEASE_SECONDS": str(LEASE_SECONDS),
            "GEOGAZE_LOG_LEVEL": "debug",
            "GEOGAZE_LOG_FORMAT": "json",
        },
    ) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.api_url) as opened:
        yield opened


def _request(scenes: Path, name: str, **changes: object) -> dict[str, object]:
    """A request for a scene that is new, as far as its store can tell, so nothing is reused."""
    os.utime(scenes / name)
    return _same_request(scenes, name, **changes)


def _same_request(scenes: Path, name: str, **changes: object) -> dict[str, object]:
    return {"scene": str(scenes / name), "model": "tiny", **REQUEST, **changes}


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.tif"))
    }


def _embedded(scenes: Path, bundle_folder: Path, out: Path) -> dict[str, str]:
    settings = Settings(torch_threads=THREADS, chunk_tiles=CHUNK_TILES)
    request = ExplainRequest.parse(_request(scenes, "port.tif", model=str(bundle_folder)))
    run(request, out, settings)
    return _digests(out)


@pytest.mark.timeout(240)
def test_a_job_over_http_makes_the_same_bytes_as_an_embedded_run(
    stack: Stack, client: Client, scenes: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    accepted = client.submit(_request(scenes, "port.tif"))
    assert accepted["status"] in {"accepted", "running"}
    seen: list[int] = []
    status = client.wait(accepted["jobID"], on_status=lambda s: seen.append(s["progress"]))
    assert status["status"] == "successful", status
    assert status["progress"] == 100
    assert seen == sorted(seen)
    assert status["tilesDone"] == status["tiles"] > 100

    links = client.results(accepted["jobID"])
    href = links["heat-boat"]["href"]
    signed = httpx.get(href).headers["location"]
    assert urlsplit(signed).port == urlsplit(stack.s3.endpoint).port
    assert httpx.get(signed.replace("Signature=", "Signature=0")).status_code == 403
    first = httpx.get(href, headers={"Range": "bytes=0-3"}, follow_redirects=True)
    assert (first.status_code, first.content) == (206, b"II*\0")

    files = client.download(accepted["jobID"], tmp_path / "remote")
    assert {"heat-boat", "heat-road", "overlay-boat", "overlay-road"} < set(files)
    with rasterio.open(f"/vsicurl/{href}") as led, rasterio.open(files["heat-boat"]) as fetched:
        np.testing.assert_array_equal(led.read(), fetched.read())  # by ranges, led to S3
        x, y = fetched.xy(10, 15)
        (lon,), (lat,) = transform(fetched.crs, "EPSG:4326", [x], [y])
        assert client.value(accepted["jobID"], "heat-boat", lon, lat) == fetched.read(1)[10, 15]
    (layer,) = (one for one in client.layers(accepted["jobID"]) if one["name"] == "heat-boat")
    tile = httpx.get(layer["tiles"].format(z=0, x=0, y=0))
    assert (tile.status_code, tile.headers["content-type"]) == (200, "image/png")
    tiles = httpx.get(f"{stack.api_url}/jobs/{accepted['jobID']}/features/collections/tiles/items")
    assert tiles.json()["numberMatched"] == status["tiles"], "of a copy of what lies in S3"
    page = httpx.get(f"{stack.api_url}/jobs/{accepted['jobID']}", headers={"Accept": "text/html"})
    assert page.text.startswith("<!doctype html>")
    remote = _digests(tmp_path / "remote")
    assert len(remote) == 6  # two layers, their overlays, the scene behind them and the classes
    assert remote == _embedded(scenes, bundle_folder, tmp_path / "embedded")


@pytest.mark.timeout(240)
def test_a_job_survives_killed_workers_and_a_flushed_broker(
    stack: Stack, client: Client, scenes: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    job = client.submit(_request(scenes, "port.tif"))["jobID"]
    _wait_for_tiles(client, job)
    stack.workers[0].kill()
    stack.redis.kill()
    stack.redis.start()
    import redis

    redis.Redis.from_url(stack.redis.url).flushall()
    stack.workers[0].start()
    assert client.wait(job)["status"] == "successful"
    client.download(job, tmp_path / "remote")
    assert _digests(tmp_path / "remote") == _embedded(scenes, bundle_folder, tmp_path / "embedded")


@pytest.mark.timeout(240)
def test_a_worker_told_to_stop_ends_its_units_or_hands_them_back(
    stack: Stack, client: Client, scenes: Path
) -> None:
    leaving = stack.workers[0]
    before = len(leaving.log_path.read_text())  # of a worker that was killed
    job = client.submit(_request(scenes, "large.tif", overlap=0.9))["jobID"]
    _wait_for_tiles(client, job)
    assert leaving.pid
    process = psutil.Process(leaving.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(40)
    log = leaving.log_path.read_text()[before:]
    assert "worker left" in log
    # Nothing is left to its lease: what was in hand is done, or pending again.
    assert log.count("unit taken") == log.count("unit done") + log.count("unit handed back")
    leaving.start()
    client.dismiss(job)


@pytest.mark.timeout(240)
def test_a_dismissed_job_stops_and_leaves_no_object(
    stack: Stack, client: Client, scenes: Path
) -> None:
    job = client.submit(_request(scenes, "large.tif", overlap=0.9))["jobID"]
    _wait_for_tiles(client, job)
    with _ledger(stack) as session:
        content = session.scalar(select(Job.content).where(Job.id == UUID(job)))
        places = (f"jobs/{job}/", f"parts/{content}/")
        assert _objects(stack, places), "there is nothing to remove"
        assert client.dismiss(job)["status"] == "dismissed"
        with pytest.raises(RemoteError, match="410"):
            client.results(job)
        done = client.status(job)["tilesDone"]

        def removed() -> bool:
            session.rollback()
            return session.scalar(select(Job.released).where(Job.id == UUID(job))) is not None

        # A unit that was running drops its part at its next batch, and its lease runs out.
        _until(removed)
    _until(lambda: not _objects(stack, places))
    assert client.status(job)["tilesDone"] == done


def _objects(stack: Stack, prefixes: tuple[str, ...]) -> list[str]:
    """Keys below any of some prefixes."""
    s3 = stack.s3.connection.client()
    listed = [s3.list_objects_v2(Bucket=stack.s3.bucket, Prefix=prefix) for prefix in prefixes]
    return [found["Key"] for page in listed for found in page.get("Contents", [])]


@pytest.mark.timeout(240)
def test_a_job_that_differs_in_looks_alone_explains_nothing(client: Client, scenes: Path) -> None:
    def finished(**looks: object) -> dict[str, object]:
        job = client.submit(_same_request(scenes, "port.tif", overlap=0.25, **looks))["jobID"]
        status = client.wait(job)
        assert status["status"] == "successful", status
        return status

    first = finished()
    assert first["tilesReused"] == 0
    again = finished(normalize="none", colormap="viridis", overlays=False)
    assert again["tilesReused"] == again["tilesDone"] == first["tilesDone"]
    assert "tilesPerSecond" not in again
    # What the second refers to outlives the first.
    client.dismiss(str(first["jobID"]))
    third = finished(normalize="tile")
    assert third["tilesReused"] == third["tilesDone"]


@pytest.mark.timeout(240)
def test_a_worker_lost_with_a_unit_in_hand_is_replaced_within_its_lease(
    stack: Stack, client: Client, scenes: Path
) -> None:
    job = client.submit(_request(scenes, "large.tif", overlap=0.75))["jobID"]
    with _ledger(stack) as session:

        def of_unit(*wanted: Any) -> Unit | None:
            session.rollback()
            return session.scalar(select(Unit).where(Unit.job_id == UUID(job), *wanted))

        unit = _until(lambda: of_unit(Unit.state == UnitState.RUNNING))
        lost = next(w for w in stack.workers if str(w.pid) == unit.worker.rpartition(":")[2])
        key, attempt = unit.id, unit.attempt
        lost.kill()
        # Its message comes again after minutes only: sooner than that it is the lease.
        assert Settings().redeliver_seconds > PATIENCE
        _until(lambda: of_unit(Unit.id == key, Unit.attempt > attempt))
    lost.start()
    client.dismiss(job)


@contextmanager
def _ledger(stack: Stack) -> Iterator[Session]:
    engine = connect(stack.postgres.url)
    try:
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()


def _until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return found


def _wait_for_tiles(client: Client, job: str) -> None:
    """Until a unit is done."""
    units = client.status(job)["unitsLeft"]["explain"]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        status = client.status(job)
        if status["unitsLeft"]["explain"] < units:
            assert status["status"] == "running"
            return
        time.sleep(0.1)
    pytest.fail(f"no tile was explained in time: {status}")


@pytest.mark.timeout(240)
def test_all_parts_log_what_became_of_a_request_and_answer_prometheus(stack: Stack) -> None:
    answer = httpx.post(
        f"{stack.api_url}/processes/echo/execution",
        json={"inputs": {"string": "hello"}},
        headers={"X-Request-Id": "follow-me"},
        timeout=PATIENCE,
    )
    assert answer.is_success
    lines = {
        path.stem: [json.loads(line) for line in path.read_text().splitlines() if _ours(line)]
        for path in stack.logs.glob("*.log")
        if path.stem != "migrate"
    }
    assert set(lines) == {"api", "dispatcher", "worker-1", "worker-2"}
    told = [line for log in lines.values() for line in log if line.get("request") == "follow-me"]
    (accepted,) = [line for line in told if line["event"] == "job accepted"]
    done = {line["job"] for line in told if line["event"] == "unit done"}
    assert done == {accepted["job"]}
    handed_out = [line for line in lines["dispatcher"] if line.get("job") == accepted["job"]]
    assert {line["event"] for line in handed_out} == {"unit handed out"}
    for job, addresses in stack.scraped.items():
        for address in addresses:
            figures = _until(lambda address=address: _figures(address))  # one has just begun
            assert f'geogaze_info{{part="{job.removeprefix("geogaze-")}"' in figures


def _figures(address: str) -> str | None:
    try:
        return httpx.get(f"http://{address}/metrics").text
    except httpx.ConnectError:
        return None


def _ours(line: str) -> bool:
    return bool(line) and not line.startswith("worker: ")  # what Celery says as it stops
