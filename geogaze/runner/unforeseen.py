"""Errors that no code of ours raised, as some of ours."""

from __future__ import annotations

import errno

from geogaze.errors import GeogazeError, ScratchUnusable, UnitBroke

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


def as_ours(error: Exception) -> GeogazeError:
    """What an error of somebody else's means for the unit that met it."""
    text = f"{type(error).__name__}: {error}"
    full = "No space left on device" in text  # GDAL has no numbers for it
    if full or (isinstance(error, OSError) and error.errno in _DISK_ERRORS):
        return ScratchUnusable(f"{text}. Free the folder GEOGAZE_SCRATCH of this worker.")
    return UnitBroke(text)
