"""Folders for drafts, and the removal of those that killed processes left behind."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from geogaze.config import Settings

_PREFIX = "geogaze-scratch-"
_LOCK = ".held"
_YOUNG_SECONDS = 3600.0  # a folder without a lock may have been made just now


@contextmanager
def scratch_folder(settings: Settings) -> Iterator[Path]:
    """A folder of this process's own, gone afterwards.

    Its lock says that its process lives, to whoever shares the disk: process ids mean nothing in
    another container. The system lets go of the lock when the process ends, however it ends.
    """
    if settings.scratch:
        settings.scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=settings.scratch) as folder,
        (Path(folder) / _LOCK).open("wb") as lock,
    ):
        with suppress(OSError):  # a disk without locks: see _abandoned
            fcntl.flock(lock, fcntl.LOCK_EX)  # at once, but for somebody who just looks
        yield Path(folder)


def clean_scratch(settings: Settings) -> int:
    """Remove folders of processes that live no more; how many."""
    removed = 0
    root = settings.scratch or Path(tempfile.gettempdir())
    for folder in root.glob(f"{_PREFIX}*"):
        if folder.is_dir() and _abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _abandoned(folder: Path) -> bool:
    """Whether nobody holds a folder's lock; where that cannot be told, somebody does."""
    try:
        with (folder / _LOCK).open("rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Empty: its lock may be about to be taken.
            return _old(folder) or len(list(folder.iterdir())) > 1
    except FileNotFoundError:
        return _old(folder)
    except OSError:
        return False


def _old(folder: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - folder.stat().st_mtime > _YOUNG_SECONDS
    return False
