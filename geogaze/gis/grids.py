"""Grids that tiles of a layer are cut by: that of web maps, and the layer's own.

Tiles are named as the standards name them: by matrix (a scale), row from the top, column from the
left.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import morecantile
import pyproj
from morecantile.models import TileMatrixSet
from rasterio.transform import from_bounds
from typing_extensions import override

from geogaze.errors import InvalidRequest, ObjectNotFound
from geogaze.gis.lattice import MERCATOR, Lattice
from geogaze.gis.tiles import MAX_ZOOM, Place, Shown

WEB, OWN = "WebMercatorQuad", "SceneGrid"
SIDE = 256
"""Pixels along a side of a tile."""

_EPSG = "http://www.opengis.net/def/crs/EPSG/0/{}"
_PIXEL = 0.00028  # metres of a pixel that scale denominators are told for


class TileOutOfRange(InvalidRequest):
    """A grid has no such tile, or a tile no such pixel; ``axis`` is what is too much."""

    slug = "tile-out-of-range"
    title = "There is no such tile"

    def __init__(self, message: str, axis: str) -> None:
        super().__init__(message)
        self.axis = axis


class Spot(NamedTuple):
    """A tile of a grid."""

    matrix: str
    row: int
    col: int


@dataclass(frozen=True)
class Grid(ABC):
    """A way to cut a layer into tiles."""

    shown: Shown

    @property
    @abstractmethod
    def document(self) -> TileMatrixSet:
        """What the standards say of it."""

    @abstractmethod
    def tile(self, spot: Spot, side: int = SIDE) -> bytes:
        """A tile as PNG; clear where there is nothing.

        Raises:
            TileOutOfRange: the grid has no such tile.
        """

    @abstractmethod
    def value(self, spot: Spot, col: int, row: int) -> float | None:
        """The value of the layer's cell below the middle of a pixel, as the file has it.

        Raises:
            TileOutOfRange: the grid has no such tile, or the tile no such pixel.
        """


class WebGrid(Grid):
    """Squares of the world in Web Mercator."""

    @property
    @override
    def document(self) -> TileMatrixSet:
        return web_document()

    @override
    def tile(self, spot: Spot, side: int = SIDE) -> bytes:
        return self.shown.tile(self._place(spot), side)

    @override
    def value(self, spot: Spot, col: int, row: int) -> float | None:
        place = self._place(spot)
        x, y = from_bounds(*place.bounds, SIDE, SIDE) @ _middle(col, row)
        return self.shown.lattice.value(x, y, MERCATOR)

    def _place(self, spot: Spot) -> Place:
        matrices = {str(z): (2**z, 2**z) for z in range(MAX_ZOOM + 1)}
        check_spot(spot, matrices)
        return Place(int(spot.matrix), spot.col, spot.row)


class OwnGrid(Grid):
    """A layer as its file has it: a pixel is a cell of one of the file's resolutions, in its CRS;
    "0" is the coarsest. Of layers whose cells are square, upright, and in a CRS with a number.
    """

    @property
    @override
    def document(self) -> TileMatrixSet:
        return own_document(self.shown.lattice)

    @override
    def tile(self, spot: Spot, side: int = SIDE) -> bytes:
        if side != SIDE:
            raise InvalidRequest(f"Tiles of {OWN} have {SIDE} pixels along a side, not {side}.")
        return self.shown.cut(self._level(spot), spot.row * SIDE, spot.col * SIDE, SIDE)

    @override
    def value(self, spot: Spot, col: int, row: int) -> float | None:
        level = self.shown.lattice.levels[self._level(spot)]
        across, down = _middle(col, row)
        x, y = level.transform @ (spot.col * SIDE + across, spot.row * SIDE + down)
        return self.shown.lattice.value(x, y, self.shown.lattice.crs)

    def _level(self, spot: Spot) -> int:
        """The number of a matrix's level in the file, the finest first."""
        shapes = [level.values.shape for level in reversed(self.shown.lattice.levels)]
        matrices = {
            str(number): (math.ceil(rows / SIDE), math.ceil(cols / SIDE))
            for number, (rows, cols) in enumerate(shapes)
        }
        check_spot(spot, matrices)
        return len(shapes) - 1 - int(spot.matrix)


