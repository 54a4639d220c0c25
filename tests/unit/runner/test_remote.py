"""Jobs on remote scenes, all the way: as on local ones, and when the host stops answering."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from geogaze.ledger.queue import Queue
from geogaze.ledger.records import JobStatus
from geogaze.ledger.states import OPEN_JOB, JobState, UnitState
from geogaze.ledger.tables import Unit
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.submit import submit
from geogaze.runner.lanes import Lanes
from tests.factories import make_scene
from tests.hosts import Host
from tests.unit.runner.conftest import Explain
from tests.unit.runner.jobs import Bureau

QUICK = {"connect_seconds": 1.0, "silence_seconds": 1.0, "request_seconds": 2.0}
TRIES = 2


@pytest.fixture
def remote(host: Host) -> Path:
    return make_scene(host.folder / "port.tif", 300, 350, seed=4)


@pytest.fixture
def bureau(tmp_path: Path, wide_bundle: Path, host: Host) -> Iterator[Bureau]:
    """A server's, which may read the host, with units of 2 × 2 tiles."""
    bureau = Bureau(
        tmp_path / "bureau",
        wide_bundle,
        source_hosts=(host.name,),
        source_folders=(tmp_path,),
        model_folders=(wide_bundle.parent,),
        chunk_tiles=4,
        max_attempts=TRIES,
        **QUICK,
    )
    yield bureau
    bureau.close()


def accept(bureau: Bureau, scene: str, tenant: str = "one") -> UUID:
    """Submit as the API does."""
    request = ExplainRequest(scene=scene, model="wide", classes=("boat", "road"))
    return submit(bureau.ledger, request, make_plan(request, bureau.settings), tenant=tenant)


def test_a_remote_scene_makes_the_bytes_of_a_local_one(
    bureau: Bureau, host: Host, remote: Path
) -> None:
    away, here = accept(bureau, host.uri("port.tif")), accept(bureau, str(remote))
    for job in (away, here):
        status = bureau.work(job)
        assert status.state is JobState.SUCCESSFUL, status.message
        assert status.items_reused == 0, "they are two scenes, as far as anybody can tell"
    made, wanted = bureau.products(away), bureau.products(here)
    assert set(made) > {"heat-boat", "overlay-road", "tiles", "preview"}
    for name in ("heat-boat", "heat-road", "overlay-boat", "overlay-road", "preview"):
        assert made[name] == wanted[name], name


def test_the_command_lines_user_reads_any_host(explain: Explain, host: Host, remote: Path) -> None:
    assert explain(host.uri("port.tif"), classes=["boat"]).tiles > 1


def test_a_host_that_comes_back_costs_tries_and_nothing_else(
    bureau: Bureau, host: Host, remote: Path
) -> None:
    job = accept(bureau, host.uri("port.tif"))
    host.mood = "503"
    message, *_ = Queue(bureau.ledger.database).dispatch(2)
    bureau.worker.run(message.unit)
    status = bureau.ledger.status(job)
    assert status.state is JobState.RUNNING
    with Session(bureau.ledger.database) as session:
        rows = session.execute(select(Unit.failures, Unit.next_attempt_at, Unit.state)).all()
    assert len(rows) > 2
    assert {row.state for row in rows} == {UnitState.PENDING}, "also those that were handed out"
    looks = min(rows, key=lambda row: row.next_attempt_at)
    assert looks.failures == 1
    assert {row.failures for row in rows if row is not looks} == {0}, "the others wait for it"
    assert min(row.next_attempt_at for row in rows if row is not looks) > looks.next_attempt_at
    assert "answered 503" in (status.last_error or "")
    host.mood = "well"
    assert finish(bureau, job).state is JobState.SUCCESSFUL


