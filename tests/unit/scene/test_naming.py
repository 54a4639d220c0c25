"""Folders and patterns, and which of their files are a scene."""

from __future__ import annotations

from pathlib import Path

import pytest

from geogaze.errors import SceneUnreadable
from geogaze.scene.naming import spread


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(*given: str | Path) -> list[str]:
    return [Path(file).name for file in spread(map(str, given))]


def test_a_folder_is_its_rasters_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "b.TIF", "a.tiff", "c.jp2", "note.txt", "a.tif.aux.xml", "plain.png")
    touch(tmp_path, "placed.png", "placed.pgw", "below/d.tif")
    assert names(tmp_path) == ["a.tiff", "b.TIF", "c.jp2", "placed.png"]


def test_patterns_and_names_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "n/2.tif", "n/1.tif", "s/3.tif", "n/1.tfw.xml", "odd[1].tif")
    assert names(tmp_path / "s", tmp_path / "n/*") == ["3.tif", "1.tif", "2.tif"]
    assert names(tmp_path / "*/*.tif") == ["1.tif", "2.tif", "3.tif"]
    assert names(tmp_path / "**/[12].tif") == ["1.tif", "2.tif"]
    assert names(tmp_path / "odd[1].tif") == ["odd[1].tif"], "a file's own name"
    monkeypatch.chdir(tmp_path)
    assert spread(["n/*.tif"]) == ("n/1.tif", "n/2.tif")
    assert spread(["s3://b/*.tif", "gone.tif"]) == ("s3://b/*.tif", "gone.tif")


def test_what_holds_no_scene_says_so(tmp_path: Path) -> None:
    with pytest.raises(SceneUnreadable, match=r"No file is called as '.*\*\.tif' says"):
        spread([str(tmp_path / "*.tif")])
    with pytest.raises(SceneUnreadable, match=r"folder without a GeoTIFF or JPEG 2000 file\."):
        spread([str(tmp_path)])
    touch(tmp_path, "ship/1.png", "ship/2.jpg")
    with pytest.raises(SceneUnreadable, match=r"name one \('ship'\) or all"):
        spread([str(tmp_path)])
    chips = str(tmp_path / "ship")
    with pytest.raises(SceneUnreadable, match=rf"2 pictures .* 'geogaze image {chips}'"):
        spread([chips])
