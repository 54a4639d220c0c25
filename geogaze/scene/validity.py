"""Which pixels of a GeoTIFF hold data, band by band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.scene.bands import BandLabel


def labels_of(dataset: DatasetReader) -> tuple[BandLabel, ...]:
    """What a dataset says of each of its bands."""
    return tuple(
        BandLabel(text or "", colour.name)
        for colour, text in zip(dataset.colorinterp, dataset.descriptions, strict=True)
    )


def alpha_bands(dataset: DatasetReader) -> tuple[int, ...]:
    """The bands (from 1) that say how opaque the others are, wherever they stand."""
    return tuple(band for band, label in enumerate(labels_of(dataset), 1) if label.is_alpha)


def known_bands(
    dataset: DatasetReader,
    bands: Sequence[int],
    values: NDArray[Any],
    window: Window,
    shape: tuple[int, int],
) -> NDArray[np.bool_]:
    """Where each band holds a value: mask, nodata value and every alpha band together.

    GDAL's own masks know one of them only: a nodata value hides the alpha band, an internal mask
    the nodata value, and of more than four bands none is alpha.

    Args:
        dataset: the open scene.
        bands: the bands read, from 1.
        values: what was read of them (bands, h, w).
        window: from where.
        shape: in how many pixels (h, w).

    Returns:
        (bands, h, w).
    """
    unique = list(dict.fromkeys(bands))
    alpha = alpha_bands(dataset)
    out_shape = (len(unique), *shape)
    if alpha and dataset.nodata is not None:  # rasterio warns of what is minded here
        masks = dataset.read(unique, window=window, out_shape=out_shape) != dataset.nodata
    else:
        masks = dataset.read_masks(unique, window=window, out_shape=out_shape) > 0
    opacity = None
    if alpha:
        opacity = dataset.read(list(alpha), window=window, out_shape=(len(alpha), *shape))
    nodata = [dataset.nodatavals[band - 1] for band in bands]
    known: NDArray[np.bool_] = masks[[unique.index(band) for band in bands]]
    return known & known_values(values, nodata, opacity)


def known_values(
    values: NDArray[Any], nodata: Sequence[float | None], opacity: NDArray[Any] | None
) -> NDArray[np.bool_]:
    """Where values (bands, h, w) are data, by all that the file says but a mask.

    Args:
        values: of each band.
        nodata: each band's value of missing pixels.
        opacity: the alpha bands (n, h, w), if there are any.
    """
    known = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, dtype=bool)
    for band, missing in enumerate(nodata):
        if missing is not None and np.isfinite(missing):
            known[band] &= values[band] != missing
    if opacity is not None:
        known &= (opacity > 0).all(axis=0)
    return known
