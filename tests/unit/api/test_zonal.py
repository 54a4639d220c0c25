"""Statistics of a layer by area, beside points of a fine grid that are asked one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from fastapi import FastAPI
from pyproj import Transformer
from shapely.geometry import mapping

from api.layers import Layers
from geogaze.gis import zonal
from geogaze.gis.lattice import read_lattice
from geogaze.gis.zonal import statistics_in
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.unit.api.test_execution import check_problem
from tests.unit.api.test_layers import COLS, ROWS, TURNED, finished, heat, job, place_of
from tests.unit.api.testing import TestClient

__all__ = ["heat", "job"]

FINE = 5  # points across a cell
LARGE = Affine.translation(300_000, 5_800_000) @ Affine.scale(2500, -2500)


def ring_of(*places: tuple[float, float]) -> dict[str, Any]:
    """A polygon in degrees, of places (col, row) on the lattice."""
    ring = [list(place_of(*place)) for place in (*places, places[0])]
    return {"type": "Polygon", "coordinates": [ring]}


TRIANGLE = ring_of((30.3, 80.2), (211.7, 141.9), (88.4, 250.6))
FAR = {"type": "Polygon", "coordinates": [[[9, 9], [10, 9], [10, 10], [9, 9]]]}


def by_points(file: Path, area: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Values of the points of a fine grid that lie in an area in degrees, by numpy alone; and the
    share of all of those that were looked at, in percent.
    """
    with rasterio.open(file) as dataset:
        cells, transform, crs = dataset.read(1), dataset.transform, dataset.crs
    fine = (np.indices((cells.shape[0] * FINE, cells.shape[1] * FINE)) + 0.5) / FINE
    row, col = fine.reshape(2, -1)
    x, y = transform @ (col, row)
    lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    polygon = shapely.geometry.shape(area)
    shapely.prepare(polygon)
    inside = shapely.contains_xy(polygon, lon, lat)
    values = cells[row[inside].astype(int), col[inside].astype(int)].astype(np.float64)
    known = values[np.isfinite(values)]
    return known, 100 * len(known) / len(values)


def check(found: dict[str, Any], known: np.ndarray, percent: float, close: float) -> None:
    """Statistics, against those of points."""
    assert found["count"] == pytest.approx(len(known) / FINE**2, rel=close)
    assert found["sum"] == pytest.approx(known.sum() / FINE**2, rel=close)
    assert found["mean"] == pytest.approx(known.mean(), rel=close)
    assert found["std"] == pytest.approx(known.std(), rel=close)
    assert found["valid_percent"] == pytest.approx(percent, rel=close)
    assert (found["min"], found["max"]) == (known.min(), known.max())
    for name, percentile in (("median", 50), ("percentile_2", 2), ("percentile_98", 98)):
        assert found[name] == np.percentile(known, percentile)
    counts, edges = found["histogram"]
    assert edges == pytest.approx(np.linspace(known.min(), known.max(), len(edges)))
    expected = np.histogram(known, edges)[0] / FINE**2
    assert counts == pytest.approx(expected, rel=close, abs=close * found["count"])


def test_cells_count_by_their_share(http: TestClient, job: UUID, heat: Path) -> None:
    answer = http.post(f"/jobs/{job}/layers/heat-boat/statistics", json=TRIANGLE)
    assert answer.headers["content-type"] == "application/geo+json"
    told = answer.json()
    assert (told["type"], told["geometry"]) == ("Feature", TRIANGLE)
    check(told["properties"]["statistics"]["heat-boat"], *by_points(heat, TRIANGLE), close=2e-3)


def test_sides_run_as_they_do_in_degrees(tmp_path: Path) -> None:
    """A parallel lies kilometres beside the straight line of the scene's CRS here."""
    values = np.random.default_rng(5).random((80, 100), np.float32).cumsum(0).cumsum(1)
    profile = {"width": 100, "height": 80, "count": 1, "dtype": "float32", "crs": "EPSG:32631"}
    file = tmp_path / "large.tif"
    with rasterio.open(file, "w", transform=LARGE, **profile) as dataset:
        dataset.write(values, 1)
    area = mapping(shapely.box(0.7, 50.7, 2.9, 52.1))
    (found,) = statistics_in(read_lattice(file, 10**8), [area])
    known, percent = by_points(file, area)
    assert found["count"] == pytest.approx(len(known) / FINE**2, rel=3e-4)
    assert found["mean"] == pytest.approx(known.mean(), rel=3e-4)
    assert (percent, found["valid_percent"]) == (100, 100)


def test_a_box_is_asked_for_by_get(http: TestClient, job: UUID) -> None:
    address = f"/jobs/{job}/layers/heat-boat/statistics"
    lon, lat = place_of(200, 200)
    box = (lon - 0.01, lat - 0.005, lon + 0.02, lat + 0.01)
    got = http.get(address, params={"bbox": ",".join(map(str, box))}).json()
    sent = http.post(address, json=mapping(shapely.box(*box))).json()
    assert got == sent["properties"]["statistics"]
    assert 0 < got["heat-boat"]["count"] < ROWS * COLS / 4
    for wrong in ("1,2,3", "a,b,c,d", "3,51,2,91", "2,51,2,51"):
        check_problem(http.get(address, params={"bbox": wrong}), 400)


