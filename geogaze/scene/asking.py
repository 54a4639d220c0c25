"""Reading from a scene whose host may fall silent: what is wrong then, and when to ask no more."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rasterio._err import CPLE_OutOfMemoryError
from rasterio.errors import RasterioError

from geogaze.errors import HostOutOfMemory, SceneUnreachable, SceneUnreadable
from geogaze.scene.policy import is_remote
from geogaze.scene.reader import PartUnread, unread

_MOST_SILENCES = 2


class RangeUnread(Exception):
    """Bytes of a remote scene did not come, or are no pixels; the text says why."""


class Asking:
    """The reads of one open scene, each of which ends when its host has been silent a while.

    Whoever goes on after a read that failed would be held up as long by every block of a large
    scene. So a host that was silent twice is not asked again: once may be met by a whole window,
    and once by the block that is to blame.

    Args:
        uri: the scene.
        silence_seconds: a remote read that fails after so long met a silent host.
    """

    def __init__(self, uri: str, silence_seconds: float = math.inf) -> None:
        self.uri = uri
        self._silence_seconds = silence_seconds
        self._silences = 0

    @contextmanager
    def read(self) -> Iterator[None]:
        """Around a read.

        Raises:
            PartUnread: it failed, or the host is not asked again.
            HostOutOfMemory: it takes more memory than there is here, which is no fault of the part.
        """
        if self._silences >= _MOST_SILENCES:
            raise PartUnread("its host is silent")
        started = time.monotonic()
        try:
            yield
        except (RasterioError, RangeUnread) as error:
            if isinstance(error.__cause__, CPLE_OutOfMemoryError):
                raise HostOutOfMemory(
                    f"A part of {self.uri!r} takes more memory than there is ({error.__cause__}). "
                    "Write the scene anew in smaller blocks, by gdal_translate -of COG."
                ) from error
            late = time.monotonic() - started >= self._silence_seconds
            self._silences += late and is_remote(self.uri)
            raise PartUnread(str(error)) from error

    def error(self, what: str, error: PartUnread) -> SceneUnreadable | SceneUnreachable:
        """A failed read as an error for the user."""
        return unread(what, error, remote=is_remote(self.uri))
