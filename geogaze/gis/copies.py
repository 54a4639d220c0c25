"""Copies of objects on this machine's disk, for readers that need a file."""

from __future__ import annotations

import os
import tempfile
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from geogaze.errors import StorageUnavailable

_PREFIX = "geogaze-copy-"
_OLD = 86400.0  # seconds: whose process was killed


def sweep(folder: Path | None) -> None:
    """Remove copies that processes have left which were killed.

    One that is in use after all is read to its end, and fetched again for the next.
    """
    for left in Path(folder or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another's, or just gone
            if time.time() - left.stat().st_mtime > _OLD:
                left.unlink()


class Copy:
    """A copy of an object, which is there as long as somebody holds this, and it is not closed.

    Args:
        folder: where; None: the system's for such things.
        fetch: writes the object into a file.

    Raises:
        StorageUnavailable: the disk refused it; also what ``fetch`` raises.
    """

    def __init__(self, folder: Path | None, fetch: Callable[[Path], None]) -> None:
        try:
            handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
            os.close(handle)
            self.path = Path(name)
            self._gone = weakref.finalize(self, self.path.unlink, missing_ok=True)
            try:
                fetch(self.path)
            except BaseException:
                self.close()
                raise
            self.size = self.path.stat().st_size
        except OSError as error:
            raise StorageUnavailable(
                f"There is no room for a copy of an object: {error}. (Operators: GEOGAZE_SCRATCH "
                "says where copies lie.)"
            ) from error

    def close(self) -> None:
        """Remove it."""
        self._gone()
