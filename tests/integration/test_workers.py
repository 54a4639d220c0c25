"""Real worker processes on a real Redis: who starts, who dies, and what they take."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest
import redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.ledger.database import connect
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Unit, WorkerSeen
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.submit import submit
from infra.programs import Dispatcher, Worker
from tests.factories import make_scene
from worker.app import QUEUE

START_SECONDS = 6  # Celery's own patience is 4
SITE = Path(__file__).parent / "site"


class Fleet:
    """One folder with a ledger, objects, a queue, and what tests have happen in its workers."""

    def __init__(self, folder: Path, bundle: Path, redis_url: str, number: int) -> None:
        self.folder = folder
        self.stage = folder / "stage"
        self.scenes = folder / "scenes"
        for made in (self.stage, self.scenes):
            made.mkdir()
        self.broker_url = f"{redis_url.rpartition('/')[0]}/{number}"
        self.redis = redis.Redis.from_url(self.broker_url)
        self.settings = Settings(
            database_url=f"sqlite:///{folder / 'ledger.db'}",
            broker_url=self.broker_url,
            storage=str(folder / "objects"),
            source_folders=(self.scenes,),
            model_folders=(bundle.parent,),
            chunk_tiles=4,
        )
        self.engine = connect(self.settings.database_url)
        self.ledger = Ledger(self.engine)
        self.ledger.create_tables()
        self.environment = {
            "GEOGAZE_DATABASE_URL": self.settings.database_url,
            "GEOGAZE_BROKER_URL": self.broker_url,
            "GEOGAZE_STORAGE": self.settings.storage,
            "GEOGAZE_SOURCE_FOLDERS": json.dumps([str(self.scenes)]),
            "GEOGAZE_MODEL_FOLDERS": json.dumps([str(bundle.parent)]),
            "GEOGAZE_TORCH_THREADS": "1",
            "GEOGAZE_CHUNK_TILES": "4",
            "GEOGAZE_LOG_LEVEL": "debug",
        }
        self.dispatcher = Dispatcher(folder, self.environment)

    def worker(self, title: str, *, staged: bool = False) -> Worker:
        """A worker that can be started; a staged one does what the stage says."""
        path = os.pathsep.join([str(SITE), os.environ.get("PYTHONPATH", str(Path.cwd()))])
        staging = {"GEOGAZE_STAGE": str(self.stage), "PYTHONPATH": path} if staged else {}
        return Worker(self.folder, {**self.environment, **staging}, title=title)

    def submit(self, name: str, side: int = 160) -> UUID:
        scene = self.scenes / f"{name}.tif"
        make_scene(scene, side, side)
        request = ExplainRequest.parse(
            {"scene": str(scene), "model": "tiny", "classes": ["boat"], "overlap": 0.5}
        )
        return submit(self.ledger, request, make_plan(request, self.settings, local=False))

    def units(self, job: UUID) -> list[Unit]:
        with Session(self.engine) as session:
            found = list(session.scalars(select(Unit).where(Unit.job_id == job)))
            session.expunge_all()
            return found

    def seen(self) -> list[str]:
        with Session(self.engine) as session:
            return list(session.scalars(select(WorkerSeen.name)))

    def ends(self, job: UUID, seconds: float = 90) -> None:
        until(lambda: self.ledger.status(job).state is not JobState.RUNNING and self.over(job))
        assert self.ledger.status(job).state is JobState.SUCCESSFUL, self.ledger.status(job)

    def over(self, job: UUID) -> bool:
        return self.ledger.status(job).state in {JobState.SUCCESSFUL, JobState.FAILED}


def until(what: Callable[[], Any], seconds: float = 200) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return found


def child(worker: Worker) -> psutil.Process | None:
    """The pool's process, once there is one."""
    assert worker.pid
    family = psutil.Process(worker.pid).children(recursive=True)
    return next((p for p in family if "spawn_main" in " ".join(p.cmdline())), None)


def tiles(worker: Worker) -> float:
    """Tiles that a worker says it has explained since it was started."""
    text = httpx.get(f"http://{worker.metrics}/metrics", trust_env=False).text
    told = re.search(r'^geogaze_tiles_total\{model="tiny"\} (\S+)$', text, re.MULTILINE)
    return float(told[1]) if told else 0.0


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def fleet(
    tmp_path: Path, bundle_folder: Path, redis_url: str, request: pytest.FixtureRequest
) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, bundle_folder, redis_url, 7)
    fleet.redis.flushdb()
    try:
        yield fleet
    finally:
        fleet.redis.flushdb()
        fleet.redis.close()
        fleet.engine.dispose()


@pytest.mark.timeout(500)
def test_a_worker_takes_units_again_however_long_its_next_process_takes_to_start(
    fleet: Fleet, running: ExitStack
) -> None:
    """And whatever lies in the queue, and says that it goes when it goes."""
    worker = fleet.worker("worker", staged=True)
    running.enter_context(worker)
    running.enter_context(fleet.dispatcher)
    fleet.ends(fleet.submit("first"))
    (fleet.stage / "start").write_text(str(START_SECONDS))
    killed = child(worker)
    assert killed, "a process of its own, not a fork: CUDA does not survive one"
    for rubbish in ("no JSON", "[]", "{}", '{"properties": {}, "headers": 3}', b"\xff\xfe"):
        fleet.redis.lpush(QUEUE, rubbish)
    (name,) = until(fleet.seen, 20)
    counted = tiles(worker)
    killed.kill()
    assert tiles(worker) == counted > 0, "the parent answers, whoever is killed"
    job = fleet.submit("second")
    fleet.ends(job)
    assert tiles(worker) == 2 * counted, "who takes its place counts on"
    assert child(worker) not in {None, killed}
    assert {unit.worker for unit in fleet.units(job)} == {name}, "it took the other's place"
    assert worker.log_path.read_text().count("message dropped") == 5
    worker.stop()
    assert fleet.seen() == []


@pytest.mark.timeout(500)
def test_a_worker_with_a_broken_device_costs_a_job_nothing_and_leaves(
    fleet: Fleet, running: ExitStack
) -> None:
    (fleet.stage / "sick").touch()
    sick, well = fleet.worker("sick", staged=True), fleet.worker("well")
    job = fleet.submit("scene", 288)
    running.enter_context(sick)
    running.enter_context(fleet.dispatcher)
    failed = fleet.stage / "failed"
    until(lambda: failed.exists() and len(set(failed.read_text().split())) >= 2)
    running.enter_context(well)
    fleet.ends(job)
    found = fleet.units(job)
    assert {unit.state for unit in found} == {UnitState.DONE}
    assert {unit.failures for unit in found} == {0}
    assert "worker process ends" in sick.log_path.read_text()
    assert (fleet.ledger.assets(job) or {})["skipped"] == []
