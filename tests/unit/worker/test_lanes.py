"""Several units in hand, and a process that says that it lives."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from celery.exceptions import Reject
from sqlalchemy import select
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.errors import DeviceBroke, StorageUnavailable
from geogaze.ledger.claims import Claims
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Unit, WorkerSeen
from geogaze.runner.lanes import Lanes
from geogaze.runner.names import name_children
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.pulse import Pulse
from geogaze.runner.work import Worker
from tests.unit.ledger.suite import patience
from tests.unit.ledger.test_store import submit
from tests.unit.worker.conftest import AWAY

MADE = Outcome({"assets": {"files": {}}})


@pytest.fixture
def lanes(worker: Worker) -> Iterator[Lanes]:
    lanes = Lanes(worker, 2)
    try:
        yield lanes
    finally:
        lanes.close(0, 15)


class Gate:
    """Work that goes on when it is let through."""

    def __init__(self) -> None:
        self.inside: list[Claim] = []
        self._passes = threading.Semaphore(0)

    def __call__(self, resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        self.inside.append(claim)
        assert self._passes.acquire(timeout=10)
        return MADE

    def let_through(self, count: int = 1) -> None:
        self._passes.release(count)


def rows(ledger: Ledger) -> list[Unit]:
    with Session(ledger.database) as session:
        found = session.scalars(select(Unit).order_by(Unit.job_id, Unit.phase, Unit.position)).all()
        session.expunge_all()
        return list(found)


def seen(ledger: Ledger) -> list[tuple[str, int]]:
    with Session(ledger.database) as session:
        return [(row.name, row.slots) for row in session.scalars(select(WorkerSeen))]


def wait_for(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_take_returns_once_a_lane_is_free(ledger: Ledger, lanes: Lanes, does: Any) -> None:
    gate = Gate()
    does(gate)
    submit(ledger, 3)
    units = [message.unit for message in Queue(ledger.database).dispatch(3)]
    lanes.take(units[0])
    assert lanes.busy == 1, "the other lane is free"
    returned = threading.Event()

    def fill() -> None:
        lanes.take(units[1])
        returned.set()

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        wait_for(lambda: len(gate.inside) == 2)
        assert not returned.wait(0.1), "both are busy"
        gate.let_through()
        assert returned.wait(10)
    finally:
        gate.let_through(2)
        thread.join(10)
    wait_for(lambda: lanes.ended and not lanes.busy)


def test_a_lane_brings_a_job_to_its_end(ledger: Ledger, lanes: Lanes, does: Any) -> None:
    does(lambda resources, claim, pulse: MADE)
    job, other = submit(ledger, 1, calibrate=2), submit(ledger)
    unit = next(unit.id for unit in rows(ledger) if unit.job_id == job)
    lanes.take(unit)
    wait_for(lambda: lanes.ended and not lanes.busy)
    assert ledger.status(job).state is JobState.SUCCESSFUL
    assert ledger.status(other).state is JobState.ACCEPTED


def test_a_unit_that_is_put_off_is_not_waited_for(
    ledger: Ledger, lanes: Lanes, does: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geogaze.ledger.retries.random.uniform", lambda low, high: high)

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        if claim.phase == "publish":
            raise StorageUnavailable("S3 did not answer")
        return MADE

    does(task)
    job = submit(ledger)
    (unit,) = rows(ledger)
    lanes.take(unit.id)
    wait_for(lambda: lanes.ended and not lanes.busy)
    assert ledger.status(job).phase == "publish"
    (publish,) = [unit for unit in rows(ledger) if unit.phase == "publish"]
    assert (publish.state, publish.attempt) == (UnitState.PENDING, 1)


@pytest.mark.parametrize("error", [SystemExit(3), DeviceBroke("CUDA error")])
def test_a_lane_that_cannot_go_on_hands_its_unit_back_and_ends_its_process(
    ledger: Ledger, worker: Worker, does: Any, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    """Were the process to live on, every later message would be taken and dropped."""
    from worker import child, tasks

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        raise error

    does(task)
    ends: list[int] = []
    lanes = Lanes(worker, 2, on_broken=child.end_process)
    monkeypatch.setattr(child, "these_lanes", lambda: lanes)
    monkeypatch.setattr(child, "this_worker", lambda: worker)
    monkeypatch.setattr(child.os, "_exit", ends.append)
    monkeypatch.setattr(tasks, "_REJECT_SECONDS", 0)
    worker.enlist()
    submit(ledger, 2)
    first, second = rows(ledger)
    try:
        with contextlib.suppress(Reject):  # it may have ended before the other lane was seen free
            tasks.run_unit(str(first.id))
        wait_for(lambda: ends)
        assert ends == [70]
        with pytest.raises(Reject) as rejected:  # for another process, meanwhile
            tasks.run_unit(str(second.id))
        assert rejected.value.requeue
    finally:
        lanes.close(0, 15)
    assert {unit.state for unit in rows(ledger)} == {UnitState.PENDING}
    assert [unit.failures for unit in rows(ledger)] == [0, 0]
    assert seen(ledger) == [], "it said that it goes"


def test_a_process_that_cannot_go_on_ends_also_where_it_cannot_say_so(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would live on, and reject every message that comes to it."""
    from worker import child

    def broken(*_: Any) -> None:
        raise RuntimeError("something else is broken too")

    ends: list[int] = []
    monkeypatch.setattr(worker, "leave", broken)
    monkeypatch.setattr(child, "these_lanes", lambda: Lanes(worker, 1))
    monkeypatch.setattr(child, "this_worker", lambda: worker)
    monkeypatch.setattr(child.os, "_exit", ends.append)
    child.end_process(DeviceBroke("CUDA error"))
    assert ends == [70]


