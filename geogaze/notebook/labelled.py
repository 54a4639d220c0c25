"""Maps as xarray has them, which is optional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
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
) -> DataArray:
    """A DataArray (class, y, x) whose coordinates are the centres of cells.

    Args:
        values: (K, rows, cols).
        classes: K names.
        transform: from cells' corners to where they lie. Where it turns, ``y`` and ``x`` are
            positions of rows and columns, and only the attribute ``transform`` places them.
        name: of what the values are.
        attributes: of the DataArray, besides ``transform``.

    Raises:
        ModuleNotFoundError: xarray is not installed.
    """
    try:
        import xarray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_xarray() needs xarray, which geogaze does not install: pip install xarray"
        ) from error
    rows, cols = np.arange(values.shape[1]) + 0.5, np.arange(values.shape[2]) + 0.5
    if transform.b == transform.d == 0:
        rows, cols = transform.f + transform.e * rows, transform.c + transform.a * cols
    return xarray.DataArray(
        values,
        dims=("class", "y", "x"),
        coords={"class": list(classes), "y": rows, "x": cols},
        name=name,
        attrs={"transform": tuple(transform)[:6], **attributes},
    )
