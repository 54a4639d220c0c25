"""Clients as people have them against a real server: each opens each product, in its place.

Run by ``make clients``, with Debian's GDAL and QGIS: a table of client and product, with how far
off the picture lies in cells, and the requests and kilobytes up to the first picture.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import geopandas
import numpy as np
import pytest
import rasterio
from owslib.ogcapi.features import Features
from owslib.ogcapi.processes import Processes
from owslib.wmts import WebMapTileService
from pystac_client import Client as StacClient
from rasterio.warp import transform_bounds

from geogaze.client import Client
from geogaze.demo.scene import write_demo_scene
from geogaze.products.colormaps import render_stops
from tests.looks.counting import Counted
from tests.looks.placing import Bounds, Job
from tests.unit.api.serving import served
from tests.unit.api.testing import make_app, make_settings
from tests.unit.api.working import work_off

pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    # rasterio hides this one itself, in a way that two threads at once undo.
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

LAYER = "heat-airplane"
SIZE = 800
GDAL = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}  # files beside a COG are not asked for


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """The drawn airport's airplanes; at the end the table is printed."""
    folder = tmp_path_factory.mktemp("clients")
    settings = make_settings(folder, folder / "models" / "none")
    scene = settings.source_folders[0] / "airport.tif"
    write_demo_scene(scene, 2048, 7)
    app = Counted(make_app(settings))
    with served(app) as base, Client(base) as client:
        asked = client.submit({"scene": str(scene), "classes": ["airplane"], "overlap": 0.5})
        work_off(settings)
        client.download(asked["jobID"], folder / "local")
        item = json.loads((folder / "local" / "item.json").read_text())
        stops = render_stops(item["properties"]["renders"][LAYER])
        app.taken()
        found = Job(app, base, asked["jobID"], scene, folder / "local" / f"{LAYER}.tif", stops)
        yield found
    print(f"\n{'client':16}{'product':34}{'cells off':>8}{'requests':>10}{'kB':>10}")
    print("\n".join(found.rows))


