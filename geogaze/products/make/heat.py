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
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.request import Normalize
from geogaze.products.make.cog import write_cog

QUANTILE = 0.999
BLOCK = 256

TileMap = tuple[int, int, NDArray[np.float32]]  # tile row, tile column, evidence (cells, cells)


@dataclass(frozen=True)
class Heat:
    """A layer on the lattice.

    ``values`` (rows, cols) float32, NaN where not looked at: 0..1, or raw signed evidence where
    ``normalize`` is ``none``. ``scale`` is the evidence that became 1 (None for ``tile``).
    """

    values: NDArray[np.float32]
    normalize: Normalize
    scale: float | None

    @property
    def statistics(self) -> dict[str, float] | None:
        """Minimum, maximum, mean and standard deviation of looked-at cells; None if there are
        none.
        """
        seen = self.values[np.isfinite(self.values)].astype(np.float64)
        if not seen.size:
            return None
        return {
            "minimum": float(seen.min()),
            "maximum": float(seen.max()),
            "mean": float(seen.mean()),
            "stddev": float(seen.std()),
        }


def blend(plan: Plan, tiles: Iterable[TileMap], coverage: NDArray[np.float32]) -> Heat:
    """Blend the evidence of all tiles and calibrate it.

    Args:
        plan: the job's plan.
        tiles: maps of the tiles that were looked at, in any fixed order.
        coverage: share of each lattice cell that is valid (rows, cols).
    """
    mosaic = Mosaic(plan.lattice.rows, plan.lattice.cols, plan.tiling.cells)
    for row, col, evidence in tiles:
        shown = _tile_heat(evidence) if plan.normalize == "tile" else evidence
        mosaic.add(shown, *plan.tiling.first_cell(row, col))
    values = mosaic.mean()
    values[coverage < MIN_VALID] = np.nan
    return calibrate(values, plan.normalize)


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


def lattice_profile(plan: Plan) -> dict[str, Any]:
    """How a draft on the lattice is written, all but its values' type and nodata value."""
    return {
        "driver": "GTiff",
        "width": plan.lattice.cols,
        "height": plan.lattice.rows,
        "count": 1,
        "crs": plan.scene.crs_wkt,
        "transform": plan.heat_transform,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
    }


def write_heat(heat: Heat, plan: Plan, layer: str, target: Path, scratch: Path) -> None:
    """Write a layer as COG with statistics, unit, description and provenance tags."""
    source = scratch / "heat.tif"
    profile = lattice_profile(plan)
    with rasterio.open(source, "w", dtype="float32", nodata=float("nan"), **profile) as dataset:
        dataset.write(heat.values, 1)
        meaning = _MEANING[heat.normalize].format(method=plan.explained_by.title)
        dataset.set_band_description(1, f"{layer} ({meaning})")
        dataset.set_band_unit(1, "logit" if heat.normalize == "none" else "1")
        dataset.update_tags(AREA_OR_POINT="Area", **provenance(plan, layer, heat))
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


def provenance(plan: Plan, layer: str, heat: Heat) -> dict[str, str]:
    """Tags that say how a layer came about."""
    bundle = plan.bundle
    return {
        "GEOGAZE_CLASS": layer,
        "GEOGAZE_MODEL": bundle.name,
        "GEOGAZE_WEIGHTS": bundle.weights,
        "GEOGAZE_METHOD": plan.explained_by.title,
        "GEOGAZE_CONTEXT": plan.context,
        "GEOGAZE_LAYER": bundle.module,
        "GEOGAZE_NORMALIZE": heat.normalize,
        "GEOGAZE_SCALE": "" if heat.scale is None else repr(heat.scale),
        "GEOGAZE_STRIDE_PIXELS": str(plan.lattice.stride),
        "GEOGAZE_STRIDE_METRES": repr(plan.cell_metres),
        "GEOGAZE_GSD_METRES": repr(plan.working_metres),
        "GEOGAZE_REGISTRATION_PIXELS": repr(plan.lattice.offset),
        "GEOGAZE_OVERLAP": repr(1 - plan.tiling.step / plan.tiling.cells),
        "GEOGAZE_BANDS": ",".join(map(str, plan.scene.bands)),
        "GEOGAZE_BANDS_SOURCE": plan.scene.bands_source,
        "GEOGAZE_RESCALE": ";".join(f"{low!r},{high!r}" for low, high in plan.scene.rescale),
        "GEOGAZE_RESCALE_SOURCE": plan.scene.rescale_source,
        "GEOGAZE_SQUARE": str(plan.square).lower(),
        **({"GEOGAZE_WARNINGS": " ".join(plan.warnings)} if plan.warnings else {}),
    }
