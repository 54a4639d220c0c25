"""What ends a unit between two batches, and what an error that ended one is taken for."""

from __future__ import annotations

import contextlib
import time
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from geogaze.config import Settings
from geogaze.errors import HostOutOfMemory, StaleClaim
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim
from geogaze.ledger.states import UnitState
from geogaze.ledger.store import Ledger
from geogaze.runner.heartbeat import Heartbeat
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.pulse import Pulse
from geogaze.runner.work import Stopped, Worker
from tests.unit.ledger.test_store import submit
from tests.unit.worker.test_work import row


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_seconds": 0.6})


@pytest.fixture
def job(ledger: Ledger) -> UUID:
    return submit(ledger, 2)


@pytest.fixture
def unit(ledger: Ledger, job: UUID) -> UUID:
    return Queue(ledger.database).dispatch(1)[0].unit


def test_a_worker_told_to_stop_hands_its_unit_back_at_the_next_pulse(
    ledger: Ledger, worker: Worker, unit: UUID, does: Any
) -> None:
    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        pulse(1)
        worker.stop()
        pulse(1)
        return Outcome({})

    does(task)
    with pytest.raises(Stopped):
        worker.run(unit)
    assert row(ledger, unit).state is UnitState.PENDING


def test_a_lost_claim_ends_the_work_though_the_database_does_not_answer_it(
    ledger: Ledger,
    worker: Worker,
    job: UUID,
    unit: UUID,
    does: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The heart has heard of it; that asking again fails is no reason to go on."""

    def away(claim: Claim) -> None:
        raise OperationalError("SELECT", {}, ConnectionError("away"))

    monkeypatch.setattr(worker._claims, "check", away)
    ended: list[StaleClaim] = []

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        ledger.dismiss(job)
        end = time.monotonic() + 20
        try:
            while time.monotonic() < end:
                pulse(1)
                time.sleep(0.02)
        except StaleClaim as error:
            ended.append(error)
            raise
        return Outcome({})

    does(task)
    worker.run(unit)
    assert len(ended) == 1


def test_a_lease_is_renewed_at_a_third_of_its_length(worker: Worker, unit: UUID, does: Any) -> None:
    found: list[float] = []

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        found.append(Heartbeat(worker._claims, claim, 60.0, lambda: None)._renew_seconds)
        return Outcome({})

    does(task)
    worker.run(unit)
    assert found == [20.0]


def test_want_of_memory_is_taken_for_that(
    worker: Worker, unit: UUID, does: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Exception] = []
    give_up = worker._claims.give_up

    def remember(claim: Claim, error: Any, *about: Any) -> bool:
        seen.append(error)
        return give_up(claim, error, *about)

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        raise MemoryError("Unable to allocate 9 GiB")

    monkeypatch.setattr(worker._claims, "give_up", remember)
    does(task)
    with contextlib.suppress(MemoryError):
        worker.run(unit)
    (error,) = seen
    assert isinstance(error, HostOutOfMemory)
    assert "9 GiB" in str(error)
