"""Ctrl-C, pressed in earnest."""

from __future__ import annotations

import ctypes
import json
import operator
import os
import signal
import threading
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from geogaze.cli.interrupts import first_word
from geogaze.cli.terminal import err
from geogaze.client import Client
from geogaze.runner import local_job
from geogaze.runner.work import Worker
from tests.factories import make_scene
from tests.unit.cli.conftest import Geogaze

QUICK = ("--model", "tiny", "--overlap", 0.5, "--classes", "boat")


def test_the_first_word_comes_while_the_main_thread_is_inside_a_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    reading, writing = os.pipe()

    def say(text: str, **_: Any) -> None:
        said.append(text)
        os.write(writing, b"x")

    monkeypatch.setattr(err, "print", say)
    too_late = threading.Timer(30, os.write, (writing, b"late"))
    found = ctypes.create_string_buffer(1)
    libc = ctypes.CDLL(None)
    # No Python between the two calls, so that the main thread does not hear of it before the end.
    busy = map(
        operator.call,
        [partial(libc.kill, os.getpid(), signal.SIGINT), partial(libc.read, reading, found, 1)],
    )
    too_late.start()
    try:
        with pytest.raises(KeyboardInterrupt), first_word("stopping"):
            deque(busy)
    finally:
        too_late.cancel()
        os.close(reading)
        os.close(writing)
    assert found.raw == b"x"
    assert [text.strip() for text in said] == ["stopping"]


def test_afterwards_ctrl_c_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(err, "print", lambda text, **_: said.append(text))
    with first_word("stopping"):
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert said == []
    assert signal.set_wakeup_fd(-1) == -1


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ctrl-C with the second batch of a run."""
    stopping = threading.Event()
    stop, add = Worker.stop, local_job.Progress.add
    counted = [0]

    def stopped(worker: Worker) -> None:
        stop(worker)
        stopping.set()

    def added(self: Any, tiles: int) -> None:
        add(self, tiles)
        counted[0] += bool(tiles)
        if tiles and counted[0] == 2:
            os.kill(os.getpid(), signal.SIGINT)
            assert stopping.wait(60)

    monkeypatch.setattr(Worker, "stop", stopped)
    monkeypatch.setattr(local_job.Progress, "add", added)
    monkeypatch.setenv("GEOGAZE_CHUNK_TILES", "4")
    monkeypatch.setenv("GEOGAZE_BATCH_SIZE", "4")
    return counted


def test_an_interrupted_run_says_what_becomes_of_it_and_goes_on(
    geogaze: Geogaze, tmp_path: Path, pressed: list[int]
) -> None:
    scene = make_scene(tmp_path / "port.tif", 192, 192)
    words = ("run", scene, "--out", "heat", *QUICK)
    done = geogaze(*words)
    assert done.code == 130, done.err
    first, last = done.err.index("Stopping after the batch"), done.err.index("Interrupted.")
    assert first < last
    assert "the same command goes on" in done.err[last:]
    assert list(Path("heat").glob(".geogaze-*"))
    again = geogaze(*words)
    assert again.code == 0, again.err
    assert "Going on from an earlier run: 8 of 36 tiles" in " ".join(again.err.split())
    assert not list(Path("heat").glob(".geogaze-*"))
    assert Path("heat/heat-boat.tif").is_file()


def test_an_interrupted_run_ends_with_one_line_of_json_too(
    geogaze: Geogaze, tmp_path: Path, pressed: list[int]
) -> None:
    scene = make_scene(tmp_path / "port.tif", 192, 192)
    done = geogaze("run", scene, "--out", "heat", *QUICK, "--json")
    assert done.code == 130
    assert json.loads(done.out)["status"] == "interrupted"
    assert "the same command goes on" in done.last["detail"]


def test_any_command_says_that_it_was_interrupted(
    geogaze: Geogaze, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "jobs", interrupted)
    done = geogaze("jobs")
    assert done.code == 130
    assert done.err.strip() == "Interrupted."


def test_an_out_folder_that_cannot_be_written_is_told_in_json(
    geogaze: Geogaze, tmp_path: Path
) -> None:
    scene = make_scene(tmp_path / "port.tif", 96, 96)
    done = geogaze("run", scene, "--out", "/proc", *QUICK, "--json", "--overwrite")
    assert done.code == 2
    assert "/proc cannot be a folder" in done.last["detail"]
