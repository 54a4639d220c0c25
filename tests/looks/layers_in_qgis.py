"""A job's layers in headless QGIS, with no hand on them: do they look right, and lie in place?

Run by ``make looks``, with Debian's QGIS. Pictures are left in the folder that ``LOOKS`` names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import from_bounds
from rasterio.warp import transform_geom

from geogaze.config import Settings
from geogaze.demo.scene import write_demo_scene
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

PICTURES = Path(os.environ.get("LOOKS", "looks"))
SIZE = 1000
DEGREES = 17.0
NAMED = ["airplane", "harbor", "airplane vs runway"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn scene, and the same pixels turned, with the outlines of their airplanes."""
    found = tmp_path_factory.mktemp("looks")
    write_demo_scene(found / "plain.tif")
    with rasterio.open(found / "plain.tif") as scene:
        profile, pixels, upright = scene.profile, scene.read(), scene.transform
    turned = upright @ Affine.rotation(DEGREES)
    with rasterio.open(found / "turned.tif", "w", **(profile | {"transform": turned})) as scene:
        scene.write(pixels)
    return found


def made(folder: Path, scene: str, out: str, **asked: Any) -> Path:
    """The folder of a job on a scene."""
    request = ExplainRequest(scene=str(folder / f"{scene}.tif"), overlap=0.5, **asked)
    run(request, folder / out, Settings(device="cpu"))
    return folder / out


@pytest.fixture(scope="session")
def plain(folder: Path) -> Path:
    return made(folder, "plain", "plain")


@pytest.fixture(scope="session")
def turned(folder: Path) -> Path:
    return made(folder, "turned", "turned", classes=NAMED)


@pytest.fixture(scope="session")
def signed(folder: Path) -> Path:
    return made(folder, "plain", "signed", classes=NAMED, normalize="none")


def qgis(picture: str, **task: Any) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """What QGIS says of layers, and its picture (h, w, 4) RGBA, which is kept."""
    PICTURES.mkdir(exist_ok=True)
    target = (PICTURES / f"{picture}.png").resolve()
    asked = {"size": [SIZE, SIZE], "target": str(target), **task}
    script = Path(__file__).with_name("qgis_draws.py")
    done = subprocess.run(
        ["/usr/bin/python3", str(script)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    image = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    return json.loads(done.stdout), np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))


def heat_drawn(job: Path, layer: str, extent: list[float]) -> NDArray[np.float32]:
    """A layer's cells as they lie in a picture of an extent, each by itself; NaN where none is."""
    with rasterio.open(job / f"heat-{layer}.tif") as heat:
        values, to_cell = heat.read(1), ~heat.transform
    cols, rows = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    x, y = from_bounds(*extent, SIZE, SIZE) @ (cols, rows)
    col, row = (np.floor(axis).astype(int) for axis in to_cell @ (x, y))
    within = (col >= 0) & (row >= 0) & (row < values.shape[0]) & (col < values.shape[1])
    drawn = np.full((SIZE, SIZE), np.nan, dtype=np.float32)
    drawn[within] = values[row[within], col[within]]
    return drawn


@pytest.mark.parametrize(
    ("job", "layer", "strong", "most"),
    [
        ("plain", "airplane", 0.6, 8),
        ("plain", "harbor", 0.6, 8),
        ("turned", "airplane", 0.6, 16),  # QGIS first moves turned cells to the nearest upright
        ("signed", "airplane", 8.0, 8),
        ("signed", "airplane-vs-runway", 8.0, 8),
    ],
)
def test_a_layer_that_is_dragged_in_looks_like_its_overlay(
    job: str, layer: str, strong: float, most: int, request: pytest.FixtureRequest
) -> None:
    out: Path = request.getfixturevalue(job)
    files = {kind: str(out / f"{kind}-{layer}.tif") for kind in ("heat", "overlay")}
    scene = str(out / "backdrop.tif")
    about, alone = qgis(f"{job}-{layer}-alone", layers=[files["heat"]])
    extent = about["extent"]
    _, over = qgis(f"{job}-{layer}-over-scene", layers=[files["heat"], scene], extent=extent)
    _, overlay = qgis(f"{job}-{layer}-overlay", layers=[files["overlay"]], extent=extent)

    (told,) = about["layers"]
    assert (told["valid"], told["renderer"]) == (True, "singlebandpseudocolor")
    assert (told["blend"], told["resampler"], about["errors"]) == (0, True, [])
    heat = heat_drawn(out, layer, extent)
    shown = cv2.erode((overlay[..., 3] == 255).astype(np.uint8), np.ones((3, 3))) > 0
    hot = shown & (np.abs(heat) >= strong)
    cold = cv2.dilate((np.nan_to_num(heat) != 0).astype(np.uint8), np.ones((41, 41))) == 0
    assert hot.sum() > 1000
    assert (alone[cold, 3] == 0).all(), "clear where there is none"
    assert alone[hot, 3].mean() > 0.5 * 255
    apart = np.abs(over[..., :3].astype(int) - overlay[..., :3]).mean(axis=2)
    print(f"{job} {layer}: hot {apart[hot].mean():.1f} of 255 apart, all {apart[shown].mean():.1f}")
    assert apart[hot].mean() < most
    assert apart[shown].mean() < 4


