"""Chips cut from scenes: of which class, from where, in whose values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.scene.cutting import Cut, cut_chips
from tests.factories import write_scene

WHERE = Affine(0.5, 0, 423_200, 0, -0.5, 5_712_800)
CUT = Cut(64, None, 64, ("red", "green", "blue"), background=None)


def boxes(*pixels: tuple[int, int, int, int]) -> dict[str, Any]:
    """GeoJSON of boxes (left, top, right, bottom) in pixels."""
    polygons = []
    for left, top, right, bottom in pixels:
        corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
        polygons.append([[list(WHERE @ corner) for corner in corners]])
    crs = {"type": "name", "properties": {"name": "EPSG:32631"}}
    return {"type": "MultiPolygon", "coordinates": polygons, "crs": crs}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = np.random.default_rng(0).integers(1, 255, (3, 128, 256), dtype=np.uint8)
    values[:, 64:, 192:] = 0  # unknown
    folder = tmp_path_factory.mktemp("cut")
    return write_scene(folder / "port.tif", values, transform=WHERE, nodata=0)


AREAS = {
    "ship": boxes((4, 4, 40, 40), (130, 10, 160, 30)),
    "car": boxes((44, 4, 60, 12), (70, 70, 73, 73)),  # the second hardly shows
}


def test_a_chip_is_of_what_covers_most_of_it(scene: Path, tmp_path: Path) -> None:
    found = cut_chips(str(scene), "port", AREAS, tmp_path, CUT, Settings())
    assert found == {"ship": 2, "background": 4}
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.tif")}
    assert {"ship/port-00000-00000.tif", "ship/port-00000-00128.tif"} < names
    assert not [name for name in names if "00064-00064" in name or "00064-00192" in name]
    with (
        rasterio.open(scene) as whole,
        rasterio.open(tmp_path / "ship" / "port-00000-00128.tif") as chip,
    ):
        np.testing.assert_array_equal(chip.read(), whole.read()[:, :64, 128:192])
        assert chip.descriptions == ("red", "green", "blue")


def test_chips_overlap_and_background_is_drawn(scene: Path, tmp_path: Path) -> None:
    cut = Cut(64, None, 32, CUT.bands, background=0.5)
    found = cut_chips(str(scene), "port", {"ship": AREAS["ship"]}, tmp_path, cut, Settings())
    assert found["ship"] > 4
    assert found["background"] == round(0.5 * found["ship"])


def test_background_is_drawn_of_what_is_known(tmp_path: Path) -> None:
    values = np.zeros((3, 128, 512), np.uint8)
    values[:, :, :256] = 7  # of 16 chips, 8 are known
    scene = str(write_scene(tmp_path / "half.tif", values, transform=WHERE, nodata=0))
    for seed in range(4):
        cut = Cut(64, None, 64, CUT.bands, background=1.0, seed=seed)
        areas = {"ship": AREAS["ship"]}
        found = cut_chips(scene, "half", areas, tmp_path / f"{seed}", cut, Settings())
        assert found == {"ship": 2, "background": 2}


def test_a_class_may_be_elsewhere_but_not_all(scene: Path, tmp_path: Path) -> None:
    far = boxes((9000, 9000, 9100, 9100))
    found = cut_chips(str(scene), "port", AREAS | {"tank": far}, tmp_path, CUT, Settings())
    assert found == {"ship": 2, "background": 4}
    with pytest.raises(InvalidRequest, match="lies on it"):
        cut_chips(str(scene), "port", {"tank": far}, tmp_path, CUT, Settings())


def test_chips_have_the_resolution_that_is_asked_for(scene: Path, tmp_path: Path) -> None:
    cut = Cut(32, 1.0, 32, CUT.bands, background=None)
    found = cut_chips(str(scene), "port", AREAS, tmp_path, cut, Settings())
    assert found["ship"] == 2
    with rasterio.open(tmp_path / "ship" / "port-00000-00000.tif") as chip:
        assert chip.shape == (32, 32)


def test_scenes_that_are_no_use_are_refused(scene: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="512 × 512"):
        cut_chips(str(scene), "port", AREAS, tmp_path, Cut(512, None, 64, CUT.bands), Settings())
    deep = write_scene(tmp_path / "deep.tif", np.ones((3, 64, 64), np.uint16), transform=WHERE)
    with pytest.raises(InvalidRequest, match="--rescale"):
        cut_chips(str(deep), "deep", AREAS, tmp_path / "chips", CUT, Settings())
    assert not (tmp_path / "chips").exists()
