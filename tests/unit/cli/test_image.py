"""``geogaze image``: one picture, its classes, and what is no picture but a scene."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from geogaze.cli import terminal
from tests.factories import make_bundle, make_scene, make_values
from tests.unit.cli.conftest import Geogaze


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of eight classes, more than the table shows."""
    classes = tuple(f"class {letter}" for letter in "abcdefgh")
    return make_bundle(tmp_path_factory.mktemp("many") / "many", classes=classes, seed=3)


@pytest.fixture
def chip() -> Path:
    Image.fromarray(make_values(64, 64).transpose(1, 2, 0)).save("chip.png")
    return Path("chip.png")


def test_the_asked_class_is_in_the_table_whatever_its_rank(
    geogaze: Geogaze, chip: Path, many: Path
) -> None:
    words = ("image", chip, "--model", many, "--overwrite")
    plain = geogaze(*words, "--json").last
    assert (plain["class"], plain["probability"]) == (plain["top_class"], plain["top_probability"])
    assert len(plain["ranking"]) == 5
    last = next(f"class {c}" for c in "abcdefgh" if f"class {c}" not in dict(plain["ranking"]))
    told = geogaze(*words, "--class", last, "--json").last
    assert told["class"] == last
    assert told["top_class"] == plain["top_class"]
    assert 0 < told["probability"] <= plain["ranking"][-1][1]
    for asked in (last, f"not {last}", f"{plain['top_class']} vs {last}"):
        found = geogaze(*words, "--class", asked, "--json").last
        shown = geogaze(*words, "--class", asked)
        assert shown.code == 0, shown.err
        (row,) = (line for line in shown.out.splitlines() if f"│ {asked} " in line)
        assert f"{found['probability']:.3f}" in row
    assert plain["warnings"] == []


def test_a_scene_is_explained_and_pointed_to_run(
    geogaze: Geogaze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for console in (terminal.out, terminal.err):
        monkeypatch.setattr(console, "_width", 80)
    scene = make_scene(tmp_path / "port.tif", 200, 260)
    done = geogaze("image", scene, "--model", "tiny")
    assert done.code == 0, done.err
    assert max(map(len, done.out.splitlines())) <= 80
    told = " ".join(done.out.split())
    assert "port.tif is a georeferenced scene of 260 × 200 pixels" in told
    assert "geogaze run" in told
    again = geogaze("image", scene, "--model", "tiny", "--overwrite", "--json").last
    assert "64 × 64 at a time" in again["warnings"][0]


@pytest.mark.parametrize(
    ("height", "width", "options"),
    [(128, 128, {}), (200, 260, {"crs": None})],
    ids=["four tiles", "nowhere on the map"],
)
def test_chips_and_photographs_are_no_scenes(
    geogaze: Geogaze, tmp_path: Path, height: int, width: int, options: dict[str, None]
) -> None:
    chip = make_scene(tmp_path / "chip.tif", height, width, **options)
    assert geogaze("image", chip, "--model", "tiny", "--json").last["warnings"] == []


def test_a_scene_that_is_no_picture_is_explained_and_pointed_to_run_too(
    geogaze: Geogaze, tmp_path: Path
) -> None:
    scene = make_scene(tmp_path / "s2.tif", 200, 260, bands=7, dtype="uint16")
    done = geogaze("image", scene, "--model", "tiny")
    assert done.code == 0, done.err
    assert "geogaze run" in " ".join(done.out.split())
    broken = tmp_path / "broken.tif"
    broken.write_bytes(scene.read_bytes()[:100])
    done = geogaze("image", broken, "--model", "tiny")
    assert done.code == 2
    assert "cannot be read as an image" in done.err
