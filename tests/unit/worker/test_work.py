"""A worker's turn, with the work itself made up."""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.errors import DeviceBroke, SceneUnreadable, StaleClaim, StorageUnavailable
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Unit
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.pulse import Pulse
from geogaze.runner.work import Worker
from tests.unit.ledger.suite import patience
from tests.unit.ledger.test_store import submit
from tests.unit.worker.conftest import AWAY, Task

LEASE = 0.6  # beats every 0.2 s


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_seconds": LEASE})


@pytest.fixture
def job(ledger: Ledger) -> UUID:
    return submit(ledger, 2)


@pytest.fixture
def unit(ledger: Ledger, job: UUID) -> UUID:
    return Queue(ledger.database).dispatch(1)[0].unit


def raising(error: BaseException) -> Task:
    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        raise error

    return task


def row(ledger: Ledger, unit: UUID) -> Unit:
    with Session(ledger.database) as session:
        found = session.scalars(select(Unit).where(Unit.id == unit)).one()
        session.expunge_all()
        return found


def parts(worker: Worker) -> list[str]:
    return list(worker.resources.storage.keys("parts/"))


def sweep(ledger: Ledger) -> int:
    return len(Queue(ledger.database).sweep(redeliver_seconds=60, patience=patience(3)))


def database_away() -> OperationalError:
    return OperationalError("UPDATE units", {}, ConnectionError("server closed the connection"))


def test_a_unit_is_done_and_committed(
    settings: Settings, ledger: Ledger, job: UUID, unit: UUID, does: Any
) -> None:
    told: list[int] = []
    worker = Worker.from_settings(settings, on_items=told.append)

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        pulse(3)
        pulse(4)
        return Outcome({"seen": 7}, items=7)

    does(task)
    assert worker.run(unit)
    assert told == [3, 4]
    assert parts(worker) == [f"{row(ledger, unit).prefix}part"]
    assert (row(ledger, unit).state, row(ledger, unit).result) == (UnitState.DONE, {"seen": 7})
    assert ledger.status(job).items_done == 7
    assert worker.run(unit) is None  # the same message once more
    assert told == [3, 4]
    worker.resources.ledger.database.dispose()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1.0, ["tell 3", "tell 7", "tell 9"]),
        (3600.0, ["tell 3", "check", "check"]),
    ],
)
def test_batches_are_told_now_and_then_in_the_place_of_asking(
    worker: Worker,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    expected: list[str],
) -> None:
    said: list[str] = []
    tell, check = worker._claims.tell, worker._claims.check

    def telling(claim: Claim, tiles: int) -> None:
        said.append(f"tell {tiles}")
        tell(claim, tiles)

    def checking(claim: Claim) -> None:
        if threading.current_thread() is threading.main_thread():  # not the heartbeat's
            said.append("check")
        check(claim)

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        for tiles in (3, 4, 2):
            pulse(tiles)
        return Outcome({}, items=9)

    monkeypatch.setattr("geogaze.runner.work._TELL_SECONDS", seconds)
    monkeypatch.setattr("geogaze.runner.work._ASK_SECONDS", -1.0)
    monkeypatch.setattr(worker._claims, "tell", telling)
    monkeypatch.setattr(worker._claims, "check", checking)
    does(task)
    assert worker.run(unit)
    assert said == expected


def test_batches_of_a_running_unit_show(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any
) -> None:
    seen: list[tuple[int, int]] = []

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        pulse(4)
        status = ledger.status(job)
        seen.append((status.items_seen, status.progress))
        return Outcome({}, items=10)

    does(task)
    worker.run(unit)
    assert seen == [(4, 19)]