def grids_of(shown: Shown) -> dict[str, Grid]:
    """The grids that a layer has tiles of, by name."""
    found: dict[str, Grid] = {WEB: WebGrid(shown)}
    if shown.lattice.square and shown.lattice.code:
        found[OWN] = OwnGrid(shown)
    return found


def grid_named(name: str, shown: Shown) -> Grid:
    """One of the grids that a layer has tiles of.

    Raises:
        ObjectNotFound: it has none of this name.
    """
    grids = grids_of(shown)
    if name not in grids:
        raise ObjectNotFound(
            f"The layer has no tile matrix set {name[:80]!r}; it has {', '.join(grids)}."
        )
    return grids[name]


def check_spot(spot: Spot, matrices: Mapping[str, tuple[int, int]]) -> None:
    """Refuse what is no tile; ``matrices`` have so many rows and columns.

    Raises:
        TileOutOfRange: there is no such tile.
    """
    if spot.matrix not in matrices:
        raise TileOutOfRange(
            f"There is no tile matrix {spot.matrix[:80]!r}; there are 0 to {len(matrices) - 1}.",
            "TileMatrix",
        )
    for name, number, count in zip(
        ("TileRow", "TileCol"), spot[1:], matrices[spot.matrix], strict=True
    ):
        if not 0 <= number < count:
            raise TileOutOfRange(
                f"{name} goes from 0 to {count - 1} in matrix {spot.matrix}, not {number}.", name
            )


@cache
def web_document() -> TileMatrixSet:
    """Web Mercator's tile matrix set, as it is registered."""
    found: TileMatrixSet = morecantile.tms.get(WEB)
    return found


def own_document(lattice: Lattice) -> TileMatrixSet:
    """The tile matrix set of a layer's own cells."""
    crs = pyproj.CRS.from_user_input(f"EPSG:{lattice.code}")
    finest = lattice.levels[0].transform
    matrices = []
    for number, level in enumerate(reversed(lattice.levels)):
        (rows, cols), cell = level.values.shape, level.transform.a
        matrices.append(
            {
                "id": str(number),
                "scaleDenominator": cell * _metres_a_unit(crs) / _PIXEL,
                "cellSize": cell,
                "pointOfOrigin": in_order(crs, finest.c, finest.f),
                "tileWidth": SIDE,
                "tileHeight": SIDE,
                "matrixWidth": math.ceil(cols / SIDE),
                "matrixHeight": math.ceil(rows / SIDE),
            }
        )
    return TileMatrixSet.model_validate(
        {
            "id": OWN,
            "title": "Cells of the layer, in the scene's coordinates",
            "crs": _EPSG.format(lattice.code),
            "orderedAxes": [axis.abbrev for axis in crs.axis_info[:2]],
            "tileMatrices": matrices,
        }
    )


def in_order(crs: pyproj.CRS, x: float, y: float) -> tuple[float, float]:
    """A place in the order that the CRS's own authority has for its axes: some begin with the
    northing or the latitude.
    """
    return (y, x) if crs.axis_info[0].abbrev.upper() in {"Y", "LAT", "N"} else (x, y)


def _metres_a_unit(crs: pyproj.CRS) -> float:
    """Metres that a unit stands for in scale denominators: a degree is one of the equator."""
    factor = crs.axis_info[0].unit_conversion_factor
    if crs.is_geographic:
        assert crs.ellipsoid is not None
        return float(factor * crs.ellipsoid.semi_major_metre)
    return float(factor)


def _middle(col: int, row: int) -> tuple[float, float]:
    for name, number in (("I", col), ("J", row)):
        if not 0 <= number < SIDE:
            raise TileOutOfRange(f"{name} goes from 0 to {SIDE - 1}, not {number}.", name)
    return col + 0.5, row + 0.5