def test_whatever_befalls_the_reporting_thread_it_reports_again(
    ledger: Ledger, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geogaze.runner.work._REPORT_SECONDS", 0.01)
    report, errors = worker._workers.report, [*AWAY, KeyError("a bug")]

    def shaky(*args: Any) -> None:
        if errors:
            raise errors.pop()
        report(*args)

    monkeypatch.setattr(worker._workers, "report", shaky)
    worker.enlist()
    try:
        wait_for(lambda: seen(ledger))
    finally:
        worker.leave()
    assert seen(ledger) == []


def test_two_workers_on_one_host_have_two_names(settings: Settings) -> None:
    """Containers on the host's network have one host name, and the same few process ids."""
    one, two = (Worker.from_settings(settings) for _ in range(2))
    assert one._name != two._name
    name_children()
    try:
        child, heir = (Worker.from_settings(settings) for _ in range(2))
        assert child._name == heir._name, "who takes a child's place"
        assert child._name not in {one._name, two._name}
        name_children()
        assert Worker.from_settings(settings)._name != child._name
    finally:
        del os.environ["_GEOGAZE_PROCESS"]


def test_units_in_hand_are_handed_back_at_the_end(
    ledger: Ledger, worker: Worker, does: Any
) -> None:
    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        while True:
            pulse(1)
            time.sleep(0.01)

    does(task)
    submit(ledger)
    (unit,) = rows(ledger)
    lanes = Lanes(worker, 2)
    try:
        lanes.take(unit.id)
        wait_for(lambda: rows(ledger)[0].state is UnitState.RUNNING)
    finally:
        lanes.close()
    assert (rows(ledger)[0].state, rows(ledger)[0].failures) == (UnitState.PENDING, 0)


def test_a_process_takes_over_from_the_one_that_crashed(
    ledger: Ledger, worker: Worker, settings: Settings
) -> None:
    submit(ledger, 2)
    ours, others = rows(ledger)
    claims = Claims(ledger.database, lease_seconds=1000, patience=patience(3))
    assert claims.claim(ours.id, worker._name)
    assert claims.claim(others.id, "another")
    worker.enlist()
    try:
        wait_for(lambda: seen(ledger))
        assert seen(ledger) == [(worker._name, settings.lanes)]
    finally:
        worker.stop()
    assert len(Queue(ledger.database).sweep(redeliver_seconds=60, patience=patience(3))) == 1
    assert [unit.state for unit in rows(ledger)] == [UnitState.PENDING, UnitState.RUNNING]


def test_the_celery_task_runs_the_unit_it_is_told(
    ledger: Ledger, worker: Worker, does: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker import child, tasks

    lanes = Lanes(worker, 1)
    monkeypatch.setattr(child, "these_lanes", lambda: lanes)
    does(lambda resources, claim, pulse: MADE)
    job: UUID = submit(ledger)
    (unit,) = rows(ledger)
    assert tasks.run_unit.name == "geogaze.run_unit"
    tasks.run_unit(str(unit.id))
    lanes.close(10)
    assert ledger.status(job).state is JobState.SUCCESSFUL
