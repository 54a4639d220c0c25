"""The class raster of a ``top`` job: which class each cell's heat is of, with its colours."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from geogaze.grid.blend import cell_weights
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.cog import write_cog
from geogaze.products.make.heat import BLOCK, lattice_profile
from geogaze.products.make.tiles import TileTable

_TURN = 0.618034  # of the colour circle from class to class: neighbours differ most


def colours(count: int) -> list[tuple[int, int, int]]:
    """A colour (RGB) for each of so many classes."""
    found = []
    for i in range(count):
        bright = (0.95, 0.75, 0.55)[i % 3]
        rgb = colorsys.hsv_to_rgb(i * _TURN % 1, (0.85, 0.55)[i // 3 % 2], bright)
        found.append((round(rgb[0] * 255), round(rgb[1] * 255), round(rgb[2] * 255)))
    return found


def best_classes(plan: Plan, table: TileTable, seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The class (rows, cols) of each cell that was looked at, -1 elsewhere.

    Of the tiles over a cell, the one counts whose probability, weighted as in the heat, is the
    highest; where the model gives no probabilities, the weight alone decides.

    Args:
        plan: the job's plan.
        table: what the model says of each tile.
        seen: which cells (rows, cols) were looked at.
    """
    lattice, cells = plan.lattice, plan.tiling.cells
    best = np.full((lattice.rows, lattice.cols), -1, dtype=np.int64)
    strength = np.zeros(best.shape, dtype=np.float32)
    share = (cell_weights(cells) / cell_weights(cells).max()).astype(np.float32)
    probable = np.nan_to_num(table.top_probability, nan=1)
    for i in np.flatnonzero(table.top >= 0):
        row, col = plan.tiling.first_cell(int(table.row[i]), int(table.col[i]))
        here = np.s_[row : row + cells, col : col + cells]
        strong = share[: best[here].shape[0], : best[here].shape[1]] * probable[i]
        wins = strong > strength[here]
        strength[here][wins] = strong[wins]
        best[here][wins] = table.top[i]
    best[~seen] = -1
    return best


def write_classes(plan: Plan, best: NDArray[np.int64], target: Path, scratch: Path) -> None:
    """Write the classes' positions in the model as a COG with a colour table.

    Names of the classes that occur are in the band's tags, ``CLASS_<value>``.
    """
    names = plan.bundle.classes
    dtype, nothing = ("uint8", 255) if len(names) <= 255 else ("uint16", 65535)
    source = scratch / "classes-draft.tif"
    profile = {"dtype": dtype, "nodata": nothing, "photometric": "palette"} | lattice_profile(plan)
    with rasterio.open(source, "w", **profile) as dataset:
        dataset.write(np.where(best < 0, nothing, best).astype(dtype), 1)
        table = {i: (*rgb, 255) for i, rgb in enumerate(colours(len(names)))}
        dataset.write_colormap(1, {**table, nothing: (0, 0, 0, 0)})
        dataset.set_band_description(1, "best class")
        dataset.update_tags(AREA_OR_POINT="Area", GEOGAZE_MODEL=plan.bundle.name)
        found = np.unique(best[best >= 0]).tolist()
        dataset.update_tags(1, **{f"CLASS_{i}": names[i] for i in found})
    write_cog(source, target, block=BLOCK, COMPRESS="DEFLATE", OVERVIEW_RESAMPLING="MODE")
    source.unlink()


def legend(plan: Plan) -> list[dict[str, Any]]:
    """``classification:classes`` of STAC: value, name and colour of each class."""
    tints = colours(len(plan.bundle.classes))
    return [
        {
            "value": i,
            "name": f"class-{i}",
            "description": name,
            "color_hint": "{:02X}{:02X}{:02X}".format(*tints[i]),
        }
        for i, name in enumerate(plan.bundle.classes)
    ]
