"""Where an overlay of an area lies, and what cells without heat are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from pyproj import Transformer

from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make import preview
from geogaze.products.make.inputs import Heat
from geogaze.products.make.overlay import _fill, bgr_image, rgb_image
from geogaze.products.make.preview import Shown, write_preview
from geogaze.products.tiles import Standing
from geogaze.scene.view import Pixels
from tests.factories import write_scene
from tests.unit.products.conftest import MakePlan, OpenReader, boat, write_overlay


def area(plan: Plan, left: float, top: float, right: float, bottom: float) -> dict[str, object]:
    """Working pixels as GeoJSON."""
    across = Transformer.from_crs(plan.scene.crs_wkt, "OGC:CRS84", always_xy=True)
    corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
    ring = [across.transform(*(plan.working.transform @ corner)) for corner in corners]
    return {"type": "Polygon", "coordinates": [ring]}


def test_the_overlay_of_an_area_lies_on_the_area(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    rows, cols = np.indices((200, 260))
    slopes = np.stack([rows, cols * 0.9, 255 - rows]).astype(np.uint8)
    scene = write_scene(tmp_path / "slopes.tif", slopes)
    plan = plan_of(scene, aoi=area(plan_of(scene), 150, 20, 250, 120))
    top, left, bottom, right = plan.bounds
    assert left > top + 50
    heat = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    target = tmp_path / "overlay-boat.tif"
    with reader_of(plan) as reader:
        write_overlay(reader, heat, boat(plan), facts_of(plan).backdrop, target)
    with rasterio.open(target) as drawn:
        expected = plan.working.transform @ Affine.translation(left, top)
        assert tuple(drawn.transform) == pytest.approx(tuple(expected))
        assert drawn.shape == (bottom - top, right - left)
        shown = drawn.read([1, 2, 3]).astype(int)
    assert np.abs(shown - slopes[:, top:bottom, left:right]).mean() < 1.5


def test_cells_without_heat_beside_some_get_their_neighbours_mean() -> None:
    heat = np.full((5, 5), np.nan, dtype=np.float32)
    heat[0, 0], heat[2, 0] = 0.4, 0.8
    filled = _fill(heat)
    assert (filled[0, 0], filled[2, 0]) == pytest.approx((0.4, 0.8))
    assert filled[1, 0] == pytest.approx(0.6)
    assert filled[3, 1] == pytest.approx(0.8)
    assert (filled[:, 3:] == 0).all(), "far from any"


def test_panels_of_a_thin_scene_leave_room_for_their_captions(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    scene = write_scene(tmp_path / "thin.tif", np.full((3, 400, 40), 128, dtype=np.uint8))
    plan = plan_of(scene)
    heat = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    layers = [
        Shown(name, Heat.of(heat, "job", 1.0), Standing(3, 0.9, {}))
        for name in ("boat", "field", "road")
    ]
    target = tmp_path / "preview.png"
    with reader_of(plan) as reader:
        write_preview(facts_of(plan), reader, layers, target)
    with Image.open(target) as sheet:
        assert sheet.width > 3 * preview._SLOT


def test_a_layer_much_larger_than_a_panel_is_shown_by_its_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(3).random((11, 21)).astype(np.float32)
    values[2:4, 4:6] = np.nan
    values[0, 0] = np.nan
    corners = [(top, left) for top in (0, 8) for left in (0, 8, 16)]
    boxes = tuple((top, left, min(top + 8, 11), min(left + 8, 21)) for top, left in corners)
    heat = replace(Heat.of(values, "job", 1.0), boxes=boxes)
    same, step = preview._small(heat)
    assert step == 1
    np.testing.assert_array_equal(same, values)
    monkeypatch.setattr(preview, "_CELLS", 12)
    small, step = preview._small(heat)
    assert (step, small.shape) == (2, (6, 11))
    assert np.isnan(small[1, 2])
    assert np.isnan(small).sum() == 1
    for row, col in np.ndindex(6, 11):
        if (row, col) != (1, 2):
            cells = values[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
            assert small[row, col] == pytest.approx(np.nanmean(cells), rel=1e-6)


def test_bytes_are_shown_at_the_range_that_was_asked_for(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    """As the network sees them, by a table of 256 as by arithmetic."""
    path = write_scene(tmp_path / "grey.tif", np.full((3, 200, 260), 128, dtype=np.uint8))
    plan = plan_of(path, rescale=[(28, 178)])
    backdrop, target = facts_of(plan).backdrop, tmp_path / "overlay-boat.tif"
    cold = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    with reader_of(plan) as reader:
        write_overlay(reader, cold, boat(plan), backdrop, target)
    with rasterio.open(target) as dataset:
        drawn = dataset.read()
    assert np.abs(drawn.astype(int) - round((128 - 28) / 150 * 255)).max() <= 1
    values = np.random.default_rng(1).integers(0, 256, (3, 40, 50), dtype=np.uint8)
    known = np.random.default_rng(2).random(values.shape) > 0.2
    slow = rgb_image(Pixels(values, known, (0, 0, 40, 50)).shown(backdrop.rescale, backdrop.mean))
    quick = bgr_image(Pixels(values, known, (0, 0, 40, 50)), backdrop)
    np.testing.assert_array_equal(quick[..., ::-1], slow)
