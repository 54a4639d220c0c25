"""Hotspots: where a layer is hot, as polygons with what is known of each.

They are found once for all products of a job that tell of them, some at a time, and wait in a file
of the scratch folder: there may be more than fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj.exceptions import ProjError

from geogaze.arrays import next_array
from geogaze.grid.columns import Columns
from geogaze.products.make.areas import CellAreas
from geogaze.products.make.inputs import Heat, JobInputs, Pulse
from geogaze.products.make.probable import Probable, tiles_over
from geogaze.products.make.regions import Regions, regions_of
from geogaze.products.thresholds import Threshold, level_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Probability = Callable[[Integers, Integers], Probable]
"""What the model says of cells (n,) (n,), row and column: of the tile that is surest of it."""


@dataclass(frozen=True)
class Hotspots(Columns):
    """Some hotspots: one entry (n,) each.

    Attributes:
        layer: position of its layer.
        row, col: the cell of its highest heat in the layer's file, the first of several.
        threshold: the heat from which on cells are hot.
        cells: how many it has.
        area: m², on the ellipsoid.
        peak, mean, total: its cells' highest heat, its mean and its sum.
        probability: the layer's highest in a tile over that cell, NaN where there is none.
        best: position of the class that is the best of the surest tile there, of the layer
            ``top``; -1 of others.
        lon, lat: degrees, of its centre of gravity; NaN off the Earth.
        outline: polygons in the layer's CRS, outer rings counter-clockwise.
    """

    layer: Integers
    row: Integers
    col: Integers
    threshold: Floats
    cells: Integers
    area: Floats
    peak: Floats
    mean: Floats
    total: Floats
    probability: Floats
    best: Integers
    lon: Floats
    lat: Floats
    outline: NDArray[Any]


class HotspotFinder:
    """Finds the hotspots of layers on one lattice.

    Args:
        crs_wkt: where they lie.
        transform: from lines of the lattice (col, row) to that CRS.
        threshold: from which heat on a cell is hot.
        pulse: called between blocks.
    """

    def __init__(self, crs_wkt: str, transform: Affine, threshold: Threshold, pulse: Pulse) -> None:
        self._transform, self._threshold, self._pulse = transform, threshold, pulse
        self._areas = CellAreas(crs_wkt, transform)
        self._to_degrees = _degrees(crs_wkt)

    def of(self, layer: int, heat: Heat, probability: Probability) -> Iterator[Hotspots]:
        """The hotspots of a layer, some at a time, from above."""
        blocks = (heat.window(box) for box in heat.boxes)
        highest = heat.peak if heat.normalize == "none" else 1.0
        level = level_of(self._threshold, highest, blocks)
        for regions in regions_of(heat, level, self._areas, self._pulse):
            yield self._told(layer, level, regions, probability(regions.row, regions.col))

    def _told(self, layer: int, level: float, regions: Regions, probable: Probable) -> Hotspots:
        affine, count = self._transform, len(regions)
        x, y = _placed(affine, regions.centre_col, regions.centre_row)
        lon, lat = (np.asarray(axis) for axis in self._to_degrees.transform(x, y))
        there = np.isfinite(lon) & np.isfinite(lat)
        outline = shapely.transform(
            regions.outline, lambda at: np.stack(_placed(affine, *at.T), axis=1)
        )
        if (
            affine.determinant < 0
        ):  # rows grow downwards: what went round one way now goes the other
            outline = shapely.reverse(outline)
        return Hotspots(
            layer=np.full(count, layer),
            row=regions.row,
            col=regions.col,
            threshold=np.full(count, level),
            cells=regions.cells,
            area=regions.area,
            peak=regions.peak,
            mean=regions.total / regions.cells,
            total=regions.total,
            probability=probable.probability,
            best=probable.best,
            lon=np.where(there, lon, np.nan),
            lat=np.where(there, lat, np.nan),
            outline=outline,
        )


def _placed(affine: Affine, col: Floats, row: Floats) -> tuple[Floats, Floats]:
    """Places in the CRS (n,), x and y, of places in lines of the lattice."""
    return affine.a * col + affine.b * row + affine.c, affine.d * col + affine.e * row + affine.f


def job_hotspots(inputs: JobInputs) -> Iterator[Hotspots]:
    """All hotspots of a job, layer after layer, some at a time."""
    kept = inputs.scratch / "hotspots.npy"
    if not kept.exists():
        draft = kept.with_suffix(".draft")
        with draft.open("wb") as file:
            for hotspots in _find(inputs):
                _keep(file, hotspots)
        draft.rename(kept)
    return _kept(kept)


def _find(inputs: JobInputs) -> Iterator[Hotspots]:
    job = inputs.job
    finder = HotspotFinder(job.grid.crs_wkt, job.grid.transform, job.threshold, inputs.pulse)
    for layer, tiles in enumerate(tiles_over(job, inputs.tiles)):
        yield from finder.of(layer, inputs.heat_of(layer), tiles.at)


def _keep(file: IO[bytes], hotspots: Hotspots) -> None:
    columns = dict(vars(hotspots))
    _, corners, (rings, polygons) = shapely.to_ragged_array(columns.pop("outline"))
    for values in (*columns.values(), corners, rings, polygons):
        np.save(file, values, allow_pickle=False)


def _kept(path: Path) -> Iterator[Hotspots]:
    kind = shapely.GeometryType.POLYGON
    with path.open("rb") as file:
        while file.peek(1):
            columns = {name: next_array(file) for name in _FIGURES}
            corners, *offsets = (next_array(file) for _ in range(3))
            outline = shapely.from_ragged_array(kind, corners, offsets)
            yield Hotspots(**columns, outline=outline)


_FIGURES = tuple(field.name for field in fields(Hotspots) if field.name != "outline")


def _degrees(crs_wkt: str) -> pyproj.Transformer:
    """The way to longitude and latitude; of another world to its own."""
    try:
        return pyproj.Transformer.from_crs(crs_wkt, "OGC:CRS84", always_xy=True)
    except ProjError:
        crs = pyproj.CRS(crs_wkt)
        return pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
