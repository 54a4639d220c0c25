"""Zonal figures: how much heat lies in polygons of a user's own, cell by cell and its share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from geogaze.grid.shares import blocks_under, shares
from geogaze.products.make.areas import CellAreas
from geogaze.products.make.inputs import Heat


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
    for box in blocks_under(zone, heat.shape):
        covered = shares(zone, box)
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
