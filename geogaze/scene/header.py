"""What a scene says of itself, and whether it can be explained at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product

import numpy as np
import pyproj
from affine import Affine
from pydantic import BaseModel, ConfigDict
from pyproj.exceptions import ProjError
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.errors import SceneUnreadable, SceneUnusable

_LOOK = 1024  # pixels per side of the decimated read behind the default rescale
_PARTS = 16  # along each side, of a scene that cannot be read as a whole
_PERCENTILES = (2.0, 98.0)
_ODD_SCALE = 0.01  # UTM departs from true metres by 0.1 % at most, Web Mercator by far more


class SceneInfo(BaseModel):
    """A readable scene. ``transform`` holds the affine's first six numbers, ``pixel_metres`` the
    side of a pixel on the ground, ``rescale`` the values per chosen band that become 0 and 1.
    ``version`` changes with the file's content, as far as its store can tell.
    """

    model_config = ConfigDict(frozen=True)

    uri: str
    width: int
    height: int
    crs_wkt: str
    epsg: int | None
    transform: tuple[float, float, float, float, float, float]
    dtype: str
    bands: tuple[int, ...]
    pixel_metres: float
    rescale: tuple[tuple[float, float], ...]
    rescale_source: str
    version: str | None = None

    @property
    def affine(self) -> Affine:
        """Pixel (col, row) corners to CRS coordinates."""
        return Affine(*self.transform)


def describe(
    dataset: DatasetReader,
    uri: str,
    band_names: Sequence[str],
    bands: Sequence[int] | None,
    rescale: Sequence[tuple[float, float]] | None,
) -> SceneInfo:
    """Check a scene and say what must be known to plan a job on it.

    Args:
        dataset: the open scene.
        uri: as the user named it.
        band_names: the model's bands, in order.
        bands: the scene's bands (from 1) for them, or None to choose.
        rescale: one (low, high) for all bands or one for each, or None to choose.

    Raises:
        SceneUnusable: no CRS, ground control points only, complex, empty, or wrong bands.
    """
    if not dataset.crs or dataset.transform.is_identity:
        gcps, _ = dataset.gcps
        what = (
            "only ground control points" if gcps else "no CRS" if not dataset.crs else "no affine"
        )
        raise SceneUnusable(
            f"{uri!r} has {what}, so its heat would lie nowhere on the map. "
            "Georeference it first (gdalwarp, or 'gdal_translate -a_srs … -a_ullr …')."
        )
    if dataset.transform.is_degenerate:
        raise SceneUnusable(f"{uri!r} has a degenerate affine {tuple(dataset.transform)[:6]}.")
    chosen = _choose_bands(dataset, uri, band_names, bands)
    if dataset.dtypes[chosen[0] - 1].startswith("complex"):
        raise SceneUnusable(f"{uri!r} holds complex values; save magnitude or intensity first.")
    try:
        sample = _sample(dataset, uri, chosen)
    except RasterioError as error:
        raise SceneUnreadable(f"{uri!r} is damaged: {error}") from error
    ranges, source = _choose_rescale(dataset.dtypes[chosen[0] - 1], sample, rescale, len(chosen))
    return SceneInfo(
        uri=uri,
        width=dataset.width,
        height=dataset.height,
        crs_wkt=dataset.crs.to_wkt(),
        epsg=dataset.crs.to_epsg(),
        transform=tuple(dataset.transform)[:6],
        dtype=dataset.dtypes[chosen[0] - 1],
        bands=chosen,
        pixel_metres=pixel_metres(dataset),
        rescale=ranges,
        rescale_source=source,
    )


def pixel_metres(dataset: DatasetReader) -> float:
    """Side of a pixel on the ground, metres (geometric mean of both sides, scene's centre).

    The CRS's own units are taken at their word where they are true to scale within 1 % (UTM,
    state plane); elsewhere (degrees, Web Mercator) distances are measured on the ellipsoid.

    Raises:
        SceneUnusable: the CRS is a local grid, or the coordinates lie nowhere.
    """
    try:
        metres = _measure_pixel(dataset, pyproj.CRS.from_wkt(dataset.crs.to_wkt()))
    except (ProjError, AttributeError) as error:  # AttributeError: a CRS without an ellipsoid
        raise SceneUnusable(
            f"The CRS of {dataset.name!r} is tied to no place on Earth: {error}"
        ) from error
    if not (math.isfinite(metres) and metres > 0):
        raise SceneUnusable(
            f"The CRS and affine of {dataset.name!r} put it nowhere on Earth; check them."
        )
    return metres


def _measure_pixel(dataset: DatasetReader, crs: pyproj.CRS) -> float:
    affine = dataset.transform
    nominal = math.sqrt(abs(affine.determinant)) * crs.axis_info[0].unit_conversion_factor
    col, row = dataset.width / 2, dataset.height / 2
    corners = [affine @ point for point in ((col, row), (col + 1, row), (col, row + 1))]
    transformer = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    across, down = zip(*corners, strict=True)
    lons, lats = transformer.transform(across, down)
    geod: pyproj.Geod = crs.get_geod() or pyproj.Geod(ellps="WGS84")
    sides = [geod.inv(lons[0], lats[0], lons[i], lats[i])[2] for i in (1, 2)]
    true = math.sqrt(sides[0] * sides[1])
    if crs.is_projected and abs(true / nominal - 1) < _ODD_SCALE:
        return nominal
    return true


def _choose_bands(
    dataset: DatasetReader, uri: str, band_names: Sequence[str], bands: Sequence[int] | None
) -> tuple[int, ...]:
    interpretation = dataset.colorinterp
    wanted = len(band_names)
    if bands is not None:
        if len(bands) != wanted or not all(1 <= band <= dataset.count for band in bands):
            raise SceneUnusable(
                f"Bands {list(bands)} do not fit: the model takes {wanted} "
                f"({', '.join(band_names)}) and {uri!r} has bands 1 to {dataset.count}."
            )
        chosen = tuple(bands)
    else:
        named = {kind.name: i for i, kind in enumerate(interpretation, 1)}
        plain = [i for i, kind in enumerate(interpretation, 1) if kind is not ColorInterp.alpha]
        if len(plain) < wanted:
            raise SceneUnusable(
                f"{uri!r} has {len(plain)} band(s), but the model takes {wanted} "
                f"({', '.join(band_names)}). Choose some, also repeatedly: --bands "
                f"{','.join(['1'] * wanted)}."
            )
        by_name = [named.get(name) for name in band_names]
        chosen = tuple(by_name) if all(by_name) else tuple(plain[:wanted])  # type: ignore[arg-type]
    if any(interpretation[band - 1] is ColorInterp.palette for band in chosen):
        raise SceneUnusable(
            f"{uri!r} stores palette indices, not colours. Expand it with "
            "'gdal_translate -expand rgb' first."
        )
    return chosen


def valid_mask(
    dataset: DatasetReader,
    bands: Sequence[int],
    values: np.ndarray,
    window: Window,
    shape: tuple[int, int],
) -> np.ndarray:
    """Which pixels (h, w) hold data: nodata value, alpha and internal mask together.

    A pixel is missing where every chosen band is masked (a dark red must not vanish because its
    green is 0), or any is not finite.
    """
    masks = dataset.read_masks(list(dict.fromkeys(bands)), window=window, out_shape=shape)
    valid: np.ndarray = (masks > 0).any(axis=0)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    return valid


def _sample(dataset: DatasetReader, uri: str, bands: tuple[int, ...]) -> np.ndarray:
    """Valid values (bands, n) of a decimated read, from overviews where there are any."""
    shrink = max(1.0, max(dataset.width, dataset.height) / _LOOK)
    shape = (max(1, int(dataset.height / shrink)), max(1, int(dataset.width / shrink)))
    whole = Window(0, 0, dataset.width, dataset.height)
    damage: RasterioError | None = None
    try:
        values = dataset.read(bands, window=whole, out_shape=shape)
        valid = valid_mask(dataset, bands, values, whole, shape)
        if valid.any():
            return np.asarray(values[:, valid])
    except RasterioError as error:
        damage = error  # of one block, perhaps: the job decides what becomes of it
        found = list(_readable(dataset, bands, shrink))
        if found:
            return np.concatenate(found, axis=1)
    # Few valid pixels slip through a decimated read; look at all before calling it empty.
    for _, window in dataset.block_windows(bands[0]):
        try:
            values = dataset.read(bands, window=window)
            valid = valid_mask(dataset, bands, values, window, values.shape[1:])
        except RasterioError as error:
            damage = error
            continue
        if valid.any():
            return np.asarray(values[:, valid])
    if damage:
        raise damage
    raise SceneUnusable(f"{uri!r} is empty: not one of its pixels is valid.")


def _readable(
    dataset: DatasetReader, bands: tuple[int, ...], shrink: float
) -> Iterator[np.ndarray]:
    """Valid values (bands, n) of a decimated read in parts, of those that can be read."""
    height, width = dataset.height / _PARTS, dataset.width / _PARTS
    shape = (max(1, int(height / shrink)), max(1, int(width / shrink)))
    for row, col in product(range(_PARTS), repeat=2):
        part = Window(col * width, row * height, width, height)
        with suppress(RasterioError):
            values = dataset.read(bands, window=part, out_shape=shape)
            valid = valid_mask(dataset, bands, values, part, shape)
            if valid.any():
                yield values[:, valid]


def _choose_rescale(
    dtype: str,
    sample: np.ndarray,
    rescale: Sequence[tuple[float, float]] | None,
    bands: int,
) -> tuple[tuple[tuple[float, float], ...], str]:
    if rescale:
        if len(rescale) not in {1, bands}:
            raise SceneUnusable(
                f"{len(rescale)} rescale ranges for {bands} bands: give one, or one for each."
            )
        for low, high in rescale:
            if not low < high:
                raise SceneUnusable(f"The rescale range {low},{high} is empty or reversed.")
        ranges = tuple(rescale) if len(rescale) == bands else tuple(rescale) * bands
        return tuple((float(low), float(high)) for low, high in ranges), "given"
    if dtype == "uint8":
        return ((0.0, 255.0),) * bands, "full range of uint8"
    low, high = np.percentile(sample.astype(np.float64), _PERCENTILES, axis=1)
    high = np.where(high > low, high, low + 1)
    ranges = tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))
    return ranges, "percentiles 2 and 98 of the scene"
