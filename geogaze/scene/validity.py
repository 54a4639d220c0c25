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
    known: NDArray[np.bool_] = masks[[unique.index(band) for band in bands]]
    for i, band in enumerate(bands):
        nodata = dataset.nodatavals[band - 1]
        if nodata is not None and np.isfinite(nodata):
            known[i] &= values[i] != nodata
    if values.dtype.kind == "f":
        known &= np.isfinite(values)
    if alpha:
        opaque = dataset.read(list(alpha), window=window, out_shape=(len(alpha), *shape)) > 0
        known &= opaque.all(axis=0)
    return known
