"""Scenes with labelled polygons, as ``geogaze train`` takes them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from affine import Affine

from geogaze.cli.cutting import Labelled, cut_all, labelled_scenes
from geogaze.config import Settings
from geogaze.errors import AoiOutsideScene, InvalidRequest
from geogaze.scene.cutting import Cut
from tests.factories import make_values, write_scene

WHERE = Affine(0.5, 0, 423_200, 0, -0.5, 5_712_800)
CUT = Cut(64, None, 64, ("red", "green", "blue"))


def world(folder: Path, name: str = "ship") -> tuple[str, Path]:
    """A scene ``port.tif`` of two by two chips, of which the first shows something."""
    folder.mkdir()
    scene = write_scene(folder / "port.tif", make_values(128, 128), transform=WHERE)
    corners = [(2, 2), (2, 40), (40, 40), (40, 2), (2, 2)]
    square = {"type": "Polygon", "coordinates": [[list(WHERE @ corner) for corner in corners]]}
    feature = {"type": "Feature", "properties": {"class": name}, "geometry": square}
    crs = {"type": "name", "properties": {"name": "EPSG:32631"}}
    truth = folder / "port.geojson"
    collection = {"type": "FeatureCollection", "crs": crs, "features": [feature]}
    truth.write_text(json.dumps(collection))
    return str(scene), truth


def cut(folder: Path, *pairs: tuple[str, Path], by: str = "class") -> dict[str, Counter[str]]:
    scenes = Labelled(pairs[1:] or pairs, pairs[:1], by, None)
    return cut_all(scenes, folder, CUT, Settings(), lambda *_: None)


def test_scenes_of_one_name_keep_their_chips(tmp_path: Path) -> None:
    pairs = [world(tmp_path / year) for year in ("2024", "2025", "2026")]
    found = cut(tmp_path / "chips", *pairs)
    assert found["train"] == {"ship": 2, "background": 2}
    for part, counts in found.items():
        for name, count in counts.items():
            assert len(list((tmp_path / "chips" / part / name).iterdir())) == count


@pytest.mark.parametrize("name", ["ship/tanker", "..", "/ship", "", "background"])
def test_classes_that_are_no_folders_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="class"):
        cut(tmp_path / "chips", world(tmp_path / "a", name))
    assert not (tmp_path / "chips").exists()


def test_properties_are_geojsons(tmp_path: Path) -> None:
    scene, truth = world(tmp_path / "a")
    with pytest.raises(InvalidRequest, match="has a property 'kind'"):
        cut(tmp_path / "chips", (scene, truth), by="kind")
    with pytest.raises(AoiOutsideScene, match=r"ogr2ogr port\.geojson port\.gpkg"):
        cut(tmp_path / "chips", (scene, truth.with_suffix(".gpkg")))


def test_a_scene_is_to_train_or_to_test_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match="cannot be to test by"):
        labelled_scenes([Path("a/port.tif")], None, [Path("./a/../a/port.tif")], "class", None)
