"""The phase blend: a block of the lattice, from the tiles over it to the evidence of its cells."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from geogaze.grid.coverage import MIN_VALID
from geogaze.grid.shifted import ShiftedGrids
from geogaze.grid.sketch import Sketch
from geogaze.ledger.records import Claim, Part
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.heat import Piece, blend
from geogaze.runner.block import BLENDED, SPREAD, store_sketches
from geogaze.runner.part import ChunkTable, load_evidence, load_table
from geogaze.runner.phases.resources import Outcome, Resources
from geogaze.runner.pulse import Pulse
from geogaze.storage.ahead import ahead

Layers = tuple[int, int]
"""The first of some layers, and the first that is not of them."""


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One block: a few layers at a time, so that memory is bounded whatever the job."""
    plan = Plan.read(claim.plan)
    box, count = plan.blocks.rectangle(claim.root), len(plan.layers)
    parts = resources.ledger.parts(claim.job_id, "explain", roots=plan.roots_over(box))
    tables = list(ahead(lambda part: load_table(resources.storage, part), parts))
    at_once = plan.layers_at_once
    sketches, peaks, covered = [], [], False
    rows, cols = box[2] - box[0], box[3] - box[1]
    with (scratch / BLENDED).open("wb") as file, (scratch / SPREAD).open("wb") as spread:
        for first in range(0, count, at_once):
            layers = first, min(first + at_once, count)
            pieces = _pieces(resources, plan, list(zip(parts, tables, strict=True)), layers, pulse)
            several = layers[1] - first
            shifted = (
                ShiftedGrids(plan.stability, rows, cols, plan.tiling.cells, several)
                if plan.stability
                else None
            )
            values, coverage = blend(plan.tiling, box, several, pieces, plan.normalize, shifted)
            covered = bool((coverage >= MIN_VALID).any())
            file.write(values.tobytes())
            if shifted:
                apart = shifted.spread(positive=plan.normalize != "none")
                spread.write(np.where(np.isnan(values), np.float32(np.nan), apart).tobytes())
            # Raw evidence is drawn by its strength, of either sign.
            strength = np.abs(values) if plan.normalize == "none" else values
            sketches += [Sketch.of(layer) for layer in strength]
            peaks += [_peak(layer) for layer in values]
    for name in (BLENDED, SPREAD) if plan.stability else (BLENDED,):
        resources.storage.take_file(
            f"{claim.prefix}{name}", scratch / name, "application/octet-stream"
        )
    store_sketches(resources.storage, claim.prefix, sketches)
    return Outcome({"peaks": peaks, "covered": covered})


def _peak(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float | None:
    """The highest value; None where there is none."""
    seen = values[np.isfinite(values)]
    return float(seen.max()) if seen.size else None


def _pieces(
    resources: Resources,
    plan: Plan,
    parts: list[tuple[Part, ChunkTable]],
    layers: Layers,
    pulse: Pulse,
) -> Iterator[Piece]:
    """Some layers, piece by piece.

    Chunk by chunk, each row by row, also where a chunk was split: sums of floating-point numbers
    depend on their order, and the products must not depend on what went wrong on the way.
    """

    def load(each: tuple[Part, ChunkTable]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        part, table = each
        seen = int(table.seen.sum())
        return load_evidence(resources.storage, part, layers, seen, plan.tiling.cells)

    loaded = zip(parts, ahead(load, parts), strict=True)
    for _, of_chunk in groupby(loaded, key=lambda each: each[0][0].root):
        piece = Piece([], [])
        for (part, table), maps in of_chunk:
            chunk = plan.chunk(part.root, part.rectangle)
            piece.coverage.append((plan.tiling.chunk_cells(chunk), table.coverage))
            tiles = [tile for tile, looked in zip(chunk.tiles(), table.seen, strict=True) if looked]
            piece.maps.extend((*tile, maps[:, i]) for i, tile in enumerate(tiles))
        piece.maps.sort(key=lambda tile: tile[:2])
        yield piece
        pulse(0)
