"""``geogaze zones``: polygons of one's own over a finished run."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from tests.unit.cli.conftest import Geogaze
from tests.unit.cli.test_hotspots import heat

__all__ = ["heat"]


@pytest.fixture
def districts(heat: Path) -> geopandas.GeoDataFrame:
    """The left half of the lattice, the right half, and a place far away."""
    with rasterio.open(heat / "heat-boat.tif") as dataset:
        affine, crs, (rows, cols) = dataset.transform, dataset.crs, dataset.shape
    boxes = [(0, 0, 10, rows), (10, 0, cols, rows), (900, 900, 901, 901)]
    areas = [
        shapely.Polygon([affine @ at for at in ((a, b), (c, b), (c, d), (a, d))])
        for a, b, c, d in boxes
    ]
    columns = {"Name": ["left", "right", "far"], "class": ["a", "b", "c"], "Rank": [3, 1, 2]}
    return geopandas.GeoDataFrame(columns, geometry=areas, crs=crs)


@pytest.mark.parametrize("kind", ["geojson", "gpkg"])
def test_zones_are_read_placed_and_measured(
    geogaze: Geogaze, heat: Path, districts: geopandas.GeoDataFrame, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / f"districts.{kind}"
    (districts.to_crs(4326) if kind == "geojson" else districts).to_file(source)
    done = geogaze(
        *("zones", heat, source, "--out", tmp_path / "z.csv", "--threshold", "0.3"),
        "--class",
        "boat",
    )
    assert done.code == 0, done.err
    told = pd.read_csv(tmp_path / "z.csv").set_index("zone")
    with rasterio.open(heat / "heat-boat.tif") as dataset:
        values, cell = dataset.read(1), abs(dataset.transform.determinant)
    for name, part in (("left", values[:, :10]), ("right", values[:, 10:])):
        line = told.loc[name]
        seen = part[np.isfinite(part)]
        assert line.area_m2 == pytest.approx(part.size * cell, rel=2e-3)
        assert line.seen_m2 == pytest.approx(seen.size * cell, rel=2e-3)
        assert line["mean"] == pytest.approx(seen.mean(), rel=1e-3)
        assert line["sum"] == pytest.approx(seen.sum(), rel=1e-3)
        assert line.hot_share == pytest.approx((seen >= 0.3).mean(), abs=1e-3)
        assert line.Rank == {"left": 3, "right": 1}[name], "the polygons' own columns are kept"
    assert told.loc["far", "area_m2"] == 0
    assert (told["class"].unique().tolist(), told.own_class.tolist()) == (["boat"], ["a", "b", "c"])
    assert np.isnan(told.loc["far", "mean"])


def test_zones_as_a_layer_for_a_map(
    geogaze: Geogaze, heat: Path, districts: geopandas.GeoDataFrame, tmp_path: Path
) -> None:
    source, layer, again = (tmp_path / name for name in ("d.gpkg", "z.gpkg", "again.gpkg"))
    districts["Seen"] = [1.5, None, 2.0]
    districts.to_file(source)
    for before, after in ((source, layer), (layer, again)):
        done = geogaze("zones", heat, before, "--out", after, "--class", "boat,road")
        assert done.code == 0, done.err
    lines = geogaze("zones", heat, source, "--out", tmp_path / "z.csv")
    assert lines.code == 0
    told = pd.read_csv(tmp_path / "z.csv").set_index(["zone", "class"])
    found = geopandas.read_file(layer, layer="zones")
    assert found.crs == districts.crs
    assert found.geometry.geom_equals(districts.geometry).all()
    assert found.Rank.tolist() == [3, 1, 2]
    assert found["class"].tolist() == ["a", "b", "c"]
    assert found.Seen.isna().tolist() == [False, True, False]
    for name in ("boat", "road"):
        for figure in ("area_m2", "mean", "hot_share"):
            expected = [told.loc[(zone, name), figure] for zone in found.zone]
            np.testing.assert_allclose(found[f"{name}_{figure}"], expected, rtol=1e-6)
    twice = geopandas.read_file(again, layer="zones")
    np.testing.assert_array_equal(twice.own_boat_mean, found.boat_mean)
    np.testing.assert_allclose(twice.boat_mean, found.boat_mean, rtol=1e-6)
    assert twice.zone.tolist() == twice.Name.tolist()


def test_all_classes_as_json(
    geogaze: Geogaze, heat: Path, districts: geopandas.GeoDataFrame, tmp_path: Path
) -> None:
    districts.to_crs(4326).to_file(tmp_path / "d.geojson")
    done = geogaze("zones", heat, tmp_path / "d.geojson", "--out", tmp_path / "z.json", "--json")
    assert (done.code, done.last["zones"]) == (0, 3), done.err
    told = json.loads((tmp_path / "z.json").read_text())
    assert {(row["zone"], row["class"]) for row in told} == {
        (zone, name) for zone in ("left", "right", "far") for name in ("boat", "field", "road")
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "cannot be read as polygons"),
        ('{"type": "FeatureCollection", "features": []}', "holds no polygon"),
        ('{"type": "Point", "coordinates": [0, 0]}', "it holds a Point"),
    ],
)
def test_what_is_no_polygon_is_refused(
    geogaze: Geogaze, heat: Path, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "d.geojson").write_text(text)
    done = geogaze("zones", heat, tmp_path / "d.geojson", "--out", tmp_path / "z.csv")
    assert (done.code, says in done.err) == (2, True), done.err
    assert not (tmp_path / "z.csv").exists()