def test_a_long_unit_keeps_its_claim(
    ledger: Ledger, worker: Worker, unit: UUID, does: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beats come quickly here and leases last, so that no busy machine lets one run out."""
    monkeypatch.setattr(worker._claims, "_lease", 600.0)
    leases: list[float | None] = []

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        end = time.monotonic() + 20
        while len(leases) < 4 and time.monotonic() < end:
            if (lease := row(ledger, unit).lease_until) not in leases:
                leases.append(lease)
            assert sweep(ledger) == 0
            pulse(0)
            time.sleep(0.02)
        return Outcome({})

    does(task)
    worker.run(unit)
    assert len(leases) == 4, "the claim's own, and three renewals"
    assert leases == sorted(leases, key=lambda lease: lease or 0)
    assert (row(ledger, unit).state, row(ledger, unit).attempt) == (UnitState.DONE, 1)


def test_a_missed_beat_is_not_the_end(
    ledger: Ledger,
    worker: Worker,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renew, beats = worker._claims.renew, []

    def shaky(claim: Claim) -> None:
        beats.append(claim)
        if len(beats) == 1:
            raise database_away()
        renew(claim)

    monkeypatch.setattr(worker._claims, "renew", shaky)

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        end = time.monotonic() + 10
        while len(beats) < 3 and time.monotonic() < end:
            pulse(0)
            time.sleep(0.02)
        return Outcome({})

    does(task)
    worker.run(unit)
    assert row(ledger, unit).state is UnitState.DONE
    count = len(beats)
    time.sleep(LEASE / 2)
    assert len(beats) == count  # the heart stops with the unit


def test_a_dismissed_job_stops_its_unit(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any
) -> None:
    stopped = []

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        ledger.dismiss(job)
        end = time.monotonic() + 10
        with contextlib.suppress(StaleClaim):
            while time.monotonic() < end:
                pulse(1)
                time.sleep(0.02)
            return Outcome({})
        stopped.append(True)
        raise StaleClaim("stopped")

    does(task)
    assert worker.run(unit)
    assert stopped
    assert parts(worker) == []
    assert ledger.status(job).state is JobState.DISMISSED


def test_who_lost_the_lease_leaves_the_others_part_alone(
    ledger: Ledger, worker: Worker, settings: Settings, job: UUID, unit: UUID, does: Any
) -> None:
    other = Worker.from_settings(settings)

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        if claim.attempt == 1:
            with Session(ledger.database) as session, session.begin():
                session.execute(update(Unit).where(Unit.id == unit).values(lease_until=1.0))
            sweep(ledger)
            assert other.run(unit)
        return Outcome({"attempt": claim.attempt})

    does(task)
    assert worker.run(unit)
    assert row(ledger, unit).result == {"attempt": 2}
    assert parts(worker) == [f"{row(ledger, unit).prefix}part"]
    other.resources.ledger.database.dispose()


def test_what_a_retry_cannot_help_fails_the_job(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any, logs: list[Any]
) -> None:
    does(raising(SceneUnreadable("'port.tif' is damaged")))
    assert worker.run(unit)
    status = ledger.status(job)
    assert status.state is JobState.FAILED
    assert status.message == "'port.tif' is damaged"
    assert status.problem is not None
    assert status.problem["slug"] == "scene-unreadable"
    assert parts(worker) == []
    assert any(entry["log_level"] == "warning" for entry in logs)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (MemoryError("no 9 GiB"), "Memory ran out: no 9 GiB"),
    ],
)
def test_what_tiles_may_have_caused_splits_the_unit(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any, error: Exception, says: str
) -> None:
    does(raising(error))
    assert worker.run(unit)
    assert row(ledger, unit).state is UnitState.SPLIT
    status = ledger.status(job)
    assert (status.state, status.last_error) == (JobState.RUNNING, says)
    assert parts(worker) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        RuntimeError("write failed: No space left on device"),
    ],
)
def test_a_broken_disk_is_another_workers_chance(
    ledger: Ledger, worker: Worker, unit: UUID, does: Any, error: Exception
) -> None:
    does(raising(error))
    assert worker.run(unit)
    assert row(ledger, unit).state is UnitState.PENDING
    assert "GEOGAZE_SCRATCH" in (row(ledger, unit).error or "")


def test_what_a_retry_may_help_is_tried_again(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any
) -> None:
    does(raising(StorageUnavailable("S3 did not answer")))
    assert worker.run(unit)
    assert row(ledger, unit).state is UnitState.PENDING
    assert row(ledger, unit).error == "S3 did not answer"
    assert ledger.status(job).state is JobState.RUNNING
    assert parts(worker) == []


def test_storage_that_is_away_for_deletion_too_is_waited_out(
    ledger: Ledger,
    worker: Worker,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(prefix: str) -> None:
        raise StorageUnavailable("S3 did not answer")

    monkeypatch.setattr(worker.resources.storage, "delete", away)
    does(raising(StorageUnavailable("S3 did not answer")))
    assert worker.run(unit)
    assert row(ledger, unit).state is UnitState.PENDING


def test_a_stale_unit_survives_storage_that_is_away(
    ledger: Ledger,
    worker: Worker,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(prefix: str) -> None:
        raise StorageUnavailable("S3 did not answer")

    monkeypatch.setattr(worker.resources.storage, "delete", away)
    does(raising(StaleClaim("lost")))
    assert worker.run(unit)


def test_a_database_restart_while_working_fails_no_job(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any
) -> None:
    does(raising(database_away()))
    with contextlib.suppress(OperationalError):
        worker.run(unit)
    assert ledger.status(job).state is JobState.RUNNING
    assert row(ledger, unit).state is not UnitState.FAILED


@pytest.mark.parametrize("error", AWAY)
def test_a_database_that_stays_away_at_the_commit_fails_no_job(
    ledger: Ledger,
    worker: Worker,
    job: UUID,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(worker._claims, "commit", away)
    does(lambda resources, claim, pulse: Outcome({}))
    assert worker.run(unit)
    assert ledger.status(job).state is JobState.RUNNING
    assert row(ledger, unit).failures == 0


@pytest.mark.parametrize("error", AWAY)
def test_what_is_done_is_handed_in_once_the_database_is_back(
    ledger: Ledger,
    worker: Worker,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    monkeypatch.setattr("geogaze.runner.work._COMMIT_AGAIN_SECONDS", 0.01)
    commit, tries = worker._claims.commit, []

    def shaky(*args: Any, **options: Any) -> None:
        tries.append(args)
        if len(tries) < 3:
            raise error
        commit(*args, **options)

    monkeypatch.setattr(worker._claims, "commit", shaky)
    does(lambda resources, claim, pulse: Outcome({"seen": 7}))
    assert worker.run(unit)
    assert (row(ledger, unit).state, row(ledger, unit).attempt) == (UnitState.DONE, 1)
    assert len(parts(worker)) == 1


def test_a_device_that_breaks_gives_its_unit_back_and_goes(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any
) -> None:
    does(raising(DeviceBroke("The device failed: CUDA error")))
    with pytest.raises(DeviceBroke):
        worker.run(unit)
    found = row(ledger, unit)
    assert (found.state, found.failures, found.outages) == (UnitState.PENDING, 0, 1)
    assert ledger.status(job).state is JobState.RUNNING
    assert parts(worker) == []


@pytest.mark.parametrize("how", ["dismissed", "lost"])
def test_a_unit_that_is_nobodys_and_hangs_in_a_read_is_left_behind(
    ledger: Ledger,
    worker: Worker,
    job: UUID,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """No thread can be interrupted in GDAL: it gives no pulse, and its lease was renewed."""
    monkeypatch.setattr("geogaze.runner.heartbeat._GRACE_SECONDS", 0.05)
    inside, host_answers, left = threading.Event(), threading.Event(), threading.Event()
    behind: list[threading.Thread] = []

    def leave_behind(lane: threading.Thread) -> None:
        behind.append(lane)
        left.set()

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        inside.set()
        assert host_answers.wait(20)
        pulse(0)
        raise AssertionError("it is not ours to go on with")

    does(task)
    lane = threading.Thread(target=worker.run, args=(unit, leave_behind), daemon=True)
    lane.start()
    try:
        assert inside.wait(20)
        if how == "dismissed":
            ledger.dismiss(job)
        else:
            with Session(ledger.database) as session, session.begin():
                session.execute(update(Unit).where(Unit.id == unit).values(lease_until=1.0))
                session.execute(update(Unit).where(Unit.id == unit).values(token=uuid4()))
        assert left.wait(20)
        assert behind == [lane]
    finally:
        host_answers.set()
        lane.join(20)
    assert not lane.is_alive()
    assert parts(worker) == [], "what it wrote is gone"


@pytest.mark.parametrize("error", AWAY)
def test_a_database_that_is_away_costs_no_lane(
    ledger: Ledger,
    worker: Worker,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise error

    does(raising(SceneUnreadable("damaged")))
    with monkeypatch.context() as outage:
        outage.setattr(worker._claims, "claim", away)
        assert worker.run(unit) is None
    with monkeypatch.context() as outage:
        outage.setattr(worker._claims, "give_up", away)
        assert worker.run(unit)
    assert row(ledger, unit).state is UnitState.RUNNING, "its lease runs out"


@pytest.mark.parametrize("how", [SystemExit(0), KeyboardInterrupt()])
def test_a_worker_told_to_stop_hands_its_unit_back(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any, how: BaseException
) -> None:
    does(raising(how))
    with pytest.raises(type(how)):
        worker.run(unit)
    assert row(ledger, unit).state is UnitState.PENDING
    assert row(ledger, unit).next_attempt_at == 0
    left = parts(worker)
    does(lambda resources, claim, pulse: Outcome({}))
    assert worker.run(unit)
    assert row(ledger, unit).state is UnitState.DONE
    (new,) = set(parts(worker)) - set(left)  # what is left over is the sweeper's
    assert new == f"{row(ledger, unit).prefix}part"


@pytest.mark.parametrize("how", [database_away, lambda: SystemExit(0)])
def test_a_part_that_was_committed_is_kept_whatever_comes_after(
    ledger: Ledger,
    worker: Worker,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
    how: Callable[[], BaseException],
) -> None:
    """The connection may fail, or the worker be stopped, between a commit and its answer."""
    commit = worker._claims.commit

    def commit_and_fail(*args: Any, **options: Any) -> None:
        commit(*args, **options)
        raise how()

    monkeypatch.setattr(worker._claims, "commit", commit_and_fail)
    does(lambda resources, claim, pulse: Outcome({}))
    with contextlib.suppress(SystemExit):
        worker.run(unit)
    assert row(ledger, unit).state is UnitState.DONE
    assert len(parts(worker)) == 1


def test_a_worker_told_to_stop_stops_though_its_unit_is_void(
    ledger: Ledger, worker: Worker, job: UUID, unit: UUID, does: Any
) -> None:
    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        ledger.dismiss(job)
        raise SystemExit(0)

    does(task)
    with pytest.raises(SystemExit):
        worker.run(unit)
