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
    return geopandas.GeoDataFrame({"Name": ["left", "right", "far"]}, geometry=areas, crs=crs)


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
    assert told.loc["far", "area_m2"] == 0
    assert np.isnan(told.loc["far", "mean"])


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
