"""``geogaze train`` on scenes with labelled polygons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geogaze.demo.planted import write_patchwork
from geogaze.demo.planting import Planting
from tests.unit.cli.conftest import Geogaze

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SHORT = ("--arch", "squeezenet1_1", "--init", "random", "--input-size", 64, "--gsd", 1.0)
QUICK = ("--epochs", 0, "--warm-up", 1, "--batch", 8)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("scenes")
    paths = [folder / f"scene-{seed}.tif" for seed in range(2)]
    for seed, path in enumerate(paths):
        write_patchwork(path, 512, seed, Planting())
    return paths


def test_chips_of_all_classes_and_of_the_background_are_learnt(
    geogaze: Geogaze, scenes: list[Path]
) -> None:
    done = geogaze("train", *scenes, "--by", "class", "--out", "mine", *SHORT, *QUICK)
    assert done.code == 0, done.err
    evaluation = json.loads(Path("mine/evaluation.json").read_text())
    assert evaluation["classes"] == ["Airplane", "Ship", "StorageTank", "background"]
    held_out = [sum(row) for row in evaluation["confusion"]]
    assert held_out[3] >= 3  # every tile of the first scene; a shadow is no object
    assert sum(held_out) == 16
    assert evaluation["images"]["train"] > 16
    assert "Chips to train by" in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--label NAME"),
        (("--by", "class", "--label", "ship"), "--label NAME"),
        (("--by", "kind"), "'kind'"),
        (("--label", "ship", "--truth", "one.geojson"), "1 files for 2"),
    ],
)
def test_what_is_wrong_is_told_before_training(
    geogaze: Geogaze, scenes: list[Path], words: tuple[str, ...], says: str
) -> None:
    done = geogaze("train", *scenes, "--out", "mine", *SHORT, *QUICK, *words)
    assert (done.code, says in done.err) == (2, True), done.err
    assert not Path("mine").exists()


def test_one_scene_cannot_be_both(geogaze: Geogaze, scenes: list[Path], tmp_path: Path) -> None:
    words = ("train", scenes[0], "--by", "class", "--out", "mine", *SHORT)
    assert "name others with --test" in geogaze(*words).err
    assert "cannot be to test by" in geogaze(*words, "--test", scenes[0]).err
    (tmp_path / "chips").mkdir()
    done = geogaze("train", tmp_path / "chips", "--by", "class", "--out", "mine")
    assert (done.code, "of scenes" in done.err) == (2, True)
