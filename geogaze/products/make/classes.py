"""The class raster: which class each cell's heat is of, or which has most evidence there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from geogaze.grid.blend import cell_weights
from geogaze.grid.lattice import Box, overlap, slices
from geogaze.grid.tiling import Tiling
from geogaze.models.bundles import Bundle
from geogaze.products.facts import Grid
from geogaze.products.make.cog import write_cog
from geogaze.products.make.heat import BLOCK, lattice_profile
from geogaze.products.make.inputs import JobInputs
from geogaze.products.styles import class_colours
from geogaze.products.tiles import TileTable

ClassBlock = tuple[Box, NDArray[np.int64]]
"""Cells, and the class (h, w) of each, -1 where nobody looked."""


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``classes``."""
    job = inputs.job
    write_classes(_blocks(inputs), job.grid, job.model, target, inputs.scratch)


def _blocks(inputs: JobInputs) -> Iterator[ClassBlock]:
    """The classes of all cells, in the blocks that the heat is kept in."""
    job = inputs.job
    for box in inputs.heat_of(0).boxes:
        if job.targets is None:
            rows, cols = job.tiling.tiles_over(box)
            table = inputs.tiles.read((rows.start, cols.start, rows.stop, cols.stop))
            seen = np.isfinite(inputs.heat_of(0).window(box))
            yield box, best_classes(job.tiling, table, seen, box)
        else:
            own = (
                (plus, inputs.heat_of(number).evidence(box))
                for number, (plus, minus) in enumerate(job.targets)
                if plus is not None and minus is None
            )
            yield box, most_evident(own, box)
        inputs.pulse(0)


def most_evident(layers: Iterable[tuple[int, NDArray[np.float32]]], box: Box) -> NDArray[np.int64]:
    """The class (rows, cols) with most evidence in each cell of a box; -1 where none has any, or
    where nobody looked. Evidence is in logits for each class alike, so that classes compare.

    Args:
        layers: classes, and the evidence (rows, cols) for each, one after the other.
        box: the cells.
    """
    shape = box[2] - box[0], box[3] - box[1]
    best, most = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.float32)
    for number, evidence in layers:
        more = evidence > most  # of NaN nothing is
        best[more], most[more] = number, evidence[more]
    return best


def best_classes(
    tiling: Tiling, table: TileTable, seen: NDArray[np.bool_], box: Box
) -> NDArray[np.int64]:
    """The class (rows, cols) of each cell of a box that was looked at, -1 elsewhere.

    Of the tiles over a cell, the one counts whose probability, weighted as in the heat, is the
    highest; where the model gives no probabilities, the weight alone decides.

    Args:
        tiling: where tiles lie on the lattice.
        table: what the model says of each tile that has a cell in the box, row by row.
        seen: which cells (rows, cols) of the box were looked at.
        box: the cells.
    """
    cells = tiling.cells
    best = np.full(seen.shape, -1, dtype=np.int64)
    strength = np.zeros(best.shape, dtype=np.float32)
    share = (cell_weights(cells) / cell_weights(cells).max()).astype(np.float32)
    probable = np.nan_to_num(table.top_probability, nan=1)
    for i in np.flatnonzero(table.top >= 0):
        row, col = tiling.first_cell(int(table.row[i]), int(table.col[i]))
        theirs, here = overlap((row, col, row + cells, col + cells), box)
        strong = share[theirs] * probable[i]
        wins = strong > strength[here]
        strength[here][wins] = strong[wins]
        best[here][wins] = table.top[i]
    best[~seen] = -1
    return best


def write_classes(
    blocks: Iterable[ClassBlock], grid: Grid, model: Bundle, target: Path, scratch: Path
) -> None:
    """Write the classes' positions in the model as a COG with a colour table.

    Names of the classes that occur are in the band's tags, ``CLASS_<value>``.

    Args:
        blocks: all cells, block by block.
        grid: where they lie.
        model: whose classes they are of.
        target: the COG to write.
        scratch: a folder for drafts.
    """
    names = model.classes
    dtype, nothing = ("uint8", 255) if len(names) <= 255 else ("uint16", 65535)
    source = scratch / "classes-draft.tif"
    profile = {"dtype": dtype, "nodata": nothing, "photometric": "palette"} | lattice_profile(grid)
    with rasterio.open(source, "w", **profile) as dataset:
        table = {i: (*rgb, 255) for i, rgb in enumerate(class_colours(len(names)))}
        dataset.write_colormap(1, {**table, nothing: (0, 0, 0, 0)})
        dataset.set_band_description(1, "best class")
        dataset.update_tags(AREA_OR_POINT="Area", GEOGAZE_MODEL=model.name)
        present: set[int] = set()
        for box, best in blocks:
            values = np.where(best < 0, nothing, best).astype(dtype)
            dataset.write(values, 1, window=Window.from_slices(*slices(box)))
            present |= set(np.unique(best[best >= 0]).tolist())
        dataset.update_tags(1, **{f"CLASS_{i}": names[i] for i in sorted(present)})
    write_cog(source, target, block=BLOCK, COMPRESS="DEFLATE", OVERVIEW_RESAMPLING="MODE")
    source.unlink()
