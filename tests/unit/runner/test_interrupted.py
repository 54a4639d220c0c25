"""Runs that end early, and the same command going on: nothing is done twice, nothing differs."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from geogaze.config import Settings
from geogaze.errors import (
    DatabaseUnavailable,
    GeogazeError,
    Interrupted,
    InvalidRequest,
    ScratchUnusable,
    StorageUnavailable,
    UnitBroke,
)
from geogaze.evidence.engine import Engine
from geogaze.ledger import database
from geogaze.ledger.claims import Claims
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import JobStatus
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.explain.so_far import SO_FAR
from geogaze.runner import local_job, work
from geogaze.runner.embedded import RunReport, run
from geogaze.runner.pulse import OnProgress
from geogaze.runner.work import Worker
from geogaze.storage import FolderStorage
from tests.factories import make_scene

TILES = 144  # 12 × 12, in chunks of 3 × 3
UNIT = 9

Go = Callable[..., RunReport]


@pytest.fixture
def go(bundle_folder: Path, tmp_path: Path) -> Go:
    """Run a scene of 144 tiles into a folder of this name."""
    scene = make_scene(tmp_path / "scene.tif", 384, 384)

    def go(out: str, on_progress: OnProgress | None = None, **options: Any) -> RunReport:
        overwrite = options.pop("overwrite", False)
        settings = Settings(
            device="cpu",
            torch_threads=1,
            batch_size=3,
            chunk_tiles=UNIT,
            lease_seconds=options.pop("lease_seconds", 600),
        )
        asked = ExplainRequest(scene=str(scene), model=str(bundle_folder), **options)
        tell = on_progress or (lambda status, tiles: None)
        return run(asked, tmp_path / out, settings, overwrite=overwrite, on_progress=tell)

    return go


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[int, int]]:
    """How many tiles the device did, in all."""
    done: Counter[tuple[int, int]] = Counter()
    explain_tiles = Engine.explain_tiles

    def counted(self: Engine, window: Any, corners: Any, *rest: Any) -> Any:
        for batch in explain_tiles(self, window, corners, *rest):
            done[0, 0] += len(batch.probabilities)
            yield batch

    monkeypatch.setattr(Engine, "explain_tiles", counted)
    return done


def products(report: RunReport) -> dict[str, bytes]:
    """Bytes of all products; of the item, all but the job's id and time."""
    found = {name: path.read_bytes() for name, path in report.assets.items()}
    item = json.loads(found["item"])
    for name in ("datetime", "created", "updated", "processing:datetime"):
        item["properties"].pop(name, None)
    text = json.dumps(item).replace(str(report.job), "JOB")
    return {**found, "item": text.encode()}


def workspaces(folder: Path) -> list[Path]:
    return sorted(folder.glob(".geogaze-*"))


