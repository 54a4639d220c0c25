"""The table of tiles, as GeoParquet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geogaze.models.sureness import Sureness, sureness
from geogaze.products.columns import tile_columns
from geogaze.products.facts import TOP, JobFacts
from geogaze.products.make.geoparquet import geo
from geogaze.products.make.inputs import JobInputs, Pulse
from geogaze.products.make.parquet import KINDS, Column, ParquetWriter, Values, with_lengths
from geogaze.products.tiles import Tiles, TileTable

_GROUP_TILES = 2**17  # most in a row group
_GROUP_BYTES = 64 * 2**20  # most of its values
_TILE_BYTES, _LAYER_BYTES = 160, 4
_CORNERS = 5  # of a footprint, the first one twice

_WKB = np.dtype(
    [
        ("length", "<u4"),
        ("order", "u1"),
        ("type", "<u4"),
        ("rings", "<u4"),
        ("corners", "<u4"),
        ("at", "<f8", (_CORNERS, 2)),
    ]
)
"""A footprint as it lies in the file: its length, then well-known binary, little-endian."""


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``tiles``."""
    write_tiles(inputs.job, inputs.tiles, target, inputs.pulse)


def footprints(job: JobFacts, table: TileTable) -> NDArray[np.float64]:
    """Corners (n, 5, 2) of the tiles in the scene's CRS, the first one twice."""
    rows_of, at_row = np.unique(table.row, return_inverse=True)
    cols_of, at_col = np.unique(table.col, return_inverse=True)
    top = np.array([job.tiling.window(int(row), 0)[0] for row in rows_of], dtype=float)[at_row]
    left = np.array([job.tiling.window(0, int(col))[1] for col in cols_of], dtype=float)[at_col]
    bottom, right = top + job.tiling.tile_size, left + job.tiling.tile_size
    cols = np.stack([left, right, right, left, left], axis=1)
    rows = np.stack([top, top, bottom, bottom, top], axis=1)
    affine = job.backdrop.transform
    x = affine.a * cols + affine.b * rows + affine.c
    y = affine.d * cols + affine.e * rows + affine.f
    return np.stack([x, y], axis=-1)


def write_tiles(job: JobFacts, tiles: Tiles, target: Path, pulse: Pulse) -> None:
    """Write ``row, col, geometry, valid_fraction, top_class, top_probability, p_<class>…``.

    And ``nowhere_<layer>…`` where tokens on no place give something to scores, in logits.

    Of a model that labels pixels ``top_share`` and ``share_<class>…``, the shares of the tile's
    pixels that classes are predicted on. A row group at a time, whatever the number of tiles.

    Args:
        job: its facts.
        tiles: all of the job's.
        target: the file.
        pulse: called between row groups.
    """
    layers = () if job.layers == (TOP,) else job.layers
    beside = job.layers if tiles.told_nowhere else ()
    names = with_lengths([name.encode() for name in job.model.classes])
    most = min(
        _GROUP_TILES, _GROUP_BYTES // (_TILE_BYTES + _LAYER_BYTES * (len(layers) + len(beside)))
    )
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    said = sureness(job.model.rule)
    with ParquetWriter(target, _columns(job.layers, said, nowhere=tiles.told_nowhere)) as file:
        for box in tiles.slabs(most):
            table = tiles.read(box)
            corners = footprints(job, table)
            low = np.minimum(low, corners.min(axis=(0, 1)))
            high = np.maximum(high, corners.max(axis=(0, 1)))
            file.add(len(table.row), _values(table, corners, (layers, said, beside), names))
            pulse(0)
        file.say({"geo": json.dumps(geo(job.grid.crs_wkt, [*low.tolist(), *high.tolist()]))})


def _columns(layers: tuple[str, ...], said: Sureness, *, nowhere: bool) -> list[Column]:
    known = {"row", "col", "geometry"}
    told = tile_columns(layers, said, nowhere=nowhere)
    return [Column(name, KINDS[kind], gaps=name not in known) for name, kind in told.items()]


def _values(
    table: TileTable,
    corners: NDArray[np.float64],
    columns: tuple[tuple[str, ...], Sureness, tuple[str, ...]],
    names: list[bytes],
) -> dict[str, Values]:
    """A row group's values; what is not known is missing."""
    seen = table.top >= 0
    layers, said, beside = columns
    nowhere = () if table.nowhere is None else table.nowhere
    return {
        "row": Values(table.row.astype(np.int32)),
        "col": Values(table.col.astype(np.int32)),
        "geometry": Values(_wkb(corners)),
        "valid_fraction": _known(table.valid_fraction),
        "top_class": Values(b"".join([names[i] for i in table.top[seen].tolist()]), seen),
        f"top_{said.name}": _known(table.top_probability),
        **{
            f"{said.column}_{layer}": _known(values)
            for layer, values in zip(layers, table.probabilities, strict=True)
        },
        **{
            f"nowhere_{layer}": _known(values)
            for layer, values in zip(beside, nowhere, strict=True)
        },
    }


def _known(values: NDArray[np.float32]) -> Values:
    there = ~np.isnan(values)
    return Values(values[there], there)


def _wkb(corners: NDArray[np.float64]) -> bytes:
    """Polygons (n, 5, 2) as well-known binary, each behind its length."""
    polygons = np.zeros(len(corners), dtype=_WKB)
    polygons["length"] = _WKB.itemsize - 4
    polygons["order"] = 1  # little-endian
    polygons["type"] = 3  # a polygon
    polygons["rings"] = 1
    polygons["corners"] = _CORNERS
    polygons["at"] = corners
    return polygons.tobytes()