def program(*words: str, env: dict[str, str] = GDAL) -> str:
    """What one of Debian's programs says."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **env, "GDAL_ENABLE_WMS_CACHE": "NO"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def qgis(job: Job, name: str, layer: dict[str, str], extent: Bounds) -> tuple[Any, Any]:
    """What QGIS says of a layer, and the alpha of its picture (h, w)."""
    folder = Path(os.environ.get("LOOKS", "looks"))
    folder.mkdir(exist_ok=True)
    target = (folder / f"client-{name}.png").resolve()
    task = {"layers": [layer], "extent": extent, "size": [SIZE, SIZE], "target": str(target)}
    script = Path(__file__).with_name("qgis_draws.py")
    kept = tempfile.mkdtemp(dir=job.scene.parent)  # so that nothing is known from before
    done = subprocess.run(
        ["/usr/bin/python3", str(script)],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, **GDAL, "XDG_DATA_HOME": kept, "XDG_CACHE_HOME": kept},
    )
    about = json.loads(done.stdout)
    (told,) = about["layers"]
    assert told["valid"], told
    assert not about["errors"]
    return about, cv2.imread(str(target), cv2.IMREAD_UNCHANGED)[..., 3]


def extent_of(job: Job, crs: str) -> Bounds:
    """What the layer covers."""
    with rasterio.open(job.cog) as cog:
        left, bottom, right, top = transform_bounds(cog.crs, crs, *cog.bounds)
    return left, bottom, right, top


def test_the_measure_notices_half_a_cell(job: Job) -> None:
    with rasterio.open(job.cog) as cog:
        values, bounds, cell = cog.read(1), cog.bounds, cog.res[0]
    table = np.array(job.stops)
    alpha = np.interp(np.nan_to_num(values), table[:, 0], table[:, 4]).astype(np.uint8)
    moved = (bounds.left + 0.625 * cell, bounds.bottom, bounds.right + 0.625 * cell, bounds.top)
    assert job.off(alpha, moved, "EPSG:32631") == 0.625
    with pytest.raises(AssertionError, match="another picture"):
        job.off(alpha[::-1], tuple(bounds), "EPSG:32631")


# Python's clients


def test_owslib_wmts(job: Job) -> None:
    wmts = WebMapTileService(f"{job.address}/wmts")
    own = wmts.tilematrixsets["SceneGrid"]
    finest = own.tilematrix[max(own.tilematrix, key=int)]
    got = wmts.gettile(
        layer=LAYER, tilematrixset="SceneGrid", tilematrix=finest.identifier, row=0, column=0
    )
    tile = cv2.imdecode(np.frombuffer(got.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    left, top = finest.topleftcorner
    side = 256 * finest.scaledenominator * 0.00028
    off = job.off(tile[..., 3], (left, top - side, left + side, top), "EPSG:32631")
    job.tell("OWSLib", "WMTS, capabilities and a tile", off)


def test_owslib_processes(job: Job) -> None:
    client = Processes(f"{job.base}/")
    assert "explain" in [one["id"] for one in client.processes()]
    assert client.process("explain")["inputs"]
    job.tell("OWSLib", "Processes, list and description", None)


def test_pystac_client(job: Job) -> None:
    with rasterio.open(job.scene) as scene:
        wanted = transform_bounds(scene.crs, "EPSG:4326", *scene.bounds)
    client = StacClient.open(f"{job.base}/")
    (item,) = client.search(bbox=wanted, limit=1, filter="class = 'airplane'").items()
    assert item.id == job.id
    assert item.bbox is not None
    metres = np.abs(np.subtract(item.bbox, wanted)).max() * 111_320
    with rasterio.open(job.cog) as cog:
        job.tell("pystac-client", "STAC API, search", metres / cog.res[0])


def features_off(job: Job, count: int, bounds: Sequence[float]) -> float:
    """How far hotspots, in degrees, lie from those of the file, in cells."""
    local = geopandas.read_file(job.cog.with_name("hotspots.gpkg"), layer="hotspots")
    assert count == len(local) > 5
    metres = np.abs(np.subtract(bounds, local.to_crs("EPSG:4326").total_bounds)) * 111_320
    with rasterio.open(job.cog) as cog:
        return float(metres.max() / cog.res[0])


def test_owslib_features(job: Job) -> None:
    items = Features(f"{job.address}/features").collection_items("hotspots", limit=1000)
    found = geopandas.GeoDataFrame.from_features(items["features"])
    job.tell("OWSLib", "Features", features_off(job, len(found), found.total_bounds))


# GDAL's programs


def test_ogrinfo(job: Job, tmp_path: Path) -> None:
    target = tmp_path / "hotspots.geojson"
    program("ogrinfo", "-ro", "-so", f"OAPIF:{job.address}/features", "hotspots")
    job.tell("ogrinfo", "Features", None)
    program("ogr2ogr", str(target), f"OAPIF:{job.address}/features", "hotspots")
    found = geopandas.read_file(target)
    job.tell("ogr2ogr", "Features", features_off(job, len(found), found.total_bounds))


@pytest.mark.parametrize("name", [LAYER, "overlay-airplane", "backdrop"])
def test_gdalinfo(job: Job, name: str) -> None:
    said = program("gdalinfo", "-json", f"/vsicurl/{job.address}/assets/{name}.tif")
    with rasterio.open(job.cog.with_name(f"{name}.tif")) as local:
        assert json.loads(said)["geoTransform"] == list(local.transform.to_gdal())
    job.tell("gdalinfo", f"COG, {name}", 0.0, most=2)


@pytest.mark.parametrize("name", [LAYER, "overlay-airplane", "backdrop"])
def test_gdal_translate_block(job: Job, name: str, tmp_path: Path) -> None:
    local = job.cog.with_name(f"{name}.tif")
    with rasterio.open(local) as cog:
        height, width = cog.block_shapes[0]
        left, top = (width, height) if cog.width > 2 * width else (0, 0)
    block = ("gdal_translate", "-q", "-srcwin", *map(str, (left, top, width, height)))
    program(*block, f"/vsicurl/{job.address}/assets/{name}.tif", str(tmp_path / "far.tif"))
    program(*block, str(local), str(tmp_path / "near.tif"))
    with rasterio.open(tmp_path / "far.tif") as far, rasterio.open(tmp_path / "near.tif") as near:
        assert np.array_equal(far.read(), near.read(), equal_nan=True)
        assert far.transform == near.transform
        assert np.nanstd(far.read(1)) > 0.01
    job.tell("gdal_translate", f"COG, a block of {name}", 0.0, most=3)


@pytest.mark.parametrize("grid", ["SceneGrid", "WebMercatorQuad"])
def test_gdal_translate_wmts(job: Job, grid: str, tmp_path: Path) -> None:
    address = f"WMTS:{job.wmts},layer={LAYER},tilematrixset={grid}"
    program("gdal_translate", "-q", address, str(tmp_path / "map.tif"))
    with rasterio.open(tmp_path / "map.tif") as got, rasterio.open(job.cog) as cog:
        if grid == "SceneGrid":
            assert (got.shape, got.transform) == (cog.shape, cog.transform)
        off = job.off(got.read(4), got.bounds, str(got.crs))
    job.tell("gdal_translate", f"WMTS, {grid}", off)


# QGIS


def test_qgis_xyz(job: Job) -> None:
    told = job.address + f"/layers/{LAYER}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png"
    uri = f"type=xyz&url={quote(told, safe='')}&zmin=0&zmax=18"
    extent = extent_of(job, "EPSG:3857")
    about, alpha = qgis(job, "xyz", {"provider": "wms", "uri": uri}, extent)
    job.tell("QGIS", "XYZ", job.off(alpha, about["extent"], "EPSG:3857"))


@pytest.mark.parametrize(("grid", "crs"), [("SceneGrid", "32631"), ("WebMercatorQuad", "3857")])
def test_qgis_wmts(job: Job, grid: str, crs: str) -> None:
    uri = (
        f"crs=EPSG:{crs}&format=image/png&layers={LAYER}&styles=default&tileMatrixSet={grid}"
        f"&dpiMode=7&contextualWMSLegend=0&url={job.wmts}"
    )
    extent = extent_of(job, f"EPSG:{crs}")
    about, alpha = qgis(job, f"wmts-{grid}", {"provider": "wms", "uri": uri}, extent)
    job.tell("QGIS", f"WMTS, {grid}", job.off(alpha, about["extent"], f"EPSG:{crs}"))


def test_qgis_cog(job: Job) -> None:
    uri = f"/vsicurl/{job.address}/assets/overlay-airplane.tif"
    extent = extent_of(job, "EPSG:32631")
    _, alpha = qgis(job, "cog", {"provider": "gdal", "uri": uri}, extent)
    assert (alpha > 0).mean() > 0.9
    job.tell("QGIS", "COG, overlay-airplane", 0.0)


def test_qgis_features(job: Job) -> None:
    uri = f"url='{job.address}/features' typename='hotspots'"
    layer = {"provider": "OAPIF", "uri": uri}
    (told,) = qgis(job, "features", layer, extent_of(job, "EPSG:4326"))[0]["layers"]
    job.tell("QGIS", "Features", features_off(job, told["features"], told["bounds"]))
