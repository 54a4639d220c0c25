"""The command demo, where it plants a bias."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_geom
from shapely.geometry import box, shape

from geogaze.demo.planted import CLASSES, PLOT, draw_patchwork
from geogaze.demo.planting import parse_planting
from tests.unit.cli.conftest import Geogaze

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIZE = 4 * PLOT


def test_demo_plants_and_cuts_chips(geogaze: Geogaze, tmp_path: Path) -> None:
    path, chips = tmp_path / "planted.tif", tmp_path / "chips"
    words = ("demo", path, "--plant", "water:strong", "--seed", "1", "--size", SIZE)
    done = geogaze(*words, "--chips", chips)
    assert done.code == 0, done.err
    drawn = draw_patchwork(SIZE, 1, parse_planting("water:strong"))
    features = json.loads(path.with_suffix(".geojson").read_text())["features"]
    with rasterio.open(path) as scene:
        np.testing.assert_array_equal(np.moveaxis(scene.read(), 0, -1), drawn.image)
        extent = box(*scene.bounds)
        for feature, one in zip(features, drawn.objects, strict=True):
            assert feature["properties"]["class"] == one.name
            outline = transform_geom("OGC:CRS84", scene.crs, feature["geometry"])
            assert extent.contains(shape(outline))
    for name in CLASSES:
        pictures = sorted((chips / name).glob("*.png"))
        assert len(pictures) == 4
        first = next(plot for plot in drawn.plots if plot.shows == name)
        row, col = first.place
        picture = cv2.imread(str(pictures[0]))[..., ::-1]
        window = drawn.image[PLOT * row : PLOT * (row + 1), PLOT * col : PLOT * (col + 1)]
        np.testing.assert_array_equal(picture, window)
    again = geogaze(*words, "--chips", chips, "--overwrite")
    assert (again.code, "not empty" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--plant", "water"), "KIND:STRENGTH"),
        (("--plant", "snow:strong"), "water, concrete"),
        (("--plant", "none", "--size", 100), "128"),
        (("--chips", "chips"), "--plant"),
    ],
)
def test_what_cannot_be_planted_is_refused(
    geogaze: Geogaze, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    done = geogaze("demo", tmp_path / "scene.tif", *words)
    assert (done.code, says in done.err) == (2, True), done.err
    assert not (tmp_path / "scene.tif").exists()
