"""What is told of a unit at work: in the log, whichever thread says it, and to who looks on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import structlog

from geogaze.config import Settings
from geogaze.errors import DeviceBroke, SceneUnreadable, StaleClaim, StorageUnavailable
from geogaze.evidence.device import on_device
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim
from geogaze.ledger.store import Ledger
from geogaze.ledger.workers import Workers
from geogaze.runner.heartbeat import Heartbeat
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.pulse import Pulse
from geogaze.runner.watcher import Watcher
from geogaze.runner.work import Stopped, Worker
from tests.unit.ledger.suite import PLAN, submission

log = structlog.get_logger()
MADE = Outcome({"assets": {"files": {}}}, items=7)


class Notes(Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.items: list[tuple[str, int]] = []
        self.ended: list[tuple[str, str]] = []

    def on_items(self, claim: Claim, count: int) -> None:
        self.items.append((claim.phase, count))

    def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
        assert 0 <= seconds < 60
        self.ended.append((claim.phase, outcome))


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def watched(settings: Settings, ledger: Ledger, notes: Notes) -> Any:
    worker = Worker.from_settings(settings, watcher=notes)
    yield worker
    worker.resources.ledger.database.dispose()


def unit_of(ledger: Ledger, **changes: Any) -> UUID:
    ledger.submit(submission(**changes))
    (message,) = Queue(ledger.database).dispatch(1)
    return message.unit


def test_every_line_names_unit_job_and_request_whichever_thread_says_it(
    watched: Worker,
    ledger: Ledger,
    does: Callable[[Any], None],
    logs: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("geogaze.runner.heartbeat._LOOK_SECONDS", 0.01)
    beat = Heartbeat._beat

    def spoken(self: Heartbeat) -> None:
        log.info("the heart beats")
        beat(self)

    monkeypatch.setattr(Heartbeat, "_beat", spoken)

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        log.info("the lane works")
        on_device(lambda: log.info("the device works"))
        return MADE

    does(task)
    claim = watched.run(unit_of(ledger, request_id="r-17"))
    assert claim
    lines = {entry["event"]: entry for entry in logs}
    said = {"the lane works", "the device works", "the heart beats", "unit done"}
    assert said <= set(lines)
    for event in said:
        entry = lines[event]
        assert (entry["job"], entry["request"]) == (str(claim.job_id), "r-17"), event
        assert (entry["phase"], entry["unit"], entry["attempt"]) == ("explain", 0, 1)
    log.info("between two units")
    assert "job" not in logs[-1]


def test_a_job_that_came_by_no_request_names_none(
    watched: Worker, ledger: Ledger, does: Callable[[Any], None], logs: list[Any]
) -> None:
    does(lambda resources, claim, pulse: MADE)
    watched.run(unit_of(ledger))
    (done,) = [entry for entry in logs if entry["event"] == "unit done"]
    assert "request" not in done


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (StaleClaim("lost"), "stale-claim"),
        (StorageUnavailable("S3 did not answer"), "storage-unavailable"),
        (SceneUnreadable("damaged"), "scene-unreadable"),
        (ZeroDivisionError("bug"), "unit-broke"),
        (MemoryError("no more"), "host-out-of-memory"),
    ],
)
def test_who_looks_on_is_told_of_batches_and_how_attempts_end(
    watched: Worker,
    ledger: Ledger,
    does: Callable[[Any], None],
    notes: Notes,
    error: Exception | None,
    outcome: str,
) -> None:
    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        pulse(3)
        pulse(0)
        pulse(4)
        if error:
            raise error
        return MADE

    does(task)
    assert watched.run(unit_of(ledger))
    assert notes.items == [("explain", 3), ("explain", 4)]
    assert notes.ended == [("explain", outcome)]


def test_figures_that_cannot_be_kept_cost_no_unit(
    settings: Settings, ledger: Ledger, does: Callable[[Any], None], logs: list[Any]
) -> None:
    class Broken(Watcher):
        def on_items(self, claim: Claim, count: int) -> None:
            raise OSError("No space left on device")

        def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
            raise KeyError(outcome)

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        pulse(7)
        return MADE

    does(task)
    worker = Worker.from_settings(settings, watcher=Broken())
    claim = worker.run(unit_of(ledger))
    assert claim
    assert ledger.status(claim.job_id).items_done == 7
    assert [entry["event"] for entry in logs].count("figures not kept") == 2
    worker.resources.ledger.database.dispose()


@pytest.mark.parametrize(
    ("error", "outcome"), [(DeviceBroke("CUDA error"), "device-broke"), (Stopped(), "handed-back")]
)
def test_so_it_is_of_what_a_worker_ends_with(
    watched: Worker,
    ledger: Ledger,
    does: Callable[[Any], None],
    notes: Notes,
    error: BaseException,
    outcome: str,
) -> None:
    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        raise error

    does(task)
    with pytest.raises(type(error)):
        watched.run(unit_of(ledger))
    assert notes.ended == [("explain", outcome)]


def test_a_worker_says_what_it_runs_on_and_its_last_model(
    settings: Settings, ledger: Ledger, does: Callable[[Any], None]
) -> None:
    worker = Worker.from_settings(settings.model_copy(update={"device": "cpu"}))
    workers = Workers(ledger.database)
    does(lambda resources, claim, pulse: MADE)
    for plan, model in ((PLAN, None), ({**PLAN, "bundle": {"name": "ships"}}, "ships")):
        worker.run(unit_of(ledger, plan=plan))
        workers.report(worker._about())
        (told,) = workers.alive()
        assert (told.report.device, told.report.model) == ("cpu", model)
        assert told.report.slots == settings.lanes
        _finish(worker, ledger)
    worker.run(unit_of(ledger))
    assert worker._about().model == "ships", "what it has loaded"
    worker.resources.ledger.database.dispose()


def _finish(worker: Worker, ledger: Ledger) -> None:
    for message in Queue(ledger.database).dispatch(9):
        worker.run(message.unit)
