"""Hotspots of a job, and their files as other software reads them."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from numpy.typing import NDArray

from geogaze.models.sureness import sureness
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.facts import JobFacts
from geogaze.products.make import hotspot_files
from geogaze.products.make.hotspot_files import Names, make_geopackage, make_geoparquet
from geogaze.products.make.inputs import JobInputs
from geogaze.products.records import JobRecord
from geogaze.products.tiles import TileTable, standings
from tests.factories import ROTATED, make_scene
from tests.unit.products.conftest import MakePlan
from tests.unit.products.in_memory import rectangles_of, tally_of
from tests.unit.products.lattices import LEVEL, blobs, by_gdal, in_blocks

CLASSES = ["boat", "field vs road"]


@pytest.fixture
def plan(plan_of: MakePlan, tmp_path: Path) -> Plan:
    scene = make_scene(tmp_path / "scene.tif", width=1500, height=1300, transform=ROTATED)
    return plan_of(scene, overlap=0.5, classes=CLASSES)


def table_of(plan: Plan, layers: int) -> TileTable:
    rows, cols = (at.ravel() for at in np.indices((plan.tiling.rows, plan.tiling.cols)))
    rng = np.random.default_rng(5)
    top = rng.integers(-1, 3, len(rows)).astype(np.int32)
    sure = np.where(top < 0, np.nan, rng.random(len(rows))).astype(np.float32)
    each = rng.random((layers, len(rows))).astype(np.float32)
    each[:, top < 0] = np.nan
    return TileTable(rows, cols, np.ones(len(rows), dtype=np.float32), top, sure, each)


def inputs_of(
    job: JobFacts, table: TileTable, layers: list[NDArray[np.float32]], folder: Path
) -> JobInputs:
    folder.mkdir()
    tally = tally_of(job, table)
    return JobInputs(
        job=job,
        tiles=rectangles_of(table),
        tally=tally,
        standing=standings(job, tally),
        heat_of=lambda number: in_blocks(layers[number], 16),
        drawn=pytest.fail,
        record=JobRecord("job-1", 0.0, {}, {}, [], []),
        open_scene=pytest.fail,
        scratch=folder,
        pulse=lambda tiles: None,
    )


def layers_of(plan: Plan) -> list[NDArray[np.float32]]:
    shape = plan.lattice.rows, plan.lattice.cols
    return [blobs(*shape, seed, grain=2) for seed in range(len(plan.layers))]


@pytest.fixture
def files(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The job's GeoPackage and GeoParquet, of row groups of 7."""
    monkeypatch.setattr(hotspot_files, "_GROUP", 7)
    inputs = inputs_of(facts_of(plan), table_of(plan, 2), layers_of(plan), tmp_path / "scratch")
    make_geopackage(inputs, tmp_path / "h.gpkg")
    make_geoparquet(inputs, tmp_path / "h.parquet")
    return tmp_path / "h.gpkg", tmp_path / "h.parquet"


def test_both_files_tell_the_same_of_the_same_places(plan: Plan, files: tuple[Path, Path]) -> None:
    package, parquet = (
        geopandas.read_file(files[0], layer="hotspots"),
        geopandas.read_parquet(files[1]),
    )
    assert package.crs == parquet.crs == plan.scene.crs_wkt
    assert package.geometry.geom_equals_exact(parquet.geometry, 0).all()
    assert package.geometry.is_valid.all()
    assert package.geometry.exterior.is_ccw.all()
    told = [
        pd.DataFrame(f.drop(columns=["geometry", "bbox"], errors="ignore"))
        for f in (package, parquet)
    ]
    assert list(told[0].columns) == list(Names((), (), sureness("softmax")).fields)
    pd.testing.assert_frame_equal(*told, check_dtype=False, rtol=1e-6)
    assert len(told[0]) == sum(len(by_gdal(values)) for values in layers_of(plan)) > 20
    assert told[0]["id"].is_unique


