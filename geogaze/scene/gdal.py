"""GDAL set up so that it reads what it is told to, and no host holds it up for long."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from geogaze.config import Settings
from geogaze.s3 import gdal_session

# Refusals of scenes that lie nowhere say it better, and chips may lie nowhere. Said once for the
# process: what is set around one file alone (catch_warnings) threads undo for each other.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

_SLOWEST = 1000  # bytes a second; less is silence


@contextmanager
def gdal_environment(settings: Settings, *, s3: bool = False) -> Iterator[None]:
    """GDAL options for all raster work: bounded cache and waits, no sidecar files, no surprises."""
    session, for_s3 = gdal_session(settings) if s3 else (None, {})
    options = {
        "GDAL_CACHEMAX": settings.gdal_cache_mb * 2**20,  # rasterio hands on bytes
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_PAM_ENABLED": False,
        "GDAL_HTTP_CONNECTTIMEOUT": f"{settings.connect_seconds:g}",
        "GDAL_HTTP_TIMEOUT": f"{settings.request_seconds:g}",
        "GDAL_HTTP_LOW_SPEED_TIME": f"{math.ceil(settings.silence_seconds)}",
        "GDAL_HTTP_LOW_SPEED_LIMIT": _SLOWEST,
        "GDAL_HTTP_MAX_RETRY": 1,  # the ledger tries again, later
        "GDAL_HTTP_RETRY_DELAY": "0.5",
        # Else what failed once fails for as long as the process lives, without being asked for,
        # and of a scene that was replaced old pieces are mixed with new ones.
        "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/",
        **for_s3,
    }
    with rasterio.Env(session, **options):
        yield


def georeferenced_shape(file: Path, settings: Settings) -> tuple[int, int] | None:
    """Rows and columns of a local GeoTIFF that has a place on the map; None of any other file."""
    with gdal_environment(settings):
        try:
            with rasterio.open(file, driver="GTiff") as dataset:
                placed = dataset.crs and not dataset.transform.is_identity
                return dataset.shape if placed else None
        except RasterioError:
            return None
