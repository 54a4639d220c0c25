"""The drill: database and bucket are backed up while jobs run, lost, and restored."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import attempt_of, job_prefix
from geogaze.ledger.retries import Patience
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.tables import Unit
from geogaze.processes.echo import EchoRequest
from geogaze.processes.echo import make_plan as make_echo
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.losses import losses
from geogaze.processes.submit import submit
from geogaze.runner.work import Worker
from geogaze.storage import S3Storage, open_storage
from infra.services import S3Endpoint
from infra.services.postgres import client_program
from tests.factories import make_scene
from tests.integration.test_storage import s3_settings
from tests.unit.ledger.test_migrations import migrate
from worker.sweeper import Sweeper


@dataclass
class Service:
    """A database, a bucket and one worker, in this process."""

    settings: Settings
    explained: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.worker = Worker.from_settings(self.settings, on_items=self.explained.append)
        self.ledger = self.worker.resources.ledger
        self.storage = self.worker.resources.storage
        self.queue = Queue(self.ledger.database)

    def echo(self, words: str) -> UUID:
        request = EchoRequest.parse({"string": words})
        return submit(self.ledger, request, make_echo(request, self.settings, local=False))

    def work(self, units: int = 999) -> None:
        for message in (m for _ in range(units) for m in self.queue.dispatch(1)):
            assert self.worker.run(message.unit)

    def swept(self) -> int:
        return Sweeper(self.settings, Collection(self.ledger.database), self.storage).collect_all()

    def products(self, job: UUID) -> dict[str, str]:
        """Hashes of the layers of a job that succeeded, which are whole in storage."""
        assert self.ledger.status(job).state is JobState.SUCCESSFUL, self.ledger.status(job)
        files = (self.ledger.assets(job) or {})["files"]
        assert all(len(self.storage.get(file["key"])) == file["size"] for file in files.values())
        return {n: f["sha256"] for n, f in files.items() if f["type"].startswith("image/tiff")}

    def units(self, job: UUID) -> list[Unit]:
        with Session(self.ledger.database) as session:
            return list(session.scalars(select(Unit).where(Unit.job_id == job)))


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    service = Service(settings)
    try:
        yield service
    finally:
        service.ledger.database.dispose()


@pytest.fixture
def settings(
    s3: S3Endpoint, empty_database_url: str, bundle_folder: Path, tmp_path: Path
) -> Iterator[Settings]:
    more: dict[str, Any] = {
        "database_url": empty_database_url,
        "model_folders": (bundle_folder.parent,),
        "source_folders": (tmp_path,),
        "scratch": tmp_path,
        "device": "cpu",
        "chunk_tiles": 8,
    }
    settings = s3_settings(s3, f"live-{uuid4().hex}").model_copy(update=more)
    yield settings
    open_storage(settings).delete("")


def copied(source: S3Storage, target: S3Storage) -> None:
    """As ``aws s3 sync`` does."""
    for key in source.keys(""):
        target.client.copy_object(
            Bucket=target.bucket,
            Key=target.prefix + key,
            CopySource={"Bucket": source.bucket, "Key": source.prefix + key},
        )


def as_programs_have_it(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def lost_and_found(database_url: str) -> Iterator[str]:
    """An empty database, to restore into."""
    name = f"restored_{uuid4().hex}"
    with psycopg.connect(as_programs_have_it(database_url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield make_url(database_url).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_job_goes_on_from_a_backup_and_ends_equal(
    settings: Settings, lost_and_found: str, tmp_path: Path
) -> None:
    make_scene(tmp_path / "port.tif", 260, 300)
    backup = open_storage(settings.model_copy(update={"storage": f"{settings.storage}-backup"}))
    live = open_storage(settings)
    assert isinstance(live, S3Storage)
    assert isinstance(backup, S3Storage)
    dump = tmp_path / "geogaze.dump"
    with serving(settings) as before:
        migrate(before.ledger.database, "head")
        removed = before.echo("removed between the two halves of the backup")
        before.work()
        asked = {"scene": str(tmp_path / "port.tif"), "model": "tiny", "classes": ["boat"]}
        request = ExplainRequest.parse({**asked, "overlap": 0.5})
        job = submit(before.ledger, request, make_plan(request, settings, local=False))
        before.work(2)
        patience = Patience.of(settings)
        short = Claims(before.ledger.database, lease_seconds=1e-3, patience=patience)
        in_flight = short.claim(before.queue.dispatch(1)[0].unit, "of a machine that is lost too")
        assert in_flight
        live.put(f"{in_flight.prefix}tiles.npz", b"half of a part")
        at_backup = sum(before.explained)
        dumping = (client_program("pg_dump"), "--format=custom", f"--file={dump}")
        subprocess.run([*dumping, as_programs_have_it(settings.database_url)], check=True)

        unknown = before.echo("came after the dump")
        before.ledger.dismiss(removed)
        before.work(3)
        assert before.swept() > 0
        copied(live, backup)
        before.queue.sweep(redeliver_seconds=0, patience=patience)
        before.work()
        expected = before.products(job)
        assert set(expected) == {"heat-boat", "overlay-boat", "backdrop"}
        tiles = sum(before.explained)

    live.delete("")  # both are lost
    restoring = (client_program("pg_restore"), "--exit-on-error", "--no-owner")
    target = f"--dbname={as_programs_have_it(lost_and_found)}"
    subprocess.run([*restoring, target, dump], check=True)
    copied(backup, live)
    backup.delete("")
    with serving(settings.model_copy(update={"database_url": lost_and_found})) as after:
        (loss,) = losses(Collection(after.ledger.database), after.storage)
        assert (loss.job, loss.state) == (removed, JobState.SUCCESSFUL)
        assert loss.missing[-1].endswith("string.json")
        after.ledger.dismiss(loss.job)
        assert {unit.state for unit in after.units(job)} >= {UnitState.DONE, UnitState.RUNNING}
        assert len(list(after.storage.keys(job_prefix(unknown)))) == 2
        after.queue.sweep(redeliver_seconds=0, patience=patience)
        after.work()
        assert after.products(job) == expected
        assert sum(after.explained) == tiles - at_backup, "what was done is not done again"
        again = {unit.id: unit.attempt for unit in after.units(job) if unit.attempt > 1}
        assert again == {in_flight.unit_id: 2}
        after.swept()
        owned = {unit.prefix for unit in after.units(job)}
        assert {attempt_of(key) for key in after.storage.keys("")} <= owned, "of no other job"
        assert list(losses(Collection(after.ledger.database), after.storage)) == []

        (chunk, *_) = (unit for unit in after.units(job) if unit.phase == "blend")
        after.storage.delete(chunk.prefix or "")
        (loss,) = losses(Collection(after.ledger.database), after.storage)
        assert loss.missing == (chunk.prefix,)
