"""Heat layers: blended evidence, one scale per layer, a float32 COG on the lattice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from geogaze.grid.blend import Mosaic
from geogaze.grid.coverage import MIN_VALID
from geogaze.grid.lattice import Box, overlap, slices
from geogaze.grid.shifted import ShiftedGrids
from geogaze.grid.sketch import Sketch
from geogaze.grid.tiling import Tiling
from geogaze.products.facts import Grid, LayerFacts
from geogaze.products.make.cog import write_cog
from geogaze.products.make.inputs import Heat, LayerInputs
from geogaze.products.styles import Normalize
from geogaze.timing import timed

QUANTILE = 0.999
BLOCK = 256

TileMaps = tuple[int, int, NDArray[np.float32]]
"""Tile row, tile column, evidence (layers, cells, cells)."""


def make(inputs: LayerInputs, target: Path) -> None:
    """The product ``heat-{class}``."""
    write_heat(inputs.heat, inputs.layer, target, inputs.scratch)


@dataclass(frozen=True)
class Piece:
    """A part of some layers: ``coverage``, the share of each cell of some boxes of cells that is
    valid, and the ``maps`` of the tiles there that were looked at.
    """

    coverage: list[tuple[Box, NDArray[np.float32]]]
    maps: list[TileMaps]


@timed("blend")
def blend(
    tiling: Tiling,
    box: Box,
    layers: int,
    pieces: Iterable[Piece],
    normalize: Normalize,
    shifted: ShiftedGrids | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Blend the evidence of all tiles over a box of lattice cells.

    Args:
        tiling: where tiles lie on the lattice.
        box: the cells; what lies beyond is left out.
        layers: how many there are.
        pieces: of the layers, in any fixed order.
        normalize: ``tile`` has each tile's maps between 0 and 1 before they are blended.
        shifted: grids over the box that get the same maps.

    Returns:
        Evidence (layers, h, w), NaN where a cell was not looked at, and the share of each cell (h,
        w) that is valid.
    """
    rows, cols = box[2] - box[0], box[3] - box[1]
    mosaic = Mosaic(rows, cols, tiling.cells, (layers,))
    coverage = np.zeros((rows, cols), dtype=np.float32)
    for piece in pieces:
        for cells, share in piece.coverage:
            theirs, ours = overlap(cells, box)
            coverage[ours] = share[theirs]
        for row, col, evidence in piece.maps:
            first_row, first_col = tiling.first_cell(row, col)
            if not _apart((first_row, first_col), tiling.cells, box):
                shown = _tile_heat(evidence) if normalize == "tile" else evidence
                place = first_row - box[0], first_col - box[1]
                mosaic.add(shown, *place)
                if shifted:
                    shifted.add(shown, (row, col), place)
    values = mosaic.mean()
    values[:, coverage < MIN_VALID] = np.nan
    return values, coverage


def _apart(first: tuple[int, int], cells: int, box: Box) -> bool:
    """Whether a tile has no cell in a box."""
    return not all(
        start < stop and start + cells > begin
        for start, begin, stop in zip(first, box[:2], box[2:], strict=True)
    )


def calibrate(
    evidence: NDArray[np.float32], normalize: Normalize, scale: float | None
) -> NDArray[np.float32]:
    """Blended signed evidence to heat.

    ``job``: ReLU, then divided by ``scale``, the 99.9th percentile of the layer's positive
    evidence, and cut at 1, so that one outlier does not darken the scene. ``tile`` comes
    normalised; ``none`` stays raw.
    """
    if normalize != "job":
        return evidence
    relu = np.maximum(evidence, 0)  # NaN stays NaN
    if scale:
        relu = np.minimum(relu / np.float32(scale), 1)
    return np.asarray(relu, dtype=np.float32)


def scale_of(positive: Sketch, normalize: Normalize) -> float | None:
    """The evidence of a layer that becomes 1, by what is known of its positive evidence."""
    return {"job": positive.quantile(QUANTILE), "none": 1.0, "tile": None}[normalize]


def _tile_heat(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """The textbook, map by map: ReLU, then divided by the tile's own maximum."""
    relu = np.maximum(evidence, 0)
    peak = relu.max(axis=(-2, -1), keepdims=True)
    return np.asarray(np.divide(relu, peak, out=relu.copy(), where=peak > 0))


def lattice_profile(grid: Grid) -> dict[str, Any]:
    """How a draft on the lattice is written, all but its values' type and nodata value."""
    return {
        "driver": "GTiff",
        "width": grid.cols,
        "height": grid.rows,
        "count": 1,
        "crs": grid.crs_wkt,
        "transform": grid.transform,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
    }


@timed("encode heat")
def write_heat(
    heat: Heat, layer: LayerFacts, target: Path, scratch: Path, meaning: str | None = None
) -> None:
    """Write a layer as COG with statistics, unit, description and provenance tags.

    Args:
        heat: the values.
        layer: what they are of.
        target: the COG to write.
        scratch: a folder for the draft.
        meaning: of a value, for the band's description, where it is not heat itself.
    """
    scale = {"GEOGAZE_SCALE": "" if heat.scale is None else repr(heat.scale)}
    source = scratch / "heat.tif"
    profile = lattice_profile(layer.grid)
    with rasterio.open(source, "w", dtype="float32", nodata=float("nan"), **profile) as dataset:
        for box in heat.boxes:
            dataset.write(heat.window(box), 1, window=Window.from_slices(*slices(box)))
        described = meaning or _MEANING[heat.normalize].format(method=layer.method)
        dataset.set_band_description(1, f"{layer.name} ({described})")
        dataset.set_band_unit(1, "logit" if heat.normalize == "none" else "1")
        dataset.update_tags(AREA_OR_POINT="Area", **(layer.tags | scale))
        if statistics := heat.statistics:
            named = {f"STATISTICS_{name.upper()}": repr(v) for name, v in statistics.items()}
            dataset.update_tags(1, **named)
    write_cog(
        source,
        target,
        block=BLOCK,
        COMPRESS="DEFLATE",
        PREDICTOR="3",
        OVERVIEW_RESAMPLING="AVERAGE",
    )


_MEANING = {
    "job": "{method} heat, 0 to 1 over the scene",
    "tile": "{method} heat, each tile 0 to 1",
    "none": "raw {method} evidence",
}