class ControlC:
    """Presses Ctrl-C in earnest, and lets nothing go on before it works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 0
        self.stopping = threading.Event()
        stop = Worker.stop

        def stopped(worker: Worker) -> None:
            stop(worker)
            self.stopping.set()

        monkeypatch.setattr(Worker, "stop", stopped)

    def press_at(self, tiles: int) -> OnProgress:
        self.at = tiles
        self.stopping.clear()

        def show(status: JobStatus, since: int) -> None:
            if since and status.items_done + since >= tiles and not self.stopping.is_set():
                os.kill(os.getpid(), signal.SIGINT)
                assert self.stopping.wait(60)

        return show


def test_interrupted_at_30_60_and_90_percent_and_started_again(
    go: Go, explained: Counter[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = go("whole")
    assert whole.tiles == TILES
    expected = products(whole)
    explained.clear()
    keys = ControlC(monkeypatch)
    for percent in (30, 60, 90):
        before = explained.total()
        with pytest.raises(Interrupted, match="the same command goes on"):
            go("out", keys.press_at(TILES * percent // 100))
        assert explained.total() > before
        assert [path.name for path in (tmp_path / "out").iterdir()] == [
            workspaces(tmp_path / "out")[0].name
        ]
    told: list[tuple[int, int]] = []
    report = go("out", lambda status, tiles: told.append((status.items_done, tiles)))
    assert report.reused >= TILES * 90 // 100 - 2 * UNIT  # two units were in hand
    assert told[0] == (report.reused, 0)
    assert explained.total() <= TILES + 6 * UNIT, "more than the two units in hand, each time"
    assert products(report) == expected
    assert not workspaces(tmp_path / "out")


def test_a_run_interrupted_before_it_explained_anything_leaves_nothing(
    go: Go, tmp_path: Path
) -> None:
    def at_once(status: JobStatus, tiles: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="Nothing was kept"):
        go("out", at_once)
    assert not (tmp_path / "out").exists()


def test_a_run_that_was_killed_goes_on_too(
    go: Go, explained: Counter[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process had in hand is taken back at once, not when its lease ends."""
    expected = products(go("whole"))
    keys = ControlC(monkeypatch)
    release = Claims.release
    monkeypatch.setattr(Claims, "release", lambda *_: None)  # nor did it say good-bye
    with pytest.raises(Interrupted):
        go("out", keys.press_at(TILES // 2))
    monkeypatch.setattr(Claims, "release", release)
    explained.clear()
    report = go("out")
    assert 0 < report.reused < TILES
    assert explained.total() == TILES - report.reused
    assert products(report) == expected


def test_another_look_at_the_same_parts_goes_on_from_them(
    go: Go, explained: Counter[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = products(go("whole", colormap="viridis", classes=["boat"]))
    keys = ControlC(monkeypatch)
    with pytest.raises(Interrupted):
        go("out", keys.press_at(TILES // 2), classes=["boat"])
    explained.clear()
    report = go("out", classes=["boat"], colormap="viridis")
    assert explained.total() == TILES - report.reused < TILES
    assert products(report) == expected
    with pytest.raises(Interrupted):
        go("out", keys.press_at(TILES // 2), classes=["road"], overwrite=True)
    other = go("out", classes=["boat"], overwrite=True)
    assert other.reused == 0
    assert "heat-road" not in other.assets


def test_ctrl_c_finds_the_main_thread_in_no_transaction(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised there, wherever that is: a transaction would stay open, the ledger locked."""
    began: list[threading.Thread] = []
    monkeypatch.setattr(
        database, "_begin_immediate", partial(_noted, began, database._begin_immediate)
    )
    working = [0, 0]

    def show(status: JobStatus, tiles: int) -> None:
        working[:] = [working[0] or len(began), len(began)]

    go("out", show)
    first, last = working
    assert last - first > TILES // UNIT
    assert threading.main_thread() not in began[first:last]


def _noted(began: list[threading.Thread], begin: Callable[[Any], None], connection: Any) -> None:
    began.append(threading.current_thread())
    begin(connection)


def test_two_runs_of_the_same_work_do_not_meet(go: Go, tmp_path: Path) -> None:
    refused: list[str] = []

    def meanwhile(status: JobStatus, tiles: int) -> None:
        if tiles and not refused:
            with pytest.raises(InvalidRequest, match="Another geogaze run") as caught:
                go("out")
            refused.append(str(caught.value))

    go("out", meanwhile)
    assert refused


def test_a_database_that_fails_at_commit_holds_nobody_up(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit stays running, and no one has it in hand."""
    monkeypatch.setattr(local_job, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(work, "_COMMIT_AGAIN_SECONDS", 0.01)
    commit, give_up = Claims.commit, Claims.give_up
    away: list[str] = []

    def commits(*words: Any, **options: Any) -> None:
        if "gave up" not in away:
            away.append("committed")
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))
        commit(*words, **options)

    def gives_up(*words: Any) -> bool:
        if "gave up" not in away:
            away.append("gave up")
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))
        return give_up(*words)

    monkeypatch.setattr(Claims, "commit", commits)
    monkeypatch.setattr(Claims, "give_up", gives_up)
    report = go("out", classes=["boat"], lease_seconds=0.05)
    assert "gave up" in away
    assert report.skipped == []


def test_a_claim_that_fails_holds_nobody_up(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit stays dispatched, and nobody is to claim it."""
    monkeypatch.setattr(local_job, "_PAUSE_SECONDS", 0.0)
    claim = Claims.claim
    failing = [1]

    def broken(*words: Any, **named: Any) -> Any:
        if failing:
            failing.pop()
            raise OperationalError("UPDATE", {}, sqlite3.OperationalError("database is locked"))
        return claim(*words, **named)

    monkeypatch.setattr(Claims, "claim", broken)
    assert go("out", classes=["boat"]).tiles == TILES


def test_a_disk_that_is_full_ends_the_run_and_keeps_its_work(
    go: Go, monkeypatch: pytest.MonkeyPatch, explained: Counter[Any]
) -> None:
    monkeypatch.setattr(local_job, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(work, "_COMMIT_AGAIN_SECONDS", 0.01)
    commit = Claims.commit
    commits = [0]

    def full(*words: Any, **options: Any) -> None:
        commits[0] += 1
        if commits[0] > 3:
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk is full"))
        commit(*words, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Claims, "commit", full)
        patch.setattr(Claims, "give_up", full)
        with pytest.raises(GeogazeError, match="the same command goes on"):
            go("out", classes=["boat"], lease_seconds=0.05)
    explained.clear()
    report = go("out", classes=["boat"])
    assert report.reused == 3 * UNIT
    assert explained.total() == TILES - report.reused


def test_a_disk_too_full_for_a_part_ends_the_run_at_once(
    go: Go, monkeypatch: pytest.MonkeyPatch, explained: Counter[Any]
) -> None:
    """It is not waited for, as storage that others share is; nor is any tile to blame."""
    puts: list[str] = []
    put, write_bytes = FolderStorage.put, Path.write_bytes

    def noted(storage: FolderStorage, key: str, data: bytes) -> None:
        if not key.endswith(SO_FAR):  # is made where it is time, and fails no unit
            puts.append(key)
        put(storage, key, data)

    def full(path: Path, data: bytes) -> int:
        if len(puts) > 2:  # two files a part
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStorage, "put", noted)
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageUnavailable, match=r"No space left.*the same command goes on"):
            go("out", classes=["boat"], on_error="skip")
    assert len(puts) <= 4, "one unit for each lane, and no second try"
    explained.clear()
    report = go("out", classes=["boat"], on_error="skip")
    assert report.skipped == []
    assert explained.total() == TILES - report.reused


def test_a_ledger_that_cannot_be_written_is_told_in_words(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any) -> Any:
        raise OperationalError("BEGIN", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(Queue, "dispatch", locked)
    with pytest.raises(DatabaseUnavailable, match="database or disk is full"):
        go("out")


def test_products_that_cannot_be_put_into_place_are_not_lost(
    go: Go, explained: Counter[Any], tmp_path: Path
) -> None:
    in_the_way = tmp_path / "out" / "preview.png"
    in_the_way.mkdir(parents=True)
    with pytest.raises(ScratchUnusable, match=r"preview\.png"):
        go("out", classes=["boat"], overwrite=True)
    in_the_way.rmdir()
    explained.clear()
    report = go("out", classes=["boat"], overwrite=True)
    assert explained.total() == 0
    assert report.reused == TILES
    assert products(report) == products(go("whole", classes=["boat"]))


def test_a_job_that_failed_is_tried_again_by_the_same_command(
    go: Go, monkeypatch: pytest.MonkeyPatch, explained: Counter[Any]
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("out of luck")

    with monkeypatch.context() as patch:
        patch.setattr("geogaze.products.make.preview.write_preview", broken)
        patch.setattr("geogaze.ledger.retries.Backoff.seconds", lambda *_: 0.0)
        with pytest.raises(UnitBroke, match=r"out of luck.*the same command goes on"):
            go("out", classes=["boat"])
    assert explained.total() == TILES
    go("out", classes=["boat"])
    assert explained.total() == TILES


@pytest.mark.parametrize("out", ["/proc", "/proc/self"])
def test_an_existing_folder_that_cannot_be_written(go: Go, out: str) -> None:
    with pytest.raises(InvalidRequest, match=r"/proc.* cannot be a folder"):
        go(out, overwrite=True)
