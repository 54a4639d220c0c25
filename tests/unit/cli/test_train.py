"""``geogaze train`` on GeoTIFF chips: what it is told goes into the bundle and to the chips."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geogaze.models.item import read_bundle
from tests.factories import write_scene
from tests.unit.cli.conftest import Geogaze

TINY = ("--arch", "shufflenet_v2_x0_5", "--init", "random", "--input-size", 64, "--batch", 4)
SHORT = ("--epochs", 1, "--warm-up", 0)
THIRTEEN = (
    *("--bands", ",".join(f"B{i:02d}" for i in range(1, 14))),
    *("--mean", ",".join(["0.2"] * 13), "--std", ",".join(["0.1"] * 13)),
)


def draw(folder: Path) -> Path:
    """Chips of 13 bands and 16 bits in two class folders."""
    rng = np.random.default_rng(0)
    for name, level in {"bright": 4000, "dark": 1000}.items():
        (folder / name).mkdir(parents=True)
        for i in range(7):
            values = rng.normal(level, 100, (13, 64, 64)).clip(0).astype(np.uint16)
            write_scene(folder / name / f"{i}.tif", values, crs=None)
    return folder


def test_bands_ranges_and_task_are_honoured(geogaze: Geogaze, tmp_path: Path) -> None:
    data = draw(tmp_path / "chips")
    words = ("train", data, "--out", "mine", *TINY, *SHORT, *THIRTEEN)
    refused = geogaze(*words)
    assert refused.code == 2
    assert "uint16: say which values become 0 and 1" in refused.err
    done = geogaze(*words, "--rescale", "0,10000", "--task", "sigmoid", "--json")
    assert done.code == 0, done.err
    bundle = read_bundle(Path("mine"))
    assert (len(bundle.bands), bundle.probabilities) == (13, "sigmoid")
    assert bundle.rescale == ((0, 10000),) * 13
    scene = write_scene(
        tmp_path / "scene.tif", np.full((13, 80, 90), 3000, np.uint16), photometric="minisblack"
    )
    report = geogaze("run", scene, "--model", "mine", "--out", "heat", "--json")
    assert report.code == 0, report.err
    assert report.last["rescale"] == [[0, 10000]] * 13
