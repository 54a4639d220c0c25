"""The table of tiles, as GeoParquet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geogaze.processes.explain.layers import TOP
from geogaze.processes.explain.plan import Plan


@dataclass(frozen=True)
class TileTable:
    """One entry per tile, by row and column.

    ``row``, ``col`` (n,); ``valid_fraction`` (n,) 0..1; ``top`` (n,) position of the best class,
    -1 where not looked at; ``top_probability`` (n,) and ``probabilities`` (K, n) 0..1 or NaN.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    valid_fraction: NDArray[np.float32]
    top: NDArray[np.int32]
    top_probability: NDArray[np.float32]
    probabilities: NDArray[np.float32]


def footprints(plan: Plan, table: TileTable) -> NDArray[Any]:
    """Polygons (n,) of the tiles in the scene's CRS."""
    windows = np.array(
        [plan.tiling.window(int(r), int(c)) for r, c in zip(table.row, table.col, strict=True)],
        dtype=np.float64,
    )
    top, left, bottom, right = windows.T
    cols = np.stack([left, right, right, left, left], axis=1)
    rows = np.stack([top, top, bottom, bottom, top], axis=1)
    affine = plan.working.transform
    x = affine.a * cols + affine.b * rows + affine.c
    y = affine.d * cols + affine.e * rows + affine.f
    return np.asarray(shapely.polygons(np.stack([x, y], axis=-1)))


def write_tiles(plan: Plan, table: TileTable, target: Path) -> None:
    """Write ``row, col, geometry, valid_fraction, top_class, top_probability, p_<class>…``."""
    names = np.array([*plan.bundle.classes, None], dtype=object)  # -1 is the last
    columns: dict[str, Any] = {
        "row": table.row.astype(np.int32),
        "col": table.col.astype(np.int32),
        "geometry": footprints(plan, table),
        "valid_fraction": table.valid_fraction,
        "top_class": pd.array(names[table.top], dtype="string"),
        "top_probability": table.top_probability,
    }
    if plan.layers != (TOP,):
        for layer, values in zip(plan.layers, table.probabilities, strict=True):
            columns[f"p_{layer}"] = values
    frame = geopandas.GeoDataFrame(columns, geometry="geometry", crs=plan.scene.crs_wkt)
    frame.to_parquet(target, index=False, compression="zstd")


@dataclass(frozen=True)
class Standing:
    """What the model says of a layer, tile by tile.

    ``won`` is the number of tiles whose best class it is, None where the layer is no class's own
    (``ship vs harbor``); ``highest`` its highest probability, None where there is none;
    ``classes`` what the layer ``top`` is made of, class → tiles, most first.
    """

    won: int | None
    highest: float | None
    classes: dict[str, int]


def standings(plan: Plan, table: TileTable) -> dict[str, Standing]:
    """The standing of every layer."""
    seen = table.top >= 0
    wins = np.bincount(table.top[seen], minlength=len(plan.bundle.classes))
    if plan.targets is None:
        order = [int(i) for i in np.argsort(-wins, kind="stable") if wins[i]]
        made_of = {plan.bundle.classes[i]: int(wins[i]) for i in order}
        return {TOP: Standing(int(seen.sum()), _highest(table.top_probability[seen]), made_of)}
    return {
        layer: Standing(
            None if plus is None or minus is not None else int(wins[plus]), _highest(values), {}
        )
        for layer, (plus, minus), values in zip(
            plan.layers, plan.targets, table.probabilities[:, seen], strict=True
        )
    }


def _highest(values: NDArray[np.float32]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else None


def strongest(plan: Plan, table: TileTable, count: int) -> list[int]:
    """Positions of the layers with most to show: best class of many tiles, and surely so."""
    if plan.layers == (TOP,):
        return [0]
    targets = plan.targets or ()
    # Where the model gives no probabilities, tiles are counted.
    probable = np.nan_to_num(table.top_probability, nan=1)
    sure = np.array(
        [0.0 if minus is not None else probable[table.top == plus].sum() for plus, minus in targets]
    )
    seen = table.top >= 0
    mean = table.probabilities[:, seen].mean(axis=1) if seen.any() else np.zeros(len(targets))
    order = np.lexsort((-mean, -sure))
    return [int(i) for i in order[:count]]
