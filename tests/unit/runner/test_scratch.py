"""Drafts do not pile up, and nobody loses those at work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from geogaze.config import Settings
from geogaze.runner.scratch import clean_scratch, scratch_folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(scratch=tmp_path)


def make_folder(root: Path, process: int, born: float | None = None) -> Path:
    folder = root / f"geogaze-scratch-{process}-abc"
    folder.mkdir()
    (folder / "heat.tif").write_bytes(b"draft")
    if born is not None:
        os.utime(folder, (born, born))
    return folder


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_folder_is_gone_afterwards_whatever_happens(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(LookupError), scratch_folder(settings) as folder:  # noqa: PT012
        assert folder.parent == tmp_path
        (folder / "heat.tif").write_bytes(b"draft")
        assert clean_scratch(settings) == 0
        assert folder.is_dir()
        raise LookupError
    assert list(tmp_path.iterdir()) == []


def test_the_dead_are_cleaned_up_after_and_the_living_left_alone(
    settings: Settings, tmp_path: Path
) -> None:
    dead = make_folder(tmp_path, dead_process())
    living = make_folder(tmp_path, os.getppid())
    others = [tmp_path / "geogaze-scratch-notes-1", tmp_path / "geogaze-notes", tmp_path / "1-2"]
    for other in others:
        other.mkdir()
    assert clean_scratch(settings) == 1
    assert not dead.exists()
    assert (living / "heat.tif").is_file()
    assert all(other.is_dir() for other in others)


def test_a_number_that_another_process_has_by_now_protects_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    """In a container that is started again, the same few numbers come again."""
    before_us = psutil.Process().create_time() - 60
    folder = make_folder(tmp_path, os.getpid(), born=before_us)
    assert clean_scratch(settings) == 1
    assert not folder.exists()
