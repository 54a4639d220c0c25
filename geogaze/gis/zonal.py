"""Statistics of a layer's cells in areas: a cell counts by the share of it that lies there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity

from geogaze.errors import InvalidRequest
from geogaze.gis.lattice import Lattice
from geogaze.gis.statistics import Statistics, weighted_statistics
from geogaze.grid.lattice import slices
from geogaze.grid.shares import blocks_under, shares
from geogaze.scene.aoi import CRS84, MALFORMED, Georeference, cut, named_crs, polygons_of

MOST_AREAS = 1000
MOST_CELLS = 2**22  # under the boxes of all areas together
MOST_BORDER = 2**19  # cells that all their borders are long


def crs_of(document: dict[str, Any]) -> str:
    """The CRS that a document names; longitude and latitude where it names none.

    Raises:
        InvalidRequest: it is not known.
    """
    try:
        return named_crs(document)
    except MALFORMED as error:
        raise InvalidRequest(f"crs: {error}.") from error


def statistics_in(
    lattice: Lattice, areas: Sequence[dict[str, Any]], crs: str = CRS84
) -> list[Statistics]:
    """Of the cells in each area; a cell counts by the share of it that lies there.

    Args:
        lattice: the layer.
        areas: GeoJSON documents: polygons, or features of them.
        crs: that they are in, as :func:`crs_of` tells it.

    Raises:
        InvalidRequest: one of them is no valid polygon, or they are more than is counted at once.
    """
    if len(areas) > MOST_AREAS:
        raise InvalidRequest(
            f"There are {len(areas)} areas; at most {MOST_AREAS} are taken at once."
        )
    finest = lattice.levels[0]
    rows, cols = shape = finest.values.shape
    there = Georeference(lattice.crs.to_wkt(), finest.transform, cols, rows)
    to_cells = (~finest.transform).to_shapely()
    on_cells = []
    for number, area in enumerate(areas):
        try:
            _check_valid(area)
            inside = cut(area, crs, there).inside
        except MALFORMED as error:
            raise InvalidRequest(
                f"Area {number} (from 0) is no GeoJSON of polygons: {error}."
            ) from error
        on_cells.append(affinity.affine_transform(inside, to_cells))
    _check_work(on_cells, shape)
    return [_in(finest.values, area) for area in on_cells]


def _in(cells: NDArray[np.float32], area: shapely.Geometry) -> Statistics:
    known, weights, whole = [np.empty(0, np.float32)], [np.empty(0)], 0.0
    for box in blocks_under(area, cells.shape):
        share, there = shares(area, box), cells[slices(box)]
        whole += float(share.sum())
        counted = (share > 0) & np.isfinite(there)
        known.append(there[counted])
        weights.append(share[counted])
    return weighted_statistics(np.concatenate(known), np.concatenate(weights), whole)


def _check_valid(area: dict[str, Any]) -> None:
    """Polygons that cross themselves would take as long to mend as somebody wishes."""
    for polygons in polygons_of(area):
        if not shapely.is_valid(polygons):
            raise ValueError(f"{shapely.is_valid_reason(polygons)}; mend it, as by ST_MakeValid")


def _check_work(areas: Sequence[shapely.Geometry], shape: tuple[int, int]) -> None:
    boxes = [box for area in areas for box in blocks_under(area, shape)]
    cells = sum((box[2] - box[0]) * (box[3] - box[1]) for box in boxes)
    border = sum(shapely.length(area) for area in areas)
    for name, much, most in (
        ("cells under their boxes", cells, MOST_CELLS),
        ("cells along their borders", border, MOST_BORDER),
    ):
        if much > most:
            raise InvalidRequest(
                f"The areas have {much:,.0f} {name}; at most {most:,} are counted at once: ask for "
                "fewer, smaller or simpler ones, or fetch the layer's file."
            )