@pytest.mark.parametrize("job", ["plain", "turned"])
def test_heat_lies_where_the_drawn_airplanes_are(
    job: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    """Heat in QGIS's picture fits the true outlines best within half a cell of where it lies."""
    out: Path = request.getfixturevalue(job)
    about, alone = qgis(f"{job}-place", layers=[str(out / "heat-airplane.tif")])
    with (
        rasterio.open(out / "heat-airplane.tif") as heat,
        rasterio.open(folder / f"{job}.tif") as scene,
    ):
        cell = abs(np.linalg.det(np.array(heat.transform).reshape(3, 3)[:2, :2])) ** 0.5
        crs, place = heat.crs, scene.transform
    with rasterio.open(folder / "plain.tif") as scene:
        from_upright = place @ ~scene.transform
    drawn = json.loads((folder / "plain.geojson").read_text())["features"]
    outlines = [
        moved(transform_geom("EPSG:4326", crs, feature["geometry"]), from_upright)
        for feature in drawn
        if feature["properties"]["class"] == "Airplane"
    ]
    pixel = (about["extent"][2] - about["extent"][0]) / SIZE
    grid = from_bounds(*about["extent"], SIZE, SIZE)
    planes = rasterize(outlines, (SIZE, SIZE), transform=grid).astype(np.float32)
    warmth = alone[..., 3].astype(np.float32)
    reach = round(2 * cell / pixel)
    inside = cv2.matchTemplate(
        cv2.copyMakeBorder(planes, reach, reach, reach, reach, cv2.BORDER_CONSTANT),
        warmth,
        cv2.TM_CCORR,
    )
    at = np.unravel_index(int(inside.argmax()), inside.shape)
    off = [(index - reach) * pixel / cell for index in at]
    print(f"{job}: best {off[0]:+.2f} cells down, {off[1]:+.2f} across, of {len(outlines)} planes")
    assert max(map(abs, off)) <= 0.5


def moved(geometry: dict[str, Any], by: Affine) -> dict[str, Any]:
    """A polygon moved by an affine of its CRS."""
    rings = [[list(by @ point[:2]) for point in ring] for ring in geometry["coordinates"]]
    return {"type": "Polygon", "coordinates": rings}


@pytest.mark.parametrize("job", ["plain", "turned", "signed"])
def test_a_layer_definition_opens_from_wherever_the_folder_went(
    job: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    elsewhere = shutil.copytree(request.getfixturevalue(job), tmp_path / "moved, and renamed")
    about, picture = qgis(f"{job}-qlr", definition=str(elsewhere / "job.qlr"))
    assert (about["loaded"], about["error"], about["errors"]) == (True, "", [])
    for layer in about["layers"]:
        assert layer["valid"], layer
        assert layer["crs"] == "EPSG:32631"
        assert Path(layer["source"].split("|")[0]).parent == elsewhere
    renderers = {layer["source"].split("/")[-1]: layer["renderer"] for layer in about["layers"]}
    assert renderers["hotspots.gpkg|layername=hotspots"] == "categorizedSymbol"
    assert renderers["heat-airplane.tif"] == "singlebandpseudocolor"
    assert renderers["classes.tif"] == "paletted"
    (tree,) = about["tree"]
    (entries,) = tree.values()
    heat = next(entry["Heat"] for entry in entries if isinstance(entry, dict) and "Heat" in entry)
    assert [shown for _, shown in heat].count(True) == 1
    assert entries[-1] == ["The scene as it was looked at", True]
    assert (picture[..., 3] == 255).mean() > 0.5


def test_classes_and_polygons_have_names_and_colours(plain: Path) -> None:
    about, classes = qgis("plain-classes", layers=[str(plain / "classes.tif")])
    (told,) = about["layers"]
    assert (told["renderer"], told["legend"][0]) == ("paletted", "agricultural")
    colours = {tuple(colour) for colour in classes[classes[..., 3] == 255][:, :3].tolist()}
    assert 10 < len(colours) <= len(told["legend"]) == 21
    for path in sorted(plain.glob("*.gpkg")):
        layers = [str(path), str(plain / "backdrop.tif")]
        about, _ = qgis(f"plain-{path.stem}", layers=layers)
        told = about["layers"][0]
        assert (told["valid"], told["renderer"]) == (True, "categorizedSymbol")
        assert told["features"] > 20
