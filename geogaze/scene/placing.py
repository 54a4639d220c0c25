"""One grid for several files, and where each lies on it. Pure: it reads nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray
from pyproj.exceptions import ProjError

from geogaze.errors import SceneUnusable
from geogaze.grid.lattice import Box
from geogaze.scene.crs import parse_crs
from geogaze.scene.parts import Grid

_STEPS = 21  # points along each side of a file: a straight line is curved in another CRS
_SNAP = 1e-3  # of a pixel


@dataclass(frozen=True)
class Placed:
    """Pixels of a file in its own CRS: ``window`` of them (row0, col0, row1, col1), placed by
    ``affine`` from (col, row) to ``crs``, which is a code or WKT.
    """

    uri: str
    crs: str
    affine: Affine
    window: Box

    @cached_property
    def border(self) -> NDArray[np.float64]:
        """Points (2, n) around the window, x and y in its CRS."""
        top, left, bottom, right = self.window
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        at = np.linspace(0, 4, 4 * _STEPS + 1)
        cols, rows = (np.interp(at, range(5), side) for side in np.array(corners, dtype=float).T)
        return np.stack(self.affine @ (cols, rows))


@lru_cache(maxsize=64)
def transformer(crs: str, other: str) -> pyproj.Transformer:
    """From one CRS to another, both codes or WKT, x before y."""
    return pyproj.Transformer.from_crs(
        parse_crs(crs, "A CRS"), parse_crs(other, "A CRS"), always_xy=True
    )


def bounds_on(placed: Placed, crs: str, affine: Affine) -> Box:
    """The pixels of a grid that a file may touch, however far they lie.

    Args:
        placed: the file.
        crs: the grid's.
        affine: the grid's pixels (col, row) to its CRS.

    Raises:
        SceneUnusable: a part of the file lies nowhere there.
    """
    x, y = placed.border
    if crs != placed.crs:
        try:
            x, y = transformer(placed.crs, crs).transform(x, y, errcheck=True)
        except ProjError as error:
            raise SceneUnusable(
                f"{placed.uri!r} lies nowhere in {crs[:40]}: {error}. Choose another --crs."
            ) from error
    cols, rows = ~affine @ (np.asarray(x), np.asarray(y))
    return (
        math.floor(rows.min() + _SNAP),
        math.floor(cols.min() + _SNAP),
        math.ceil(rows.max() - _SNAP),
        math.ceil(cols.max() - _SNAP),
    )


def grid_over(files: Sequence[Placed], crs: str | None) -> Grid:
    """The grid of a scene of several files, just large enough for all of them.

    Its pixels are those of the first file in its CRS, which is the first file's own where none is
    asked for. Where no file is in it, pixels are squares that point north, as large as the first
    file's.

    Args:
        files: in the order in which they were named.
        crs: of the grid, as a code or WKT.

    Raises:
        SceneUnusable: a file lies nowhere in that CRS.
    """
    crs = crs or files[0].crs
    base = next((file.affine for file in files if file.crs == crs), None)
    base = base or _squares(files[0], crs)
    boxes = [bounds_on(file, crs, base) for file in files]
    top, left = (min(box[side] for box in boxes) for side in (0, 1))
    bottom, right = (max(box[side] for box in boxes) for side in (2, 3))
    return Grid(crs, base @ Affine.translation(left, top), bottom - top, right - left)


def _squares(placed: Placed, crs: str) -> Affine:
    """Square pixels as large as a file's in another CRS, from its first corner on."""
    (x, y), (height, width) = (
        placed.border,
        (
            placed.window[2] - placed.window[0],
            placed.window[3] - placed.window[1],
        ),
    )
    try:
        x, y = transformer(placed.crs, crs).transform(x, y, errcheck=True)
    except ProjError as error:
        raise SceneUnusable(f"{placed.uri!r} lies nowhere in {crs[:40]}: {error}.") from error
    area = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2  # of the polygon, by its corners
    side = math.sqrt(area / (height * width))
    return Affine(side, 0, min(x), 0, -side, max(y))
