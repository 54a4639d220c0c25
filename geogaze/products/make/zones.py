"""Zonal figures: how much heat lies in polygons of a user's own, cell by cell and its share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import geometry_mask, rasterize
from shapely.geometry import mapping

from geogaze.grid.lattice import Box
from geogaze.products.make.areas import CellAreas
from geogaze.products.make.inputs import Heat

_SIDE = 1024  # of the blocks of cells that are looked at together


@dataclass(frozen=True)
class Figures:
    """A layer's heat in a zone; means and shares are by area, None where nobody looked.

    Attributes:
        area: m² of the zone's part of the lattice.
        seen: m² of that which was looked at.
        mean: heat, 0..1 or as the layer has it.
        total: sum of the heat of cells, each by the share of it that lies in the zone.
        peak: the highest heat of a cell that lies in it, if only in part.
        hot: m² of what is at or above the threshold.
    """

    area: float
    seen: float
    mean: float | None
    total: float
    peak: float | None
    hot: float

    @property
    def share(self) -> float | None:
        """How much of what was looked at is hot."""
        return self.hot / self.seen if self.seen else None


def figures_of(zone: shapely.Geometry, heat: Heat, level: float, areas: CellAreas) -> Figures:
    """What lies in a zone.

    Args:
        zone: polygons in lines of the lattice (col, row).
        heat: the layer.
        level: from which heat on a cell is hot.
        areas: of the lattice's cells.
    """
    area = seen = weighted = total = hot = 0.0
    peak = -math.inf
    for box in _blocks(zone, heat.shape):
        covered = coverage(zone, box)
        row, col = np.nonzero(covered)
        if not len(row):
            continue
        share, values = covered[row, col], heat.window(box)[row, col].astype(np.float64)
        square = share * areas.of(box, row, col)
        there = np.isfinite(values)
        area += float(square.sum())
        share, values, square = share[there], values[there], square[there]
        seen += float(square.sum())
        weighted += float((square * values).sum())
        total += float((share * values).sum())
        hot += float(square[values >= level].sum())
        peak = max(peak, float(values.max(initial=-math.inf)))
    mean = weighted / seen if seen else None
    return Figures(area, seen, mean, total, peak if math.isfinite(peak) else None, hot)


def coverage(zone: shapely.Geometry, box: Box) -> NDArray[np.float64]:
    """The share (h, w) of each cell of a box that lies in a zone, 0..1, exactly.

    Args:
        zone: polygons in lines of the lattice (col, row).
        box: the cells.
    """
    row0, col0, row1, col1 = box
    shape, corner = (row1 - row0, col1 - col0), Affine.translation(col0, row0)
    part = zone.intersection(shapely.box(col0, row0, col1, row1))
    if not part.area > 0:
        return np.zeros(shape)
    inside = geometry_mask([mapping(part)], shape, corner, invert=True)
    covered = np.asarray(inside, dtype=np.float64)
    # Cells that the border may run through, and for safety their neighbours, are cut one by one.
    edge = rasterize([mapping(part.boundary)], shape, transform=corner, all_touched=True)
    near = np.pad(edge.astype(bool), 1)
    near[1:] |= near[:-1].copy()
    near[:-1] |= near[1:].copy()
    near[:, 1:] |= near[:, :-1].copy()
    near[:, :-1] |= near[:, 1:].copy()
    row, col = np.nonzero(near[1:-1, 1:-1])
    cells = shapely.box(col + col0, row + row0, col + col0 + 1, row + row0 + 1)
    shapely.prepare(part)
    covered[row, col] = shapely.area(shapely.intersection(cells, part))
    return covered


def _blocks(zone: shapely.Geometry, shape: tuple[int, int]) -> Iterator[Box]:
    """The blocks of cells that a zone's box reaches, cut to it."""
    left, top, right, bottom = zone.bounds
    row0, col0 = max(0, math.floor(top)), max(0, math.floor(left))
    row1, col1 = min(shape[0], math.ceil(bottom)), min(shape[1], math.ceil(right))
    for row in range(row0, row1, _SIDE):
        for col in range(col0, col1, _SIDE):
            yield row, col, min(row + _SIDE, row1), min(col + _SIDE, col1)
