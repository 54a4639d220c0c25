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
    scenes = Labelled(pairs[1:] or pairs, (), pairs[:1], by, None)
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


def test_what_is_asked_of_polygons_and_is_not_there_is_told(tmp_path: Path) -> None:
    scene, truth = world(tmp_path / "a")
    with pytest.raises(InvalidRequest, match="has a property 'kind'"):
        cut(tmp_path / "chips", (scene, truth), by="kind")
    with pytest.raises(AoiOutsideScene, match=r"port\.gpkg cannot be read"):
        cut(tmp_path / "chips", (scene, truth.with_suffix(".gpkg")))


def test_what_is_held_out_is_whole_scenes_cut_as_those_to_test_by(tmp_path: Path) -> None:
    one, two, three = (world(tmp_path / name) for name in "abc")
    found = cut_all(
        Labelled([one], [two], [three], "class", None),
        tmp_path / "chips",
        CUT,
        Settings(),
        lambda *_: None,
    )
    assert found["train"] == {"ship": 1, "background": 1}
    assert found["validation"] == found["test"] == {"ship": 1, "background": 3}
    with pytest.raises(InvalidRequest, match="Chips of boat, ship are not in each part"):
        cut_all(
            Labelled([one], [world(tmp_path / "d", "boat")], [three], "class", None),
            tmp_path / "others",
            CUT,
            Settings(),
            lambda *_: None,
        )


def test_some_scenes_are_to_test_by_and_some_are_held_out(tmp_path: Path) -> None:
    scenes = [Path(world(tmp_path / f"{i}")[0]) for i in range(10)]

    def parts(count: int, **more: bool) -> list[list[str]]:
        found = labelled_scenes(scenes[:count], None, None, "class", None, **more)
        whole = (found.training, found.validation, found.testing)
        return [[Path(scene).parent.name for scene, _ in part] for part in whole]

    training, held_out, testing = parts(10)
    assert testing == ["0", "7"]
    assert held_out == ["1", "9"]  # the first and the seventh after it of those that are left
    assert sorted(training + held_out + testing) == [str(i) for i in range(10)]
    assert parts(3) == [["1", "2"], [], ["0"]], "of two none is spared"
    assert parts(10, hold_out=False)[1] == []
    named = labelled_scenes(scenes[:3], None, scenes[3:5], "class", None)
    assert [len(part) for part in (named.training, named.validation, named.testing)] == [2, 1, 2]


def test_a_scene_is_to_train_or_to_test_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match="cannot be to test by"):
        labelled_scenes([Path("a/port.tif")], None, [Path("./a/../a/port.tif")], "class", None)
