"""What the sweeper removes from storage, and what it leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.errors import StorageUnavailable
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim, Part
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Unit
from geogaze.storage import Storage, open_storage
from geogaze.uploads import Uploads
from tests.unit.ledger.suite import patience, submission
from worker import sweeper as sweeper_module
from worker.sweeper import Sweeper


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return open_storage(settings)


@pytest.fixture
def collection(ledger: Ledger) -> Collection:
    return Collection(ledger.database)


@pytest.fixture
def sweeper(settings: Settings, collection: Collection, storage: Storage) -> Sweeper:
    return Sweeper(settings, collection, storage)


@pytest.fixture
def claims(ledger: Ledger) -> Claims:
    return Claims(ledger.database, lease_seconds=30, patience=patience(3))


class Hand:
    """Takes units and writes for them."""

    def __init__(self, ledger: Ledger, claims: Claims, storage: Storage) -> None:
        self.ledger, self.claims, self.storage = ledger, claims, storage

    def take(self) -> Claim:
        (message,) = Queue(self.ledger.database).dispatch(1)
        claim = self.claims.claim(message.unit, "worker")
        assert claim is not None
        for name in ("evidence", "ratios"):
            self.storage.put(f"{claim.prefix}{name}", b"0")
        return claim

    def commit(self, claim: Claim) -> None:
        tiles = 10 if claim.phase == "explain" else 0
        self.claims.commit(claim, {"assets": {"files": {}}}, items=tiles)

    def finish(self, job: UUID) -> None:
        while self.ledger.status(job).state is not JobState.SUCCESSFUL:
            self.commit(self.take())


@pytest.fixture
def hand(ledger: Ledger, claims: Claims, storage: Storage) -> Hand:
    return Hand(ledger, claims, storage)


def written(*attempts: Claim | Part) -> set[str]:
    return {f"{attempt.prefix}{name}" for attempt in attempts for name in ("evidence", "ratios")}


def kept(storage: Storage) -> set[str]:
    return {*storage.keys("jobs/"), *storage.keys("parts/")}


def test_what_crashes_left_behind_is_removed_and_nothing_else(
    ledger: Ledger, hand: Hand, storage: Storage, sweeper: Sweeper
) -> None:
    job = ledger.submit(submission(3))
    lost, done = hand.take(), hand.take()
    hand.commit(done)
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Unit).where(Unit.id == lost.unit_id).values(lease_until=1.0))
    assert sweeper.collect_all() == 0, "who lost its lease may still commit"
    Queue(ledger.database).sweep(redeliver_seconds=60, patience=patience(3))
    again = hand.take()
    storage.put("elsewhere/note", b"not ours to judge")
    assert sweeper.collect_all() == 2
    assert kept(storage) == written(done, again)
    hand.commit(again)
    hand.finish(job)
    products = ledger.parts(job, "publish")
    assert sweeper.collect_all() == 0
    assert kept(storage) == written(*ledger.parts(job, "explain"), *products)
    assert storage.get("elsewhere/note")


def test_a_dismissed_jobs_objects_go_at_once(
    ledger: Ledger, hand: Hand, storage: Storage, sweeper: Sweeper, collection: Collection
) -> None:
    job, other = ledger.submit(submission(2)), ledger.submit(submission(2))
    hand.finish(job)
    hand.finish(other)
    assert sweeper.release() == 0
    ledger.dismiss(job)
    assert sweeper.release() == 6
    phases = ("explain", "publish")
    assert kept(storage) == written(*(p for phase in phases for p in ledger.parts(other, phase)))
    assert collection.dismissed() == []


def test_what_another_job_took_over_stays(
    ledger: Ledger, hand: Hand, storage: Storage, sweeper: Sweeper
) -> None:
    asked = submission(2)
    first = ledger.submit(asked)
    hand.finish(first)
    second = ledger.submit(asked)
    ledger.dismiss(first)
    assert sweeper.release() == 2, "the first one's products alone"
    assert kept(storage) == written(*ledger.parts(second, "explain"))
    ledger.dismiss(second)
    assert sweeper.release() == 4
    assert kept(storage) == set()


def test_a_worker_that_writes_on_is_cleaned_up_after(
    ledger: Ledger, hand: Hand, storage: Storage, sweeper: Sweeper, collection: Collection
) -> None:
    job = ledger.submit(submission())
    claim = hand.take()
    ledger.dismiss(job)
    assert sweeper.release() == 2
    storage.put(f"{claim.prefix}late", b"0")
    assert sweeper.release() == 1, "until its lease has run out"
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Unit).values(lease_until=1.0))
    sweeper.release()
    assert collection.dismissed() == []
    storage.put(f"{claim.prefix}later", b"0")
    assert sweeper.release() == 0
    assert sweeper.collect_all() == 1
    assert kept(storage) == set()


def test_old_jobs_expire(
    ledger: Ledger, hand: Hand, storage: Storage, sweeper: Sweeper, settings: Settings
) -> None:
    old, recent = ledger.submit(submission()), ledger.submit(submission())
    hand.finish(old)
    hand.finish(recent)
    with Session(ledger.database) as session, session.begin():
        session.execute(
            update(Job).where(Job.id == old).values(finished=Job.finished - settings.retention - 1)
        )
    assert sweeper.collect_all() == 4
    assert ledger.status(old).state is JobState.DISMISSED
    assert ledger.status(recent).state is JobState.SUCCESSFUL
    assert len(kept(storage)) == 4


def test_nothing_visible_is_lost_while_workers_write(
    ledger: Ledger, claims: Claims, storage: Storage, sweeper: Sweeper
) -> None:
    job = ledger.submit(submission(12))
    failures: list[BaseException] = []

    def work() -> None:
        hand = Hand(ledger, claims, storage)
        try:
            for number in range(24):
                claim = hand.take()
                if number % 2:
                    hand.commit(claim)
                else:
                    claims.release(claim)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            sweeper.collect_all()
    finally:
        thread.join(20)
    assert not failures
    sweeper.collect_all()
    parts = ledger.parts(job, "explain")
    assert len(parts) == 12
    assert kept(storage) == written(*parts)


@pytest.mark.parametrize(
    "error",
    [
        StorageUnavailable("S3 did not answer"),
        OperationalError("SELECT", {}, ConnectionError("away")),
        FileNotFoundError("a folder that a worker has just removed"),
        KeyError("a bug, which must not end the thread unseen"),
    ],
)
def test_outages_are_waited_out_and_followers_sweep_nothing(
    sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, logs: list[Any], error: Exception
) -> None:
    monkeypatch.setattr(sweeper_module, "_PAUSE_SECONDS", 0.01)
    stop, calls = threading.Event(), []
    leading = threading.Event()

    def release() -> int:
        calls.append(leading.is_set())
        if len(calls) < 3:
            raise error
        return 1

    monkeypatch.setattr(sweeper, "release", release)
    thread = threading.Thread(target=sweeper.run, args=(stop, leading.is_set), daemon=True)
    thread.start()
    try:
        time.sleep(0.1)
        assert not calls
        leading.set()
        end = time.monotonic() + 10
        while len(calls) < 3 and thread.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        stop.set()
        thread.join(10)
    assert len(calls) >= 3
    assert [entry["event"] for entry in logs[:2]] == ["nothing swept"] * 2


def test_an_upload_that_may_be_under_way_is_left_alone(
    sweeper: Sweeper, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(storage, "abort_uploads", asked.append)
    sweeper.collect_all()
    assert asked == [86400], "a day"


def test_the_whole_storage_is_searched_only_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal clock
            clock += timeout or 0
            return clock >= 107

    monkeypatch.setattr(sweeper_module.time, "monotonic", lambda: clock)
    due = list(sweeper_module._ticks(Stop(), 3.0))
    assert due == [False, False, True, False, False, True]


def test_uploads_go_when_their_time_is_over(
    ledger: Ledger, storage: Storage, sweeper: Sweeper
) -> None:
    for moment, digit in ((0.0, "a"), (time.time(), "b")):  # one of 1970, one of now
        uploads = Uploads(sweeper._settings, storage, clock=lambda moment=moment: moment)
        upload = uploads.begin("default", "port.tif", 10, digit * 64)
        uploads.take(upload, 1, b"0123456789")
    sweeper.collect_all()
    assert sorted(storage.keys("uploads/")) == [
        *(f"uploads/{upload.id}/parts/00001", f"uploads/{upload.id}/upload.json"),
    ]


def test_a_search_ends_when_it_is_told_to(
    ledger: Ledger, storage: Storage, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage of millions of objects takes hours to search, and a dispatcher seconds to leave."""
    monkeypatch.setattr(sweeper_module, "_PAUSE_SECONDS", 0.01)
    sweeper._settings = sweeper._settings.model_copy(update={"collect_seconds": 0.02})
    stop, endless, aborted = threading.Event(), threading.Event(), []

    def keys(prefix: str) -> Iterator[str]:
        while True:
            endless.set()
            yield f"{prefix}1/2/evidence"

    monkeypatch.setattr(storage, "keys", keys)
    monkeypatch.setattr(storage, "remove", lambda keys: None)
    monkeypatch.setattr(storage, "abort_uploads", aborted.append)
    thread = threading.Thread(target=sweeper.run, args=(stop, lambda: True), daemon=True)
    thread.start()
    try:
        assert endless.wait(20)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    assert not aborted


def test_a_dismissed_job_that_was_not_searched_to_its_end_is_searched_again(
    ledger: Ledger, hand: Hand, sweeper: Sweeper, collection: Collection
) -> None:
    job = ledger.submit(submission())
    hand.finish(job)
    ledger.dismiss(job)
    sweeper._stop.set()
    assert sweeper.release() == 0
    assert [found for found, _ in collection.dismissed()] == [job]
    sweeper._stop.clear()
    assert sweeper.release() == 4
    assert collection.dismissed() == []
