"""A job's tiles as GeoPackage and its layers in numbers, beside the tables they tell of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest

from geogaze.models.sureness import sureness
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make import hotspot_files, summary, tiles, tiles_package
from geogaze.products.make.inputs import JobInputs
from geogaze.products.make.tiles_package import class_columns
from tests.unit.products.lattices import LEVEL, by_gdal
from tests.unit.products.test_hotspots import inputs_of, layers_of, plan, table_of

__all__ = ["plan"]


@pytest.fixture
def inputs(plan: Plan, tmp_path: Path) -> JobInputs:
    layers = layers_of(plan)
    layers[1] *= 0
    return inputs_of(facts_of(plan), table_of(plan, 2), layers, tmp_path / "scratch")


def test_the_geopackage_of_tiles_says_what_the_parquet_does(
    inputs: JobInputs, tmp_path: Path
) -> None:
    tiles.make(inputs, tmp_path / "t.parquet")
    tiles_package.make(inputs, tmp_path / "t.gpkg")
    ours, theirs = (
        geopandas.read_file(tmp_path / "t.gpkg", layer="tiles"),
        geopandas.read_parquet(tmp_path / "t.parquet"),
    )
    assert ours.crs == theirs.crs
    ours, theirs = (f.sort_values(["row", "col"], ignore_index=True) for f in (ours, theirs))
    assert ours.geometry.geom_equals(theirs.geometry).all()
    told = pd.DataFrame(ours.drop(columns="geometry"))
    expected = pd.DataFrame(theirs.drop(columns="geometry"))
    pd.testing.assert_frame_equal(told, expected, check_dtype=False)
    assert told.top_class.isna().any()


def test_columns_that_sqlite_takes_for_one_are_kept_apart() -> None:
    assert class_columns(("Ship", "ship", "SHIP", "car"), "p") == [
        *("p_Ship", "p_ship'", "p_SHIP''", "p_car")
    ]


def test_of_a_model_that_labels_pixels_all_files_tell_shares(
    inputs: JobInputs, tmp_path: Path
) -> None:
    model = inputs.job.model.model_copy(update={"labels_pixels": True})
    labels = replace(inputs, job=replace(inputs.job, model=model))
    summary.make(labels, tmp_path / "s.csv")
    tiles_package.make(labels, tmp_path / "t.gpkg")
    tiles.make(labels, tmp_path / "t.parquet")
    hotspot_files.make_geopackage(labels, tmp_path / "h.gpkg")
    hotspot_files.make_geoparquet(labels, tmp_path / "h.parquet")
    files = {
        "s.csv": {"highest_share"},
        "t.gpkg": {"top_share", "share_boat", "share_field vs road"},
        "t.parquet": {"top_share", "share_boat", "share_field vs road"},
        "h.gpkg": {"tile_share"},
        "h.parquet": {"tile_share"},
    }
    for name, expected in files.items():
        path = tmp_path / name
        if path.suffix == ".parquet":
            names = set(geopandas.read_parquet(path).columns)
        else:
            names = set(
                pd.read_csv(path) if path.suffix == ".csv" else geopandas.read_file(path, layer=0)
            )
        assert {column for column in names if "share" in column} == expected
        assert not [column for column in names if "probab" in column or column.startswith("p_")]


def test_each_layer_has_a_line_of_figures(plan: Plan, inputs: JobInputs, tmp_path: Path) -> None:
    summary.make(inputs, tmp_path / "s.csv")
    hotspot_files.make_geopackage(inputs, tmp_path / "h.gpkg")
    told = pd.read_csv(tmp_path / "s.csv", index_col="layer")
    assert list(told.columns) == list(summary.columns(sureness("softmax"))[1:])
    assert list(told.index) == list(plan.layers)
    boat, hot = told.loc["boat"], geopandas.read_file(tmp_path / "h.gpkg", layer="hotspots")
    values = layers_of(plan)[0]
    assert boat.hotspots == len(by_gdal(values)) == len(hot)
    assert boat.hotspots_m2 == pytest.approx(hot.area_m2.sum(), rel=1e-5)
    assert boat.hotspots_m2 == pytest.approx((values >= LEVEL).sum() * 16.0**2, rel=2e-3)
    assert boat.largest_m2 == pytest.approx(hot.area_m2.max(), rel=1e-5)
    assert boat.peak == pytest.approx(np.nanmax(values), rel=1e-5)
    assert boat.tiles == inputs.standing["boat"].won
    assert boat.highest_probability == pytest.approx(inputs.standing["boat"].highest, rel=1e-5)
    assert boat.threshold == LEVEL
    other = told.loc["field vs road"]
    assert (other.hotspots, other.hotspots_m2) == (0, 0)
    assert other[["tiles", "largest_m2", "peak", "threshold"]].isna().all()
