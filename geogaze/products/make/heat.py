"""Heat layers: blended evidence, one scale per layer, a float32 COG on the lattice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from geogaze.grid.blend import Mosaic
from geogaze.grid.coverage import MIN_VALID
from geogaze.grid.lattice import Box
from geogaze.grid.tiling import Tiling
from geogaze.products.facts import Grid, LayerFacts
from geogaze.products.make.cog import write_cog
from geogaze.products.make.inputs import Heat, LayerInputs
from geogaze.products.styles import Normalize
from geogaze.timing import timed

QUANTILE = 0.999
BLOCK = 256

TileMap = tuple[int, int, NDArray[np.float32]]  # tile row, tile column, evidence (cells, cells)


def make(inputs: LayerInputs, target: Path) -> None:
    """The product ``heat-{class}``."""
    write_heat(inputs.heat, inputs.layer, target, inputs.scratch)


@dataclass(frozen=True)
class Piece:
    """A part of a layer: ``coverage``, the share of each cell of some boxes of cells that is valid,
    and the ``maps`` of the tiles there that were looked at.
    """

    coverage: list[tuple[Box, NDArray[np.float32]]]
    maps: list[TileMap]


@timed("blend")
def blend(
    tiling: Tiling, pieces: Iterable[Piece], normalize: Normalize
) -> tuple[Heat, NDArray[np.float32]]:
    """Blend the evidence of all tiles and calibrate it.

    Args:
        tiling: where tiles lie on the lattice.
        pieces: of the layer, in any fixed order.
        normalize: what becomes of the evidence, see :func:`calibrate`.

    Returns:
        The heat, and the share of each lattice cell (rows, cols) that is valid.
    """
    lattice = tiling.lattice
    mosaic = Mosaic(lattice.rows, lattice.cols, tiling.cells)
    coverage = np.zeros((lattice.rows, lattice.cols), dtype=np.float32)
    for piece in pieces:
        for (row0, col0, row1, col1), share in piece.coverage:
            coverage[row0:row1, col0:col1] = share
        for row, col, evidence in piece.maps:
            shown = _tile_heat(evidence) if normalize == "tile" else evidence
            mosaic.add(shown, *tiling.first_cell(row, col))
    values = mosaic.mean()
    values[coverage < MIN_VALID] = np.nan
    return calibrate(values, normalize), coverage


def calibrate(evidence: NDArray[np.float32], normalize: Normalize) -> Heat:
    """Blended signed evidence to heat.

    ``job``: ReLU, then divided by the 99.9th percentile of the positive evidence and cut at 1, so
    that one outlier does not darken the scene. ``tile`` comes normalised; ``none`` stays raw.
    """
    if normalize == "none":
        return Heat(evidence, normalize, 1.0)
    if normalize == "tile":
        return Heat(evidence, normalize, None)
    positive = evidence[evidence > 0]
    scale = float(np.quantile(positive, QUANTILE)) if positive.size else 0.0
    relu = np.maximum(evidence, 0)  # NaN stays NaN
    if scale:
        relu = np.minimum(relu / np.float32(scale), 1)
    return Heat(relu.astype(np.float32), normalize, scale)


def _tile_heat(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """The textbook: ReLU, then divided by the tile's own maximum."""
    relu = np.maximum(evidence, 0)
    peak = relu.max()
    return relu / peak if peak > 0 else relu


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
def write_heat(heat: Heat, layer: LayerFacts, target: Path, scratch: Path) -> None:
    """Write a layer as COG with statistics, unit, description and provenance tags."""
    scale = {"GEOGAZE_SCALE": "" if heat.scale is None else repr(heat.scale)}
    source = scratch / "heat.tif"
    profile = lattice_profile(layer.grid)
    with rasterio.open(source, "w", dtype="float32", nodata=float("nan"), **profile) as dataset:
        dataset.write(heat.values, 1)
        meaning = _MEANING[heat.normalize].format(method=layer.method)
        dataset.set_band_description(1, f"{layer.name} ({meaning})")
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