def test_all_of_the_layer_is_what_get_tells_of_it(http: TestClient, job: UUID) -> None:
    address = f"/jobs/{job}/layers/heat-boat/statistics"
    whole = http.get(address).json()["heat-boat"]
    europe = mapping(shapely.box(-9, 40, 20, 60))
    found = http.post(address, json=europe).json()["properties"]["statistics"]["heat-boat"]
    for name in ("min", "max", "mean", "std", "count", "sum", "percentile_98", "valid_percent"):
        assert found[name] == pytest.approx(whole[name], rel=1e-4), name
    assert found.keys() == whole.keys()


def test_each_feature_keeps_what_it_says(http: TestClient, job: UUID) -> None:
    districts = {
        "type": "FeatureCollection",
        "name": "districts",
        "features": [
            {"type": "Feature", "id": 7, "geometry": TRIANGLE, "properties": {"name": "north"}},
            {"type": "Feature", "geometry": FAR, "properties": None},
        ],
    }
    told = http.post(f"/jobs/{job}/layers/heat-boat/statistics", json=districts).json()
    near, far = told["features"]
    assert (told["name"], near["id"], near["properties"]["name"]) == ("districts", 7, "north")
    assert near["geometry"] == TRIANGLE
    alone = http.post(f"/jobs/{job}/layers/heat-boat/statistics", json=TRIANGLE).json()
    assert near["properties"]["statistics"] == alone["properties"]["statistics"]
    assert far["properties"] == {"statistics": {"heat-boat": {"count": 0, "valid_percent": 0}}}


def test_areas_may_be_in_a_crs_that_they_name(http: TestClient, job: UUID) -> None:
    """A square of 40 by 10 cells on the turned lattice, drawn in its CRS."""
    corners = ((100, 150), (140, 150), (140, 160), (100, 160), (100, 150))
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    area = {"type": "Polygon", "coordinates": [[TURNED @ at for at in corners]], "crs": crs}
    told = http.post(f"/jobs/{job}/layers/heat-boat/statistics", json=area).json()
    found = told["properties"]["statistics"]["heat-boat"]
    assert found["count"] == pytest.approx(400)
    assert (found["min"], found["max"], found["mean"]) == (0.25, 0.25, pytest.approx(0.25))
    assert found["std"] == pytest.approx(0, abs=1e-6)


def wrong_ones() -> Iterator[tuple[str, Any]]:
    """What is no area, and a word of what is said about it."""
    eight = [[[2, 51], [3, 52], [3, 51], [2, 52], [2, 51]]]
    yield "Self-intersection", {"type": "Polygon", "coordinates": eight}
    yield "type", {"type": "Point", "coordinates": [2, 51]}
    yield "type", {}
    yield "Area 0", {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2, 51]}}
    yield "Area 0", {"type": "Feature", "geometry": None}
    yield "Area 0", {"type": "Polygon", "coordinates": "everywhere"}
    yield "Area 0", {"type": "Polygon", "coordinates": [[[2, 51], [3, 52]]]}
    yield "features", {"type": "FeatureCollection", "features": TRIANGLE}
    yield "features", {"type": "FeatureCollection", "features": [3]}
    mixed = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": TRIANGLE}]}
    mixed["features"] *= 2
    yield "Area 2", {**mixed, "features": [*mixed["features"], {"type": "Feature"}]}
    yield "crs", {**TRIANGLE, "crs": {"type": "name", "properties": {"name": "/etc/passwd"}}}
    yield "crs", {**TRIANGLE, "crs": "EPSG:32631"}


@pytest.mark.parametrize(("said", "areas"), list(wrong_ones()))
def test_what_is_no_area_is_refused(http: TestClient, job: UUID, said: str, areas: Any) -> None:
    answer = http.post(f"/jobs/{job}/layers/heat-boat/statistics", json=areas)
    check_problem(answer, 400)
    assert said in answer.json()["detail"]


def test_more_than_is_counted_at_once_is_refused(
    http: TestClient, job: UUID, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/jobs/{job}/layers/heat-boat/statistics"
    for name, most in (("MOST_AREAS", 1), ("MOST_CELLS", 40_000), ("MOST_BORDER", 900)):
        with monkeypatch.context() as patched:
            patched.setattr(zonal, name, most)
            feature = {"type": "Feature", "geometry": TRIANGLE}
            both = {"type": "FeatureCollection", "features": [feature, feature]}
            check_problem(http.post(address, json=both), 400)
    assert http.post(address, json=both).status_code == 200
    many = [place_of(200 + math.cos(i / 9e3), 200 + math.sin(i / 9e3)) for i in range(100_001)]
    check_problem(http.post(address, json={"type": "Polygon", "coordinates": [many]}), 400)


def test_layers_of_others_and_none_are_told(
    http: TestClient, ledger: Ledger, storage: FolderStorage, heat: Path, app: FastAPI
) -> None:
    job = finished(ledger, storage, heat, "heat-Forest/Shrub")
    found = http.post(f"/jobs/{job}/layers/heat-Forest%2FShrub/statistics", json=TRIANGLE).json()
    assert "heat-Forest/Shrub" in found["properties"]["statistics"]
    check_problem(http.post(f"/jobs/{job}/layers/heat-boat/statistics", json=TRIANGLE), 404)
    app.state.layers = Layers(storage, 100)
    answer = http.post(f"/jobs/{job}/layers/heat-Forest%2FShrub/statistics", json=TRIANGLE)
    check_problem(answer, 400)