def test_short_outages_now_and_then_do_not_add_up(bureau: Bureau, host: Host, remote: Path) -> None:
    """More of them than a unit has tries, each met by another unit."""
    job = accept(bureau, host.uri("port.tif"))
    queue = Queue(bureau.ledger.database)
    for _ in range(TRIES + 1):
        host.mood = "503"
        [message] = queue.dispatch(1)
        bureau.worker.run(message.unit)
        host.mood = "well"
        with Session(bureau.ledger.database) as session, session.begin():
            session.execute(update(Unit).values(next_attempt_at=0.0))
        [message] = queue.dispatch(1)
        bureau.worker.run(message.unit)
    assert bureau.ledger.status(job).state is JobState.RUNNING
    assert finish(bureau, job).state is JobState.SUCCESSFUL


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_a_host_that_stays_away_fails_the_job_and_blames_no_tile(
    bureau: Bureau, host: Host, remote: Path, on_error: str
) -> None:
    request = ExplainRequest(scene=host.uri("port.tif"), model="wide", on_error=on_error)
    job = submit(bureau.ledger, request, make_plan(request, bureau.settings))
    host.mood = "503"
    status = finish(bureau, job)
    assert status.state is JobState.FAILED
    assert "answered 503" in status.message
    assert "Tile" not in status.message
    assert "gdal_translate" not in status.message


def test_a_scene_replaced_after_submission_is_not_explained(
    bureau: Bureau, host: Host, remote: Path
) -> None:
    """Not in mixture with the old one, nor is anything kept under the old one's name."""
    job = accept(bureau, host.uri("port.tif"))
    [message] = Queue(bureau.ledger.database).dispatch(1)
    bureau.worker.run(message.unit)
    assert bureau.ledger.status(job).items_done > 0
    make_scene(remote, 300, 350, seed=5)
    status = bureau.work(job)
    assert status.state is JobState.FAILED
    assert "was replaced" in status.message
    again = bureau.work(accept(bureau, host.uri("port.tif")))
    assert again.state is JobState.SUCCESSFUL
    assert again.items_reused == 0


def test_a_local_scene_replaced_after_submission_is_not_explained(
    bureau: Bureau, tmp_path: Path
) -> None:
    scene = make_scene(tmp_path / "scene.tif", 300, 350)
    job = accept(bureau, str(scene))
    make_scene(scene, 300, 350, seed=5)
    status = bureau.work(job)
    assert (status.state, "was replaced" in status.message) == (JobState.FAILED, True)


def finish(bureau: Bureau, job: UUID) -> JobStatus:
    """Work until a job has ended, whatever has to wait for its next try."""
    lanes = Lanes(bureau.worker, 1)
    try:
        drive(bureau, lanes, lambda: bureau.ledger.status(job).state not in OPEN_JOB, 120)
    finally:
        lanes.close()
    return bureau.ledger.status(job)


def drive(bureau: Bureau, lanes: Lanes, until: Callable[[], bool], seconds: float) -> None:
    """Hand out units as the dispatcher and Celery do, until something holds."""
    queue, end = Queue(bureau.ledger.database), time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "it never came"
        ended = lanes.ended
        messages = queue.dispatch(1)
        for message in messages:
            lanes.take(message.unit)
        if not messages:
            lanes.settle(ended, 0.05)


def test_two_scenes_on_a_silent_host_hold_up_nobody_for_long(
    bureau: Bureau, host: Host, remote: Path, tmp_path: Path
) -> None:
    """Another user's job runs meanwhile, and both fail as soon as their tries are spent."""
    make_scene(host.folder / "second.tif", 300, 350, seed=6)
    stuck = [accept(bureau, host.uri(name)) for name in ("port.tif", "second.tif")]
    other = accept(bureau, str(make_scene(tmp_path / "here.tif", 300, 350)), tenant="two")
    host.mood, asked = "silent", len(host.asked)
    lanes = Lanes(bureau.worker, 2)

    def states(*jobs: UUID) -> set[JobState]:
        return {bureau.ledger.status(job).state for job in jobs}

    try:
        drive(bureau, lanes, lambda: states(other) == {JobState.SUCCESSFUL}, 120)
        drive(bureau, lanes, lambda: not states(*stuck) & set(OPEN_JOB), 120)
    finally:
        host.closing.set()
        lanes.close()
    assert states(*stuck) == {JobState.FAILED}
    assert len(host.asked) - asked <= 2 * TRIES * 2, "each job has its tries, and not each unit"
    for job in stuck:
        assert "did not answer" in bureau.ledger.status(job).message
