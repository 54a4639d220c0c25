"""Opening scenes without trusting what they are called, what they contain, or who sends them.

Only the GTiff driver may open a scene, and no host holds us up for longer than the settings say.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from geogaze.config import Settings
from geogaze.errors import (
    SceneAway,
    SceneReplaced,
    SceneUnreachable,
    SceneUnreadable,
)
from geogaze.s3 import gdal_session
from geogaze.scene.advice import why_no_geotiff
from geogaze.scene.policy import SourcePolicy, is_remote
from geogaze.scene.sample import decoded_bands
from geogaze.scene.version import look

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


def scene_version(uri: str, policy: SourcePolicy, settings: Settings) -> str | None:
    """Modification time and size of a file, or the ETag of an object; None if it is not told.

    Raises:
        SceneUnreadable: the source is not allowed, or not there.
        SceneAway: its host or store does not answer.
    """
    return look(uri, policy, settings).version


@contextmanager
def open_scene(
    uri: str, policy: SourcePolicy, settings: Settings, *, version: str | None = None
) -> Iterator[DatasetReader]:
    """Open a GeoTIFF for reading.

    Args:
        uri: as the user named it.
        policy: where scenes may come from.
        settings: caps, and how long others may take.
        version: the one that the scene must have, when it is opened and also when it is closed.

    Raises:
        SceneUnreadable: not allowed, missing, not a GeoTIFF, or larger than the operator's caps.
        SceneAway: its host or store does not answer.
        SceneReplaced: it has, or got meanwhile, another version.
    """
    path = policy.gdal_path(uri)
    seen = look(uri, policy, settings)
    _check_version(uri, version, seen.version)
    if told := why_no_geotiff(seen.start):
        raise SceneUnreadable(f"{uri!r} cannot be opened as a GeoTIFF. {told}")
    with gdal_environment(settings, s3=path.startswith("/vsis3/")):
        try:
            with warnings.catch_warnings():
                # The refusal of such scenes says it better.
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                dataset = rasterio.open(path, driver="GTiff")
        except RasterioError as error:
            raise _unopened(uri, error) from error
        with dataset:
            _check_caps(uri, dataset, settings)
            try:
                yield dataset
            except (RasterioError, SceneUnreadable, SceneUnreachable):
                # Of a store that is away, or of a scene that was replaced, no block is to blame.
                _check_version(uri, version, look(uri, policy, settings).version)
                raise
        if version:
            _check_version(uri, version, look(uri, policy, settings).version)


def _check_version(uri: str, wanted: str | None, found: str | None) -> None:
    if wanted and found != wanted:
        raise SceneReplaced(
            f"The scene {uri!r} was replaced since the job was accepted (it was {wanted}, it is "
            f"{found}). Submit it again."
        )


def _unopened(uri: str, error: RasterioError) -> SceneUnreadable | SceneAway:
    if is_remote(uri):  # it starts as a TIFF does, so the rest of its header did not come
        return SceneAway(f"{uri!r} could not be opened where it lies: {error}")
    return SceneUnreadable(
        f"{uri!r} cannot be opened as a GeoTIFF: {error}. "
        "Convert it with 'gdal_translate -of COG' first."
    )


def _check_caps(uri: str, dataset: DatasetReader, settings: Settings) -> None:
    pixels = dataset.width * dataset.height
    if pixels > settings.max_scene_pixels:
        raise SceneUnreadable(
            f"{uri!r} has {pixels:,} pixels; at most {settings.max_scene_pixels:,} are allowed "
            "(GEOGAZE_MAX_SCENE_PIXELS)."
        )
    rows, cols = dataset.block_shapes[0]
    item = int(np.dtype(dataset.dtypes[0]).itemsize)
    block = rows * cols * item * decoded_bands(dataset, dataset.indexes[:1])
    if block > settings.max_block_bytes:
        raise SceneUnreadable(
            f"{uri!r} has internal blocks of {rows} × {cols} pixels, {block / 2**20:,.0f} MiB to "
            f"be read at once; at most {settings.max_block_bytes / 2**20:,.0f} are allowed "
            "(GEOGAZE_MAX_BLOCK_BYTES). Convert it with 'gdal_translate -co TILED=YES "
            "-co INTERLEAVE=BAND -co BIGTIFF=IF_SAFER' first."
        )


def georeferenced_shape(file: Path, settings: Settings) -> tuple[int, int] | None:
    """Rows and columns of a local GeoTIFF that has a place on the map; None of any other file."""
    with gdal_environment(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(file, driver="GTiff") as dataset:
                placed = dataset.crs and not dataset.transform.is_identity
                return dataset.shape if placed else None
        except RasterioError:
            return None
