"""The file of the table of tiles, beside what geopandas makes of the same table."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
from pandas.testing import assert_frame_equal

from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make import tiles as making
from geogaze.products.make.tiles import write_tiles
from geogaze.products.tiles import TileTable
from tests.factories import ROTATED, make_scene
from tests.unit.products.conftest import MakePlan
from tests.unit.products.in_memory import rectangles_of


@pytest.fixture
def plan(plan_of: MakePlan, tmp_path: Path) -> Plan:
    scene = make_scene(tmp_path / "scene.tif", width=600, height=500, transform=ROTATED)
    return plan_of(scene, overlap=0.5, classes=["boat", "field vs road"])


@pytest.fixture
def table(plan: Plan) -> TileTable:
    """Tiles without data, without a class, and without probabilities among others."""
    rows, cols = (a.ravel() for a in np.indices((plan.tiling.rows, plan.tiling.cols)))
    rng = np.random.default_rng(5)
    top = rng.integers(-1, 3, len(rows)).astype(np.int32)
    table = TileTable(
        row=rows,
        col=cols,
        valid_fraction=rng.random(len(rows)).astype(np.float32),
        top=top,
        top_probability=np.where(top < 0, np.nan, rng.random(len(rows))).astype(np.float32),
        probabilities=rng.random((2, len(rows))).astype(np.float32),
    )
    table.valid_fraction[3] = np.nan
    table.probabilities[:, top < 0] = np.nan
    table.probabilities[0, 7] = 0
    return table


def write(plan: Plan, table: TileTable, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, of row groups of 7 tiles at most: less than a row of them."""
    monkeypatch.setattr(making, "_GROUP_TILES", 7)
    target = folder / "tiles.parquet"
    write_tiles(facts_of(plan), rectangles_of(table), target, lambda tiles: None)
    return target


def by_geopandas(plan: Plan, table: TileTable, target: Path) -> geopandas.GeoDataFrame:
    """The whole table at once, as it was made before it was made by row groups."""
    corners = []
    for row, col in zip(table.row.tolist(), table.col.tolist(), strict=True):
        top, left, bottom, right = plan.tiling.window(row, col)
        ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        corners.append([plan.working.transform @ corner for corner in ring])
    names = np.array([*plan.bundle.classes, None], dtype=object)
    columns = {
        "row": table.row.astype(np.int32),
        "col": table.col.astype(np.int32),
        "geometry": shapely.polygons(np.array(corners)),
        "valid_fraction": table.valid_fraction,
        "top_class": pd.array(names[table.top], dtype="str"),
        "top_probability": table.top_probability,
        "p_boat": table.probabilities[0],
        "p_field vs road": table.probabilities[1],
    }
    crs = facts_of(plan).grid.crs_wkt
    geopandas.GeoDataFrame(columns, geometry="geometry", crs=crs).to_parquet(target, index=False)
    return geopandas.read_parquet(target)


def test_it_is_what_geopandas_makes_of_the_whole_table(
    plan: Plan, table: TileTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = write(plan, table, tmp_path, monkeypatch)
    found, expected = (
        geopandas.read_parquet(ours),
        by_geopandas(plan, table, tmp_path / "whole.parquet"),
    )
    assert_frame_equal(found.drop(columns="geometry"), expected.drop(columns="geometry"))
    assert list(found.columns) == list(expected.columns)
    assert (found.geometry.to_wkb() == expected.geometry.to_wkb()).all()
    assert found.crs == expected.crs
    # Where nothing is known a value is missing, rather than no number.
    nulls = [
        pq.read_table(path).column("p_boat").null_count
        for path in (ours, tmp_path / "whole.parquet")
    ]
    assert nulls[0] == nulls[1] > 0


def test_its_description_is_what_geopandas_says(
    plan: Plan, table: TileTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = write(plan, table, tmp_path, monkeypatch)
    by_geopandas(plan, table, tmp_path / "whole.parquet")
    said = [
        json.loads(pq.read_metadata(path).metadata[b"geo"])
        for path in (ours, tmp_path / "whole.parquet")
    ]
    for each in said:
        each.pop("creator")
    assert said[0] == said[1]


def test_it_is_written_in_row_groups_which_readers_can_choose_from(
    plan: Plan, table: TileTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = pq.ParquetFile(write(plan, table, tmp_path, monkeypatch))
    count = plan.tiling.rows * -(-plan.tiling.cols // 7)
    assert ours.num_row_groups == count > plan.tiling.rows
    assert ours.metadata.num_rows == plan.tiles
    for number in range(count):
        group = ours.read_row_group(number).to_pandas()
        about = ours.metadata.row_group(number)
        for place, name in enumerate(ours.schema_arrow.names):
            if name in ("geometry", "top_class"):
                continue
            told = about.column(place).statistics
            assert told.null_count == group[name].isna().sum()
            if group[name].notna().any():
                assert (told.min, told.max) == (group[name].min(), group[name].max())


def test_memory_is_bounded_by_the_columns_too(
    plan: Plan, table: TileTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "_GROUP_BYTES", 5 * (160 + 2 * 4))
    target = tmp_path / "tiles.parquet"
    write_tiles(facts_of(plan), rectangles_of(table), target, lambda tiles: None)
    groups = pq.read_metadata(target)
    assert max(groups.row_group(i).num_rows for i in range(groups.num_row_groups)) == 5
