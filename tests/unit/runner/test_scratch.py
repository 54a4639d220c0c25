"""Drafts do not pile up, and nobody loses those at work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geogaze.config import Settings
from geogaze.runner.scratch import clean_scratch, scratch_folder

HOLD = """
import sys, time
from pathlib import Path
from geogaze.config import Settings
from geogaze.runner.scratch import scratch_folder
with scratch_folder(Settings(scratch=Path(sys.argv[1]))) as folder:
    (folder / "heat.tif").write_bytes(b"draft")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(scratch=tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process at work in a folder of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_folder_is_gone_afterwards_whatever_happens(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(LookupError), scratch_folder(settings) as folder:  # noqa: PT012
        assert folder.parent == tmp_path
        (folder / "heat.tif").write_bytes(b"draft")
        assert clean_scratch(settings) == 0
        assert folder.is_dir()
        raise LookupError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_the_operator_names_need_not_be_there(
    settings: Settings, tmp_path: Path
) -> None:
    """Else every unit would fail on it."""
    named = tmp_path / "not" / "yet"
    with scratch_folder(settings.model_copy(update={"scratch": named})) as folder:
        assert folder.parent == named


def test_the_dead_are_cleaned_up_after_and_the_living_left_alone(
    settings: Settings, tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    """Whatever its process id means here: in another container it is another's, or nobody's."""
    assert other.stdout
    folder = Path(other.stdout.readline().strip())
    os.utime(folder, (1, 1))  # at it for years
    strangers = [tmp_path / "geogaze-notes", tmp_path / "1-2"]
    for stranger in strangers:
        stranger.mkdir()
    assert clean_scratch(settings) == 0
    assert (folder / "heat.tif").is_file()
    other.kill()
    other.wait()
    assert (folder / "heat.tif").is_file()
    assert clean_scratch(settings) == 1
    assert not folder.exists()
    assert all(stranger.is_dir() for stranger in strangers)


@pytest.mark.parametrize("locked", [True, False])
def test_a_folder_that_is_just_being_made_is_left_alone(
    settings: Settings, tmp_path: Path, locked: bool
) -> None:
    folder = tmp_path / "geogaze-scratch-new"
    folder.mkdir()
    if locked:
        (folder / ".held").touch()  # and its lock about to be taken
    assert clean_scratch(settings) == 0
    hours_ago = time.time() - 7200
    os.utime(folder, (hours_ago, hours_ago))
    assert clean_scratch(settings) == 1


def test_where_the_disk_knows_no_locks_nothing_is_removed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("geogaze.runner.scratch.fcntl.flock", unknown)
    with scratch_folder(settings) as folder:
        (folder / "heat.tif").write_bytes(b"draft")
        assert clean_scratch(settings) == 0
        assert (folder / "heat.tif").is_file()
