"""Raster files, opened without trusting what they are called, what they contain, or who sends them.

Only one named driver may open one, and no host holds us up for longer than the settings say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from geogaze.config import Settings
from geogaze.errors import SceneAway, SceneUnreadable
from geogaze.scene.gdal import gdal_environment
from geogaze.scene.policy import is_remote
from geogaze.scene.sample import decoded_bands
from geogaze.scene.source import Source

_OPTIONS: Mapping[str, Mapping[str, str]] = {
    # No files beside it, whatever they say.
    "JP2OpenJPEG": {"GEOREF_SOURCES": "INTERNAL"},
}
"""Of drivers, besides what holds for all."""

_NAMES = {"GTiff": "GeoTIFF", "JP2OpenJPEG": "JPEG 2000 file"}


@contextmanager
def open_dataset(source: Source, driver: str) -> Iterator[DatasetReader]:
    """A file as rasterio has it, for this room alone, with GDAL set up for it."""
    s3 = source.gdal_path.startswith("/vsis3/")
    with gdal_environment(source.settings, s3=s3), open_raster(source, driver) as dataset:
        yield dataset


@contextmanager
def open_raster(source: Source, driver: str) -> Iterator[DatasetReader]:
    """A file as rasterio has it, where GDAL is set up already.

    Raises:
        SceneUnreadable: not allowed, missing, not of the driver's, or larger than the caps.
        SceneAway: its host or store does not answer.
    """
    path, uri = source.gdal_path, source.uri
    try:
        dataset = rasterio.open(path, driver=driver, **_OPTIONS.get(driver, {}))
    except RasterioError as error:
        raise _unopened(uri, driver, error) from error
    with dataset:
        _check_caps(uri, dataset, source.settings)
        yield dataset


def _unopened(uri: str, driver: str, error: RasterioError) -> SceneUnreadable | SceneAway:
    if is_remote(uri):  # it starts as its format does, so the rest of its header did not come
        return SceneAway(f"{uri!r} could not be opened where it lies: {error}")
    kind = _NAMES.get(driver, driver)
    return SceneUnreadable(
        f"{uri!r} cannot be opened as a {kind}: {error}. "
        "Convert it with 'gdal_translate -of COG' first."
    )


def check_pixels(uri: str, pixels: int, settings: Settings) -> None:
    """Refuse a scene of more pixels than an operator allows.

    Raises:
        SceneUnreadable: it is one.
    """
    if pixels > settings.max_scene_pixels:
        raise SceneUnreadable(
            f"{uri!r} has {pixels:,} pixels; at most {settings.max_scene_pixels:,} are allowed "
            "(GEOGAZE_MAX_SCENE_PIXELS)."
        )


def _check_caps(uri: str, dataset: DatasetReader, settings: Settings) -> None:
    check_pixels(uri, dataset.width * dataset.height, settings)
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
