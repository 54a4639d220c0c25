"""Squares on the ground, and scenes with nothing or too little to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Geod

from geogaze.config import Settings
from geogaze.errors import SceneUnusable
from geogaze.runner.unseen import _NO_HEAT
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.view import SceneView
from tests.factories import write_scene
from tests.unit.runner.conftest import Explain
from tests.unit.runner.kinds import KINDS, degrees


def test_squares_on_the_ground_where_they_are_asked_for(
    explain_into: Explain, tmp_path: Path
) -> None:
    """At 65° N a degree is 2.4 times as high as wide: bars of 12 rows become bars of 18 pixels."""
    bars = np.broadcast_to((np.arange(96) // 12 % 2 * 200 + 20)[:, None], (3, 96, 240))
    affine = degrees(25, 65.0)
    scene = write_scene(
        tmp_path / "s.tif", bars.astype(np.uint8), transform=affine, crs="EPSG:4326"
    )
    report = explain_into(scene, tmp_path / "heat", square=True, classes=("boat",))
    assert not any("--square" in warning for warning in report.plan.warnings)
    with rasterio.open(report.assets["overlay-boat"]) as overlay:
        assert overlay.crs.to_epsg() == 4326
        corner, right, below = (overlay.transform @ at for at in ((0, 0), (1, 0), (0, 1)))
        assert corner == pytest.approx((25, 65))
        far = overlay.transform @ (overlay.width, overlay.height)
        assert far == pytest.approx(affine @ (240, 96), abs=1e-5)
        shape = overlay.shape
    geod = Geod(ellps="WGS84")
    wide, high = (geod.inv(*corner, *at)[2] for at in (right, below))
    assert wide == pytest.approx(high, rel=1e-3)
    assert wide * high == pytest.approx(5e-6**2 * 111_320**2 * np.cos(np.radians(65)), rel=0.01)
    plan = report.plan
    with open_reader(plan.scene.uri, SourcePolicy.local(), Settings()) as reader:
        pixels = SceneView(reader, plan.scene, plan.working).read((0, 0, *shape))
    grey = pixels.values[0, :, 100].astype(int)
    turns = np.flatnonzero(np.diff(np.sign(grey - 120))) + 1
    np.testing.assert_allclose(
        turns, 12 * np.arange(1, 8) * affine.e / overlay.transform.e, atol=0.6
    )
    assert report.plan.scene.aspect == pytest.approx(0.424, abs=0.005)


def test_an_area_without_a_valid_pixel_is_no_success(explain_into: Explain, tmp_path: Path) -> None:
    """The scene has some, so that planning takes it."""
    values = np.full((3, 70, 180), 9, np.uint8)
    values[:, :, 120:] = 50
    scene = write_scene(tmp_path / "s.tif", values, nodata=9)
    with rasterio.open(scene) as dataset:
        crs = dataset.crs.to_string()
        (west, north), (east, south) = (dataset.transform @ at for at in ((0, 0), (90, 70)))
    ring = [(west, north), (east, north), (east, south), (west, south), (west, north)]
    area = {
        "type": "Polygon",
        "coordinates": [ring],
        "crs": {"type": "name", "properties": {"name": crs}},
    }
    with pytest.raises(SceneUnusable, match="is empty: not one of the area of interest's"):
        explain_into(scene, tmp_path / "heat", aoi=area)


def test_layers_without_a_cell_are_told(explain_into: Explain, tmp_path: Path) -> None:
    kind = KINDS["uint8"]()
    valid = np.arange(150) % 4 == 0  # a quarter of every cell
    path = write_scene(tmp_path / "s.tif", np.where(valid, kind.values, 0), nodata=0)
    report = explain_into(path, tmp_path / "heat", classes=("boat",), overlays=False)
    assert report.skipped == [{"reason": _NO_HEAT, "tiles": 2}]
    with rasterio.open(report.assets["heat-boat"]) as dataset:
        assert np.isnan(dataset.read(1)).all()
