"""The table of tiles, as GeoParquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geogaze.products.facts import TOP, JobFacts
from geogaze.products.make.inputs import JobInputs
from geogaze.products.tiles import TileTable


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``tiles``."""
    write_tiles(inputs.job, inputs.table, target)


def footprints(job: JobFacts, table: TileTable) -> NDArray[Any]:
    """Polygons (n,) of the tiles in the scene's CRS."""
    windows = np.array(
        [job.tiling.window(int(r), int(c)) for r, c in zip(table.row, table.col, strict=True)],
        dtype=np.float64,
    )
    top, left, bottom, right = windows.T
    cols = np.stack([left, right, right, left, left], axis=1)
    rows = np.stack([top, top, bottom, bottom, top], axis=1)
    affine = job.backdrop.transform
    x = affine.a * cols + affine.b * rows + affine.c
    y = affine.d * cols + affine.e * rows + affine.f
    return np.asarray(shapely.polygons(np.stack([x, y], axis=-1)))


def write_tiles(job: JobFacts, table: TileTable, target: Path) -> None:
    """Write ``row, col, geometry, valid_fraction, top_class, top_probability, p_<class>…``."""
    names = np.array([*job.model.classes, None], dtype=object)  # -1 is the last
    columns: dict[str, Any] = {
        "row": table.row.astype(np.int32),
        "col": table.col.astype(np.int32),
        "geometry": footprints(job, table),
        "valid_fraction": table.valid_fraction,
        "top_class": pd.array(names[table.top], dtype="string"),
        "top_probability": table.top_probability,
    }
    if job.layers != (TOP,):
        for layer, values in zip(job.layers, table.probabilities, strict=True):
            columns[f"p_{layer}"] = values
    frame = geopandas.GeoDataFrame(columns, geometry="geometry", crs=job.grid.crs_wkt)
    frame.to_parquet(target, index=False, compression="zstd")
