"""Where an embedded run keeps its ledger and parts until its products are whole."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from geogaze.errors import InvalidRequest

log = structlog.get_logger()

_PREFIX = ".geogaze-"
_NAMED = 16  # digits of the content


@dataclass
class Workspace:
    """A folder that outlives its run where ``kept`` says so: the same command goes on in it."""

    folder: Path
    kept: bool = False

    @property
    def objects(self) -> Path:
        """Where parts and products lie."""
        return self.folder / "objects"

    @property
    def scratch(self) -> Path:
        """Where units keep what they are at."""
        return self.folder / "scratch"

    @property
    def holds_parts(self) -> bool:
        """Whether any work was stored."""
        return any(path.is_file() for path in self.objects.rglob("*"))


@contextmanager
def workspace(out: Path, content: str) -> Iterator[Workspace]:
    """The workspace of all commands that explain the same ``content`` into the folder ``out``.

    One process at a time has it; the system gives it back when that one dies, however it does. An
    ``out`` that was made for it goes with it, if nothing else lies there.

    Raises:
        InvalidRequest: the folder cannot be made or written, or another run is at work there.
    """
    made_out = not out.exists()
    folder = out / f"{_PREFIX}{content[:_NAMED]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise InvalidRequest(
            f"{out} cannot be a folder for the products: {error}. Choose another --out."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidRequest(
                f"Another geogaze run is at the same work in {out}. Wait for it, or choose "
                "another --out."
            ) from error
        except OSError as error:
            log.warning("disk without locks", folder=str(out), error=str(error))
        here = Workspace(folder)
        shutil.rmtree(here.scratch, ignore_errors=True)  # of a run that was killed
        here.scratch.mkdir()
        try:
            yield here
        finally:
            if not here.kept:
                shutil.rmtree(folder, ignore_errors=True)
                if made_out:
                    with suppress(OSError):  # something else lies there
                        out.rmdir()
