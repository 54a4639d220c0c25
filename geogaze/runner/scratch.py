"""Folders for drafts, and the removal of those that killed processes left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from geogaze.config import Settings

_PREFIX = "geogaze-scratch-"
_CLOCK_SECONDS = 2.0  # processes are dated less exactly than files


@contextmanager
def scratch_folder(settings: Settings) -> Iterator[Path]:
    """A folder of this process's own, gone afterwards."""
    with tempfile.TemporaryDirectory(
        prefix=f"{_PREFIX}{os.getpid()}-", dir=settings.scratch
    ) as folder:
        yield Path(folder)


def clean_scratch(settings: Settings) -> int:
    """Remove folders of processes that live no more; how many."""
    removed = 0
    root = settings.scratch or Path(tempfile.gettempdir())
    for folder in root.glob(f"{_PREFIX}*-*"):
        process = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if process.isdigit() and not _lives(int(process), folder):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _lives(process: int, folder: Path) -> bool:
    """Whether the process that made a folder lives, and not another that got its number since."""
    try:
        return psutil.Process(process).create_time() <= folder.stat().st_mtime + _CLOCK_SECONDS
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True
