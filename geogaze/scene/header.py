"""What a scene says of itself, and whether it can be explained at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from affine import Affine
from pydantic import BaseModel, ConfigDict
from rasterio.io import DatasetReader

from geogaze.errors import SceneUnusable
from geogaze.scene.asking import Asking
from geogaze.scene.bands import choose_bands
from geogaze.scene.ground import metric_crs, pixel_sides
from geogaze.scene.sample import refuse_empty, sample_values

_PERCENTILES = (2.0, 98.0)
_UNEQUAL = 1.2  # sides of a pixel that differ by so much change what a network sees
_EQUAL = 1.001  # and these are squares, but for the projection

Ranges = tuple[tuple[float, float], ...]


class SceneInfo(BaseModel):
    """A readable scene.

    ``transform`` holds the affine's first six numbers, ``pixel_metres`` the side of a pixel on the
    ground, ``aspect`` its width over its height there, ``metric_crs`` a CRS in true metres,
    ``rescale`` the values per chosen band that become 0 and 1. ``bands_source`` says what chose
    the bands: ``given``, ``descriptions``, ``colours`` or ``position``. ``warnings`` are for the
    user. ``version`` changes with the file's content, as far as its store can tell.
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
    bands_source: str = "given"
    pixel_metres: float
    aspect: float = 1.0
    metric_crs: str | None = None
    rescale: Ranges
    rescale_source: str
    warnings: tuple[str, ...] = ()
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
    *,
    silence_seconds: float = math.inf,
) -> SceneInfo:
    """Check a scene and say what must be known to plan a job on it.

    Pixels are read where percentiles of them are wanted or any may be missing: a bounded sample.

    Args:
        dataset: the open scene.
        uri: as the user named it.
        band_names: the model's bands, in order.
        bands: the scene's bands (from 1) for them, or None to choose.
        rescale: one (low, high) for all bands or one for each, or None to choose.
        silence_seconds: a remote read that fails after so long met a silent host.

    Raises:
        SceneUnusable: no CRS, ground control points only, complex, empty, or wrong bands.
        SceneUnreadable: its percentiles are wanted and nothing of it can be read.
        SceneUnreachable: the same of a remote scene.
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
    chosen, bands_source = choose_bands(dataset, uri, band_names, bands)
    dtype = dataset.dtypes[chosen[0] - 1]
    if dtype.startswith("complex"):
        raise SceneUnusable(f"{uri!r} holds complex values; save magnitude or intensity first.")
    sides = pixel_sides(dataset)
    asking = Asking(uri, silence_seconds)
    warnings: list[str] = []
    if rescale or dtype == "uint8":
        ranges, source = (
            (_given_ranges(rescale, len(chosen)), "given")
            if rescale
            else _full_range(dataset, chosen)
        )
        refuse_empty(dataset, asking, chosen)
    else:
        source = "percentiles 2 and 98 of the scene"
        ranges = _percentiles(dataset, asking, chosen, warnings)
    return SceneInfo(
        uri=uri,
        width=dataset.width,
        height=dataset.height,
        crs_wkt=dataset.crs.to_wkt(),
        epsg=dataset.crs.to_epsg(),
        transform=tuple(dataset.transform)[:6],
        dtype=dtype,
        bands=chosen,
        bands_source=bands_source,
        pixel_metres=math.sqrt(sides[0] * sides[1]),
        aspect=_aspect(*sides),
        metric_crs=metric_crs(dataset),
        rescale=ranges,
        rescale_source=source,
        warnings=tuple(warnings),
    )


def squares_advice(scene: SceneInfo) -> str | None:
    """What to say of a scene whose pixels are no squares on the ground; None where they are."""
    ratio = max(scene.aspect, 1 / scene.aspect)
    if ratio < _UNEQUAL:
        return None
    width = scene.pixel_metres * math.sqrt(scene.aspect)
    size = f"{scene.pixel_metres:.6g}"
    warp = (
        f", or warp it first: gdalwarp -t_srs {scene.metric_crs} -tr {size} {size} -r bilinear "
        f"{scene.uri.rsplit('/', 1)[-1]} square.tif"
    )
    return (
        f"A pixel is {width:.3g} m wide and {width / scene.aspect:.3g} m high on the ground, so "
        f"the model sees everything {ratio:.2g} times too "
        f"{'narrow' if scene.aspect > 1 else 'wide'}. Ask for --square"
        f"{warp if scene.metric_crs else ''}."
    )


def _aspect(across: float, down: float) -> float:
    ratio = across / down
    return 1.0 if 1 / _EQUAL < ratio < _EQUAL else ratio


def _given_ranges(rescale: Sequence[tuple[float, float]], bands: int) -> Ranges:
    if len(rescale) not in {1, bands}:
        raise SceneUnusable(
            f"{len(rescale)} rescale ranges for {bands} bands: give one, or one for each."
        )
    for low, high in rescale:
        if not low < high:
            raise SceneUnusable(f"The rescale range {low},{high} is empty or reversed.")
        if not math.isfinite(high - low):
            raise SceneUnusable(f"The rescale range {low},{high} is too wide to compute with.")
    ranges = tuple(rescale) if len(rescale) == bands else tuple(rescale) * bands
    return tuple((float(low), float(high)) for low, high in ranges)


def _full_range(dataset: DatasetReader, bands: Sequence[int]) -> tuple[Ranges, str]:
    """The range of a byte, or of the bits that a file says its bytes have."""
    tags = (dataset.tags(band, ns="IMAGE_STRUCTURE") for band in bands)
    bits = [int(found.get("NBITS", 8)) for found in tags]
    name = "uint8" if bits == [8] * len(bits) else f"{max(bits)}-bit data"
    return tuple((0.0, 2.0**count - 1) for count in bits), f"full range of {name}"


def _percentiles(
    dataset: DatasetReader, asking: Asking, bands: Sequence[int], warnings: list[str]
) -> Ranges:
    """The range of each band by its own valid values; says what is odd of a band."""
    ranges: list[tuple[float, float]] = []
    found = sample_values(dataset, asking, bands)
    for band, values in zip(bands, found, strict=True):
        if not len(values):
            warnings.append(f"Band {band} has no valid value that was found: it is shown as mean.")
            ranges.append((0.0, 1.0))
            continue
        low, high = map(float, np.percentile(values.astype(np.float64), _PERCENTILES))
        if not low < high:
            high = low + max(1.0, abs(low) * 1e-6)
            warnings.append(
                f"Band {band} is {low:g} nearly everywhere, so there is little to see in it."
            )
        elif not math.isfinite(high - low):
            raise SceneUnusable(
                f"Band {band} of {asking.uri!r} reaches from {low:g} to {high:g}, too far to "
                "compute with. Say which values matter: --rescale LO,HI."
            )
        ranges.append((low, high))
    return tuple(ranges)
