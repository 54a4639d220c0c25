"""Layers of a job as maps ask for them: in their place, in their colours, once decoded."""

from __future__ import annotations

import json
import math
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import rasterio
from affine import Affine
from fastapi import FastAPI
from PIL import Image
from rasterio.warp import transform as transform_points
from sqlalchemy import update
from sqlalchemy.orm import Session

from api.layers import Layers
from geogaze.gis.tiles import Place, clear
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.products.colormaps import colour_stops
from geogaze.products.make.cog import write_cog
from geogaze.storage import FolderStorage
from tests.unit.api.test_assets import COG, made
from tests.unit.api.test_execution import check_problem
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient
from tests.unit.ledger.suite import submit

CELL, ROWS, COLS = 16.0, 300, 400
TURNED = Affine.translation(420_000, 5_710_000) @ Affine.rotation(20) @ Affine.scale(CELL, -CELL)
RENDER = {"rescale": [[0.0, 1.0]], "colormap_name": "inferno", "title": "Heat of boat"}


def layer_of(folder: Path, crs: str, transform: Affine) -> Path:
    """A layer that rises from west to east in steps of 50 cells, empty in its north."""
    cells = np.tile((np.arange(COLS) // 50 / 8).astype(np.float32), (ROWS, 1))
    cells[:100] = np.nan
    profile = {"width": COLS, "height": ROWS, "count": 1, "dtype": "float32", "nodata": np.nan}
    with rasterio.open(
        folder / "plain.tif", "w", "GTiff", crs=crs, transform=transform, **profile
    ) as dataset:
        dataset.write(cells, 1)
    write_cog(folder / "plain.tif", folder / "heat.tif", block=128, COMPRESS="DEFLATE")
    return folder / "heat.tif"


@pytest.fixture(scope="module")
def heat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layer_of(tmp_path_factory.mktemp("heat"), "EPSG:32631", TURNED)


def finished(ledger: Ledger, storage: FolderStorage, heat: Path, name: str = "heat-boat") -> UUID:
    """A job with a layer of that name, and classes, which have no tiles."""
    job = submit(ledger)
    end(ledger, job, JobState.SUCCESSFUL)
    renders = {name: RENDER, "classes": {"title": "Best class", "resampling": "nearest"}}
    item = json.dumps({"properties": {"renders": renders}}).encode()
    files = {
        name: made(storage, job, "heat-boat.tif", heat.read_bytes(), COG),
        "classes": made(storage, job, "classes.tif", b"", COG),
        "item": made(storage, job, "item.json", item, "application/geo+json"),
    }
    with Session(ledger.database) as session, session.begin():
        assets = {"files": files, "skipped": []}
        session.execute(update(Job).where(Job.id == job).values(assets=assets))
    return job


@pytest.fixture
def job(ledger: Ledger, storage: FolderStorage, heat: Path) -> UUID:
    return finished(ledger, storage, heat)


def place_of(col: float, row: float) -> tuple[float, float]:
    """Longitude and latitude of a place on the lattice."""
    x, y = TURNED @ (col, row)
    (lon,), (lat,) = transform_points("EPSG:32631", "EPSG:4326", [x], [y])
    return lon, lat


def pixel_of(lon: float, lat: float, z: int, side: int = 256) -> tuple[Place, int, int]:
    """The tile and the pixel (row, column) of a place, by the formula of web maps."""
    across = (lon + 180) / 360 * 2**z
    down = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z
    place = Place(z, math.floor(across), math.floor(down))
    return place, int((down - place.y) * side), int((across - place.x) * side)


def picture(answer: Any) -> np.ndarray:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA"))


def path_of(job: UUID, place: Place) -> str:
    return f"/jobs/{job}/layers/heat-boat/tiles/WebMercatorQuad/{place.z}/{place.x}/{place.y}.png"


def test_layers_are_those_that_the_item_colours(http: TestClient, job: UUID) -> None:
    (layer,) = http.get(f"/jobs/{job}/layers").json()["layers"]
    assert (layer["name"], layer["title"]) == ("heat-boat", "Heat of boat")
    told = http.get(layer["tilejson"]).json()
    assert told["tilejson"] == "3.0.0"
    assert told["tiles"] == [layer["tiles"]]
    assert told["renders"] == {"heat-boat": RENDER}
    west, south, east, north = told["bounds"]
    for col, row in ((0, 0), (COLS, 0), (0, ROWS), (COLS, ROWS)):
        lon, lat = place_of(col, row)
        assert west - 1e-6 <= lon <= east + 1e-6
        assert south - 1e-6 <= lat <= north + 1e-6
    assert told["minzoom"] == 0
    metres = 40_075_017 * math.cos(math.radians(north)) / 256 / 2 ** told["maxzoom"]
    assert CELL / 8 < metres < CELL / 2, "pixels are finer than cells, and not by much"
    assert picture(http.get(layer["legend"])).shape == (16, 255, 4)
    check_problem(http.get(f"/jobs/{job}/layers/classes/tilejson.json"), 404)
    check_problem(http.get(f"/jobs/{uuid4()}/layers"), 404)


def test_tiles_lie_where_the_cells_do_in_the_items_colours(http: TestClient, job: UUID) -> None:
    stops = np.array(colour_stops("inferno"))
    places = ((25, 200), (175, 150), (325, 250), (375, 120), (200, 50))
    for (z, side), (col, row) in product(((11, 256), (13, 256), (15, 512)), places):
        lon, lat = place_of(col, row)  # in the middle of a step
        place, down, across = pixel_of(lon, lat, z, side)
        tile = picture(http.get(path_of(job, place), params={"size": side}))
        assert tile.shape == (side, side, 4)
        value = http.get(f"/jobs/{job}/layers/heat-boat/point/{lon},{lat}").json()["values"][0]
        if row < 100:
            assert value is None
            assert tile[down, across, 3] == 0
            continue
        assert value == col // 50 / 8
        drawn = [np.interp(value, stops[:, 0], stops[:, i]) for i in range(1, 5)]
        assert np.abs(tile[down, across] - drawn).max() <= 3, (z, col, row)


def test_a_border_is_within_half_a_cell(http: TestClient, job: UUID) -> None:
    col, row = 300, 280
    offs, seen, tiles = np.arange(-2, 2, 0.125), [], {}
    for off in offs:
        place, down, across = pixel_of(*place_of(col + off, row), 16)
        if place not in tiles:
            tiles[place] = picture(http.get(path_of(job, place)))
        seen.append(tiles[place][down, across].astype(int))
    steps = np.abs(np.diff(seen, axis=0)).sum(axis=1)
    assert steps.sum() > 20, "there is a border"
    assert abs(np.average((offs[1:] + offs[:-1]) / 2, weights=steps)) <= 0.5


def test_what_shows_nothing_is_clear_and_the_whole_world_is_one_tile(
    http: TestClient, job: UUID
) -> None:
    for place in (Place(5, 0, 0), Place(24, 2**24 - 1, 5)):
        assert http.get(path_of(job, place)).content == clear(256)
    assert picture(http.get(path_of(job, Place(0, 0, 0)))).shape == (256, 256, 4)
    place, _, _ = pixel_of(*place_of(200, 200), 8)
    assert picture(http.get(path_of(job, place)))[..., 3].any(), "seen from afar"


def test_tiles_that_no_map_has_are_refused(http: TestClient, job: UUID) -> None:
    for place in ("3/8/0", "3/0/8", "25/0/0", "-1/0/0", "3/a/0", "3/0.5/0"):
        path = f"/jobs/{job}/layers/heat-boat/tiles/WebMercatorQuad/{place}.png"
        check_problem(http.get(path), 400)


def test_pictures_are_kept_by_clients(http: TestClient, job: UUID, app: FastAPI) -> None:
    place, _, _ = pixel_of(*place_of(200, 200), 13)
    first = http.get(path_of(job, place))
    assert "max-age" in first.headers["cache-control"]
    app.state.layers.lattice = None  # nothing is decoded for what is known
    tagged = {"If-None-Match": first.headers["etag"]}
    same = http.get(path_of(job, place), headers=tagged)
    assert (same.status_code, same.content) == (304, b"")
    legend = f"/jobs/{job}/layers/heat-boat/legend.png"
    assert http.get(legend, headers=tagged).status_code == 304


def test_statistics_are_of_the_cells_that_were_looked_at(http: TestClient, job: UUID) -> None:
    told = http.get(f"/jobs/{job}/layers/heat-boat/statistics").json()["heat-boat"]
    assert told["count"] == 200 * COLS
    assert told["valid_percent"] == pytest.approx(66.67)
    assert (told["min"], told["max"], told["median"]) == (0, 0.875, 0.4375)
    assert told["mean"] == pytest.approx(0.4375)
    assert sum(told["histogram"][0]) == told["count"]


def test_places_off_the_layer_have_no_value(http: TestClient, job: UUID) -> None:
    for lon, lat in ((0, 0), (180, 90), (-180, -90), place_of(-1, 200), place_of(401, 200)):
        answer = http.get(f"/jobs/{job}/layers/heat-boat/point/{lon},{lat}")
        assert answer.json()["values"] == [None], (lon, lat)
    check_problem(http.get(f"/jobs/{job}/layers/heat-boat/point/200,0"), 400)


def test_a_layer_that_is_too_large_or_gone_is_told(
    http: TestClient, app: FastAPI, job: UUID, storage: FolderStorage
) -> None:
    app.state.layers = Layers(storage, 100_000)
    large = http.get(f"/jobs/{job}/layers/heat-boat/statistics")
    check_problem(large, 400)
    assert "GEOGAZE_TILES_MB" in large.text
    app.state.layers = Layers(storage, 2**20)
    storage.remove([f"jobs/{job}/publish/0/1/heat-boat.tif"])
    gone = http.get(f"/jobs/{job}/layers/heat-boat/tilejson.json")
    check_problem(gone, 404)
    assert str(storage.root) not in gone.text


def test_objects_in_a_bucket_are_the_same(
    http: TestClient, app: FastAPI, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _, _ = pixel_of(*place_of(200, 200), 13)
    expected = http.get(path_of(job, place)).content
    app.state.layers = Layers(app.state.services.storage, 2**24)
    monkeypatch.setattr(FolderStorage, "file", lambda self, key: None)
    assert http.get(path_of(job, place)).content == expected


def test_a_layer_across_the_antimeridian_has_a_middle_there(
    http: TestClient, ledger: Ledger, storage: FolderStorage, tmp_path: Path
) -> None:
    across = Affine.translation(700_000, 1_000_000) @ Affine.scale(500, -500)
    job = finished(ledger, storage, layer_of(tmp_path, "EPSG:32660", across))
    told = http.get(f"/jobs/{job}/layers/heat-boat/tilejson.json").json()
    assert (told["bounds"][0], told["bounds"][2]) == (-180, 180)
    assert abs(told["center"][0]) > 179


def test_classes_with_slashes_have_layers_too(
    http: TestClient, ledger: Ledger, storage: FolderStorage, heat: Path
) -> None:
    job = finished(ledger, storage, heat, "heat-Forest/Shrub")
    (layer,) = http.get(f"/jobs/{job}/layers").json()["layers"]
    assert http.get(layer["tilejson"]).json()["renders"] == {"heat-Forest/Shrub": RENDER}
    picture(http.get(layer["legend"]))
    found = http.get(f"/jobs/{job}/results/heat-Forest%2FShrub")
    assert found.content == heat.read_bytes()
