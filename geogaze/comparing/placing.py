"""A layer on the lattice of another: as it is, moved by whole cells, or resampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyproj
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from geogaze.errors import InvalidRequest
from geogaze.grid.lattice import Box, overlap, slices
from geogaze.products.facts import Grid

Read = Callable[[Box], NDArray[np.float32]]
"""Reads a box of cells (h, w), NaN where there is nothing."""

_WHOLE = 1e-3  # cells that lattices may be off each other and still be one
_STEPS = 64  # along each side: a border is no straight line in another CRS


@dataclass(frozen=True)
class Placement:
    """Where a layer's cells lie on another's lattice.

    ``how`` says whether they are the very cells, others of one endless lattice (the first of which
    has its place at ``row``, ``col``), or have to be resampled.
    """

    how: Literal["same", "moved", "resampled"]
    row: int = 0
    col: int = 0


def placement_of(grid: Grid, other: Grid) -> Placement:
    """Where the cells of another lattice lie on a lattice.

    Raises:
        InvalidRequest: nowhere.
    """
    if not _meet(grid, other):
        raise InvalidRequest(
            "The two results have no place in common: they are of different regions. Compare "
            "results of one place."
        )
    relative = ~grid.transform @ other.transform
    row, col = round(relative.f), round(relative.c)
    moved = Affine.translation(col, row)
    corners = np.array([(0, 0), (other.cols, other.rows)], dtype=float)
    off = max(max(map(abs, np.subtract(relative @ tuple(at), moved @ tuple(at)))) for at in corners)
    one_crs = pyproj.CRS(grid.crs_wkt).equals(pyproj.CRS(other.crs_wkt), ignore_axis_order=True)
    if not one_crs or off > _WHOLE:
        return Placement("resampled")
    same = (row, col) == (0, 0) and (grid.rows, grid.cols) == (other.rows, other.cols)
    return Placement("same" if same else "moved", row, col)


def is_upright(grid: Grid, other: Grid) -> bool:
    """Whether rows and columns of two grids run along each other, in cells of one shape."""
    relative = ~grid.transform @ other.transform
    off = 1e-4 * abs(relative.a)
    return (
        pyproj.CRS(grid.crs_wkt).equals(pyproj.CRS(other.crs_wkt), ignore_axis_order=True)
        and relative.a > 0
        and max(abs(relative.b), abs(relative.d)) <= off
        and math.isclose(relative.a, relative.e, rel_tol=1e-3)
    )


@contextmanager
def open_on(path: Path, grid: Grid, placement: Placement) -> Iterator[Read]:
    """Open a layer to be read in the cells of a lattice."""
    with rasterio.open(path, driver="GTiff") as dataset:
        if placement.how != "resampled":

            def moved(box: Box) -> NDArray[np.float32]:
                row0, col0 = placement.row, placement.col
                there = row0, col0, row0 + dataset.height, col0 + dataset.width
                ours, theirs = overlap(box, there)
                values = np.full((box[2] - box[0], box[3] - box[1]), np.nan, dtype=np.float32)
                if values[ours].size:
                    values[ours] = dataset.read(1, window=Window.from_slices(*theirs))
                return values

            yield moved
            return
        with WarpedVRT(
            dataset,
            crs=grid.crs_wkt,
            transform=grid.transform,
            width=grid.cols,
            height=grid.rows,
            resampling=Resampling.bilinear,
            nodata=float("nan"),
        ) as warped:
            yield lambda box: np.asarray(
                warped.read(1, window=Window.from_slices(*slices(box))), dtype=np.float32
            )


def _meet(grid: Grid, other: Grid) -> bool:
    """Whether two lattices share an area."""
    at = np.arange(4 * _STEPS + 1) / _STEPS
    cols = np.interp(at, range(5), (0, other.cols, other.cols, 0, 0))
    rows = np.interp(at, range(5), (0, 0, other.rows, other.rows, 0))
    try:
        to_ours = pyproj.Transformer.from_crs(other.crs_wkt, grid.crs_wkt, always_xy=True)
        x, y = to_ours.transform(*_placed(other.transform, cols, rows))
    except ProjError:
        return False
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 4:
        return False
    col, row = _placed(~grid.transform, x[known], y[known])
    theirs = shapely.make_valid(shapely.Polygon(np.stack([col, row], axis=1)))
    ours = shapely.box(0, 0, grid.cols, grid.rows)
    return bool(theirs.intersection(ours).area > 0)


def _placed(
    affine: Affine, col: NDArray[np.float64], row: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (n,) under an affine."""
    return affine.a * col + affine.b * row + affine.c, affine.d * col + affine.e * row + affine.f