def test_a_hotspot_lies_where_its_cells_do(plan: Plan, files: tuple[Path, Path]) -> None:
    package = geopandas.read_file(files[0], layer="hotspots")
    for name, values in zip(plan.layers, layers_of(plan), strict=True):
        mine = package[package["class"] == name]
        for row, col, peak in zip(mine.row, mine.col, mine.peak, strict=True):
            assert values[row, col] == pytest.approx(peak)
        at = shapely.points(*(plan.heat_transform @ (mine.col + 0.5, mine.row + 0.5)))
        assert shapely.contains(mine.geometry.to_numpy(), at).all()
        assert mine.cells.sum() == (values >= LEVEL).sum()
        assert (mine["sum"] / mine.cells).to_numpy() == pytest.approx(mine["mean"].to_numpy())
    centre = package.geometry.centroid.to_crs("OGC:CRS84")
    assert package.longitude.to_numpy() == pytest.approx(centre.x.to_numpy(), abs=1e-7)
    assert package.latitude.to_numpy() == pytest.approx(centre.y.to_numpy(), abs=1e-7)
    assert package.area_m2.to_numpy() == pytest.approx(package.geometry.area.to_numpy(), rel=2e-3)


def test_its_probability_is_the_highest_of_the_tiles_over_its_peak(
    plan: Plan, files: tuple[Path, Path]
) -> None:
    package, table = geopandas.read_file(files[0], layer="hotspots"), table_of(plan, 2)
    tiling = plan.tiling
    for name, row, col, told in package[["class", "row", "col", "tile_probability"]].itertuples(
        index=False
    ):
        over = [
            table.probabilities[plan.layers.index(name), i]
            for i in range(len(table.row))
            if all(
                first <= cell < first + tiling.cells
                for first, cell in zip(
                    tiling.first_cell(int(table.row[i]), int(table.col[i])), (row, col), strict=True
                )
            )
        ]
        known = [value for value in over if not np.isnan(value)]
        assert told == pytest.approx(max(known)) if known else np.isnan(told)


def test_the_parquet_tells_readers_where_each_one_lies(files: tuple[Path, Path]) -> None:
    whole = geopandas.read_parquet(files[1])
    geo = json.loads(pq.read_metadata(files[1]).metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["bbox"] == pytest.approx(whole.total_bounds.tolist())
    assert pq.ParquetFile(files[1]).num_row_groups == -(-len(whole) // 7)
    west, south, east, north = whole.geometry.iloc[11].bounds
    bounds = whole.bounds
    near = (bounds.minx <= east) & (bounds.maxx >= west)
    near &= (bounds.miny <= north) & (bounds.maxy >= south)
    part = geopandas.read_parquet(files[1], bbox=(west, south, east, north))
    assert set(part["id"]) == set(whole["id"][near])
    assert 0 < len(part) < len(whole)


def test_classes_of_the_layer_top_are_the_tiles_own(
    plan_of: MakePlan, scene: Path, tmp_path: Path
) -> None:
    plan = plan_of(scene, classes="top", threshold="q0.5")
    table = table_of(plan, 0)
    inputs = inputs_of(facts_of(plan), table, layers_of(plan), tmp_path / "scratch")
    make_geopackage(inputs, tmp_path / "h.gpkg")
    names = geopandas.read_file(tmp_path / "h.gpkg", layer="hotspots")["class"]
    assert len(names) > 0
    assert set(names) <= {"top", *plan.bundle.classes}
    assert set(names) & set(plan.bundle.classes)


def test_where_nothing_is_hot_the_files_are_empty(plan: Plan, tmp_path: Path) -> None:
    layers = [values * 0 for values in layers_of(plan)]
    inputs = inputs_of(facts_of(plan), table_of(plan, 2), layers, tmp_path / "scratch")
    make_geopackage(inputs, tmp_path / "h.gpkg")
    make_geoparquet(inputs, tmp_path / "h.parquet")
    assert len(geopandas.read_parquet(tmp_path / "h.parquet")) == 0
    assert pyogrio.read_info(tmp_path / "h.gpkg", layer="hotspots")["features"] == 0
