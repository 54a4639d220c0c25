"""How large heat cells are on the ellipsoid, whatever the projection does to them."""

from __future__ import annotations

import numpy as np
import pyproj
from affine import Affine
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from geogaze.grid.lattice import Box

_DEGREE = 8
"""Of the polynomial through a box of cells, which is a 50,000th off from pole to pole."""


class CellAreas:
    """Areas of a lattice's cells, m².

    A cell's area changes smoothly from one to the next, so some of a box are measured by
    ``pyproj.Geod`` and the others follow from them.

    Args:
        crs_wkt: where they lie.
        transform: from lines of the lattice (col, row) to that CRS.
    """

    def __init__(self, crs_wkt: str, transform: Affine) -> None:
        self._transform = transform
        crs = pyproj.CRS(crs_wkt)
        self._to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
        self._geod: pyproj.Geod = crs.get_geod() or pyproj.Geod(ellps="WGS84")
        self._known: dict[Box, NDArray[np.float64]] = {}

    def of(self, box: Box, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.float64]:
        """The areas (n,) of some cells of a box, by their rows and columns in it."""
        if box not in self._known:
            self._known[box] = self._measured(box)
        down, across = (
            chebyshev.chebvander(np.linspace(-1, 1, 2 * length + 1)[1::2], _DEGREE)
            for length in (box[2] - box[0], box[3] - box[1])
        )
        return np.asarray(((down @ self._known[box])[row] * across[col]).sum(axis=1))

    def _measured(self, box: Box) -> NDArray[np.float64]:
        """Coefficients of the polynomial through some cells of a box."""
        nodes = chebyshev.chebpts1(_DEGREE + 1)
        rows, cols = (
            start + (nodes + 1) / 2 * (stop - start) - 0.5
            for start, stop in zip(box[:2], box[2:], strict=True)
        )
        each = self._measure(*np.meshgrid(rows, cols, indexing="ij"))
        known = np.isfinite(each)
        if not known.all():  # beyond the projection, where no scene has pixels
            other = abs(self._transform.determinant)
            each[~known] = each[known].mean() if known.any() else other
        inverse = np.linalg.inv(chebyshev.chebvander(nodes, _DEGREE))
        return np.asarray(inverse @ each @ inverse.T)

    def _measure(self, rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64]:
        """The areas of cells whose first corners are at some places between cells."""
        down, across = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])
        x, y = self._transform @ (cols[..., None] + across, rows[..., None] + down)
        lons, lats = self._to_degrees.transform(x, y)
        corners = np.stack([lons, np.clip(lats, -90, 90)], axis=-2).reshape(-1, 2, 4)
        measured = [abs(self._geod.polygon_area_perimeter(*cell)[0]) for cell in corners]
        return np.array(measured).reshape(rows.shape)
