"""Chips: pictures of one model input, without a place on the map, read as scenes are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.config import Settings
from geogaze.errors import SceneUnreadable, SceneUnusable
from geogaze.scaling import unit_range
from geogaze.scene.bands import choose_bands, coded_in, named_in
from geogaze.scene.gdal import gdal_environment
from geogaze.scene.ranges import Ranges, given_ranges, percentile_ranges
from geogaze.scene.validity import known_bands, labels_of

warnings.filterwarnings("ignore", module=r"PIL\.")  # the refusal of such files says it better

_PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_PNG = b"\x89PNG"
_MOST_PICTURE_BANDS = 4


@dataclass(frozen=True)
class Wanted:
    """What a model takes of a chip: its bands by name, and which values become 0 and 1.

    ``chosen`` are the file's bands (from 1) for them, where a user says; ``rescale`` is one range,
    or one for each band. ``scaled`` says that a chip that is not of bytes must have been given
    ranges, as those of its own values would differ from chip to chip.
    """

    bands: tuple[str, ...]
    rescale: Ranges | None = None
    chosen: tuple[int, ...] | None = None
    scaled: bool = False


@dataclass(frozen=True)
class Chip:
    """``values`` (bands, h, w) in 0..1, or bytes; ``known`` (bands, h, w) where they are data."""

    values: NDArray[Any]
    known: NDArray[np.bool_]


def read_chip(path: Path, wanted: Wanted, settings: Settings) -> Chip:
    """Read a chip: by GDAL where it has other than bytes or other than three bands.

    Args:
        path: a TIFF, PNG, JPEG, BMP or WEBP file.
        wanted: bands and ranges.
        settings: GDAL's limits.

    Raises:
        SceneUnreadable: it is no such file.
        SceneUnusable: it has other bands than are wanted, or values that nobody said how to scale.
    """
    with _raster(path, settings) as dataset:
        if dataset is not None and _is_raster(dataset, wanted):
            return _from_raster(path, dataset, wanted)
    values = _picture(path, len(wanted.bands))
    known = np.ones(values.shape, dtype=bool)
    if wanted.rescale:
        ranges = given_ranges(wanted.rescale, len(values))
        return Chip(unit_range(values, ranges), known)
    return Chip(values, known)


def chip_values(
    path: Path, wanted: Wanted, mean: Sequence[float], settings: Settings
) -> NDArray[Any]:
    """A chip's values (bands, h, w), bytes or 0..1, with means (of 0..1) where they are no data;
    arguments and errors as :func:`read_chip`.
    """
    return filled(read_chip(path, wanted, settings), mean)


def filled(chip: Chip, mean: Sequence[float]) -> NDArray[Any]:
    """A chip's values (bands, h, w), bytes or 0..1, with means where they are not known."""
    if chip.known.all():
        return chip.values
    values = chip.values
    share = values / np.float32(255) if values.dtype == np.uint8 else values
    means = np.array(mean, dtype=np.float32)[:, None, None]
    return np.where(chip.known, share, means).astype(np.float32)


@contextmanager
def _raster(path: Path, settings: Settings) -> Iterator[DatasetReader | None]:
    """The file as GDAL has it; None where it is none of the formats that GDAL is asked about."""
    with gdal_environment(settings):
        try:
            with path.open("rb") as file:
                driver = "PNG" if file.read(len(_PNG)) == _PNG else "GTiff"
            dataset = rasterio.open(path, driver=driver)
        except (OSError, RasterioError):
            yield None
            return
        with dataset:
            yield dataset


def _is_raster(dataset: DatasetReader, wanted: Wanted) -> bool:
    """Whether it is more than a picture in three colours."""
    if wanted.chosen is not None or any(dtype != "uint8" for dtype in dataset.dtypes):
        return True
    more = len(wanted.bands) != 3 or dataset.count > _MOST_PICTURE_BANDS
    return more and str(dataset.driver) == "GTiff"


def _from_raster(path: Path, dataset: DatasetReader, wanted: Wanted) -> Chip:
    labels = labels_of(dataset)
    bands, _ = choose_bands(str(path), labels, wanted.bands, wanted.chosen)
    dtype = dataset.dtypes[bands[0] - 1]
    if dtype.startswith("complex"):
        raise SceneUnusable(f"{path} holds complex values; save magnitude or intensity first.")
    shape = (dataset.height, dataset.width)
    try:
        values = dataset.read(list(bands))
        known = known_bands(dataset, bands, values, Window(0, 0, *shape[::-1]), shape)
    except RasterioError as error:
        raise SceneUnreadable(f"{path} is damaged: {error}") from error
    if wanted.rescale:
        ranges = given_ranges(wanted.rescale, len(bands))
    elif dtype == "uint8":
        return Chip(values, known)
    elif wanted.scaled:
        raise SceneUnusable(
            f"{path} holds {dtype}: say which values become 0 and 1, for all chips alike: "
            "--rescale LO,HI."
        )
    else:
        samples = [band[where] for band, where in zip(values, known, strict=True)]
        ranges, _ = percentile_ranges(str(path), bands, samples)
    return Chip(unit_range(values, ranges), known)


def _picture(path: Path, bands: int) -> NDArray[np.uint8]:
    """Bytes (bands, h, w) of a photograph, in colour or, of one band, in grey."""
    from PIL import Image, UnidentifiedImageError

    if bands not in {1, 3}:
        raise SceneUnusable(
            f"{path} is a picture, and the model takes {bands} bands: give it a GeoTIFF of them."
        )
    try:
        with Image.open(path, formats=_PICTURES) as opened:
            pixels = np.asarray(opened.convert("RGB" if bands == 3 else "L"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise SceneUnreadable(f"{path} cannot be read as an image: {error}") from error
    return np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], bands).transpose(2, 0, 1))


def colours_of(values: NDArray[Any], names: Sequence[str]) -> NDArray[np.uint8]:
    """A picture (h, w, 3) to look at of a chip's values (bands, h, w), bytes or 0..1.

    Red, green and blue are taken by their names, else the first three bands, else the first.
    """
    known = [named_in(name) or coded_in(name) for name in names]
    places = [known.index(colour) for colour in ("red", "green", "blue") if colour in known]
    if len(places) < 3:
        places = [0, 1, 2] if len(values) >= 3 else [0, 0, 0]
    shown = values[places]
    if shown.dtype != np.uint8:
        shown = (np.clip(shown, 0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(shown.transpose(1, 2, 0))
