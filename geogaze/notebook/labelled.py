"""Maps as xarray has them, which is optional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xarray import DataArray


def data_array(
    values: NDArray[np.float32],
    classes: Sequence[str],
    transform: Affine,
    name: str,
    attributes: dict[str, Any],
    crs: str | None = None,
) -> DataArray:
    """A DataArray (class, y, x) whose coordinates are the centres of cells.

    Args:
        values: (K, rows, cols).
        classes: K names.
        transform: from cells' corners to where they lie. Where it turns, ``y`` and ``x`` are
            positions of rows and columns, and only the attribute ``transform`` places them.
        name: of what the values are.
        attributes: of the DataArray, besides ``transform``.
        crs: WKT of what the transform leads to, if that is a CRS. With it goes a coordinate
            ``spatial_ref``, as CF has grid mappings and GDAL and rioxarray read them.

    Raises:
        ModuleNotFoundError: xarray is not installed.
    """
    try:
        import xarray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "A labelled array needs xarray, which geogaze does not install: pip install xarray"
        ) from error
    rows, cols = np.arange(values.shape[1]) + 0.5, np.arange(values.shape[2]) + 0.5
    if transform.b == transform.d == 0:
        rows, cols = transform.f + transform.e * rows, transform.c + transform.a * cols
    labelled = xarray.DataArray(
        values,
        dims=("class", "y", "x"),
        coords={"class": list(classes), "y": rows, "x": cols},
        name=name,
        attrs={"transform": tuple(transform)[:6], **attributes},
    )
    if crs is None:
        return labelled
    mapping = {**pyproj.CRS(crs).to_cf(), "GeoTransform": " ".join(map(repr, transform.to_gdal()))}
    labelled.attrs |= {"crs": crs, "grid_mapping": "spatial_ref"}
    return labelled.assign_coords(spatial_ref=((), 0, mapping))
