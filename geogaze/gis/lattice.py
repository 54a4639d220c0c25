"""A layer's lattice in memory: its cells at each of the file's resolutions, and their values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.io import DatasetReader, MemoryFile
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_bounds

from geogaze.errors import InvalidRequest
from geogaze.gis.statistics import Statistics, statistics_of

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""

LONLAT, MERCATOR = CRS.from_epsg(4326), CRS.from_epsg(3857)
_CELL_BYTES = 4
_WITH_OVERVIEWS = 4 / 3
_ALIKE = 1e-9  # share of a cell by which its sides may differ, as floats do


@dataclass(frozen=True)
class Level:
    """Values (rows, cols) at one resolution, NaN where nobody looked, and where they lie."""

    values: NDArray[np.float32]
    transform: Affine

    @property
    def cell(self) -> float:
        """The longer side of a cell, in units of the CRS."""
        a, b, _, d, e, _ = self.transform[:6]
        return max(math.hypot(a, d), math.hypot(b, e))


@dataclass(frozen=True)
class Lattice:
    """A layer, decoded: its finest level first.

    Raises:
        InvalidRequest: when it is read: it has no place on the earth, or more cells than may be
            kept.
    """

    crs: CRS
    levels: tuple[Level, ...]

    @cached_property
    def size(self) -> int:
        """Bytes of its values."""
        return sum(level.values.nbytes for level in self.levels)

    @cached_property
    def corners(self) -> Bounds:
        """What it covers, in its CRS; more than that where it is turned."""
        finest = self.levels[0]
        rows, cols = finest.values.shape
        places = [finest.transform @ (x, y) for x in (0, cols) for y in (0, rows)]
        xs, ys = zip(*places, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @cached_property
    def code(self) -> int | None:
        """The number of its CRS in the EPSG's registry, if it is exactly one of those."""
        found: int | None = self.crs.to_epsg(confidence_threshold=100)
        return found

    @property
    def square(self) -> bool:
        """Whether its cells are square, and stand upright."""
        a, b, _, d, e, _ = self.levels[0].transform[:6]
        return not (b or d) and a > 0 and abs(a + e) <= _ALIKE * a

    def bounds(self, crs: CRS) -> Bounds:
        """What it covers in another CRS, or more."""
        left, bottom, right, top = transform_bounds(self.crs, crs, *self.corners)
        return left, bottom, right, top

    @cached_property
    def reach(self) -> Bounds:
        """What it covers in Web Mercator, or more."""
        return self.bounds(MERCATOR)

    @cached_property
    def degrees(self) -> Bounds:
        """What it covers, in degrees; all the way round where it lies across the antimeridian."""
        left, bottom, right, top = self.bounds(LONLAT)
        return (-180.0, bottom, 180.0, top) if right < left else (left, bottom, right, top)

    def value(self, x: float, y: float, crs: CRS = LONLAT) -> float | None:
        """The value of the cell at a place, as the file has it; None where there is none."""
        if crs != self.crs:
            (x,), (y,) = transform_points(crs, self.crs, [x], [y])
        if not (math.isfinite(x) and math.isfinite(y)):
            return None
        finest = self.levels[0]
        col, row = (math.floor(part) for part in ~finest.transform @ (x, y))
        rows, cols = finest.values.shape
        if not (0 <= row < rows and 0 <= col < cols):
            return None
        value = float(finest.values[row, col])
        return None if math.isnan(value) else value

    @cached_property
    def statistics(self) -> Statistics:
        """Of all cells that were looked at."""
        return statistics_of(self.levels[0].values)


def read_lattice(file: Path | bytes, most: int) -> Lattice:
    """Decode the first band of a COG.

    Args:
        file: where it is, or what it holds.
        most: bytes that it may take.

    Raises:
        InvalidRequest: it has no place on the earth, or is larger than that.
    """
    if isinstance(file, bytes):
        with MemoryFile(file) as held:
            return _read(held.name, most)
    return _read(str(file), most)


def _read(name: str, most: int) -> Lattice:
    with rasterio.open(name, driver="GTiff") as dataset:
        if dataset.crs is None:
            raise InvalidRequest(
                "The layer has no place on the earth, so there are no tiles of it."
            )
        size = math.ceil(dataset.width * dataset.height * _CELL_BYTES * _WITH_OVERVIEWS)
        if size > most:
            raise InvalidRequest(
                f"The layer takes {size:,} bytes in memory, and {most:,} are kept for tiles "
                "(GEOGAZE_TILES_MB): read its file by ranges instead."
            )
        crs, finest = dataset.crs, _level(dataset, dataset.transform)
        factors = dataset.overviews(1)
    levels = [finest]
    for number, factor in enumerate(factors):
        with rasterio.open(name, driver="GTiff", OVERVIEW_LEVEL=number) as coarse:
            # An overview of an odd size covers more than the layer: its cells are whole multiples.
            levels.append(_level(coarse, finest.transform @ Affine.scale(factor)))
    return Lattice(crs, tuple(levels))


def _level(dataset: DatasetReader, transform: Affine) -> Level:
    return Level(dataset.read(1, out_dtype=np.float32), transform)
