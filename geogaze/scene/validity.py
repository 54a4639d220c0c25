"""Which pixels of a scene hold data, band by band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.windows import Window


def alpha_bands(dataset: DatasetReader) -> tuple[int, ...]:
    """The bands (from 1) that say how opaque the others are, wherever they stand."""
    return tuple(
        band
        for band, (colour, text) in enumerate(
            zip(dataset.colorinterp, dataset.descriptions, strict=True), 1
        )
        if colour is ColorInterp.alpha or (text or "").strip().casefold() == "alpha"
    )


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


def settle(
    known: NDArray[np.bool_], values: NDArray[Any], rescale: Sequence[tuple[float, float]]
) -> NDArray[np.bool_]:
    """Take back what a lone nodata value says where it may as well be a measurement.

    A band without a value beside others that have one is missing where its value lies outside
    the rescale range (-9999). Inside, 0 may be a dark green: that must not become a bright one.
    Works on ``known`` (bands, h, w) and returns it.
    """
    if not known.all() and (some := known.any(axis=0)).any():
        for band, (low, high) in enumerate(rescale):
            known[band] |= some & (values[band] >= low) & (values[band] <= high)
    return known
