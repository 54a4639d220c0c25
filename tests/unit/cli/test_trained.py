"""Networks that ``geogaze train`` made of drawn chips of 13 bands and 16 bits, run on a scene.

Of the two classes each is a bright square in a band of its own, which no picture of three bands
shows. Values are reflectance times 10,000.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from numpy.typing import NDArray
from torch import nn

from geogaze.networks.architectures import offer, withdraw
from tests.factories import write_scene
from tests.unit.cli.conftest import Geogaze

BANDS, SIDE, SQUARE = 13, 48, 16
BAND = {"crop": 4, "water": 11}
PLACE = {"crop": (40, 24), "water": (120, 168)}  # rows and columns in the scene
SCENE = (192, 240)


class Net(nn.Module):
    """A few convolutions, cells of 8 pixels."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *(nn.Conv2d(BANDS, 16, 4, 4), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 16, 2, 2), nn.BatchNorm2d(16), nn.ReLU()),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, classes))

    def forward(self, images: Any) -> Any:
        return self.head(self.trunk(images))


def ground(rng: np.random.Generator, rows: int, cols: int) -> NDArray[np.float64]:
    return rng.normal(1500, 150, (BANDS, rows, cols))


def paint(values: NDArray[np.float64], name: str, row: int, col: int) -> None:
    values[BAND[name], row : row + SQUARE, col : col + SQUARE] += 4000


def chip(path: Path, names: list[str], rng: np.random.Generator) -> None:
    values = ground(rng, SIDE, SIDE)
    for name in names:
        paint(values, name, *rng.integers(0, SIDE - SQUARE, 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scene(path, values.clip(0).astype(np.uint16), crs=None, photometric="minisblack")


def chips(folder: Path, task: str) -> Path:
    """Class folders, or a table of labels: of both classes, or of one alone."""
    rng = np.random.default_rng(0)
    if task == "softmax":
        for name in BAND:
            for i in range(14):
                chip(folder / name / f"{i}.tif", [name], rng)
        return folder
    classes = list(BAND) if task == "labels" else ["water"]
    rows = []
    for i in range(28):
        there = [name for bit, name in enumerate(BAND) if i >> bit & 1]
        chip(folder / "images" / f"{i}.tif", there, rng)
        rows.append([f"images/{i}.tif", *(int(name in there) for name in classes)])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", *classes], *rows])
    return folder


@pytest.mark.parametrize("task", ["softmax", "labels", "one"])
def test_it_learns_and_looks_where_its_classes_are(
    geogaze: Geogaze, tmp_path: Path, task: str
) -> None:
    offer("thirteen-net", Net)
    words = ("--bands", ",".join(f"B{i:02d}" for i in range(1, BANDS + 1)))
    words += ("--mean", ",".join(["0.15"] * BANDS), "--std", ",".join(["0.1"] * BANDS))
    words += ("--rescale", "0,10000", "--input-size", SIDE, "--batch", 4, "--init", "random")
    words += ("--epochs", 6, "--warm-up", 0, "--learning-rate", 0.01, "--validation", 0)
    try:
        data = chips(tmp_path / "chips", task)
        done = geogaze("train", data, "--arch", "thirteen-net", "--out", "mine", *words)
        assert done.code == 0, done.err
        rng = np.random.default_rng(9)
        values = ground(rng, *SCENE)
        for name, place in PLACE.items():
            paint(values, name, *place)
        scene = write_scene(
            tmp_path / "scene.tif", values.clip(0).astype(np.uint16), photometric="minisblack"
        )
        done = geogaze("run", scene, "--model", "mine", "--out", "heat", "--overlap", 0.5)
        assert done.code == 0, done.err
    finally:
        withdraw("thirteen-net")
    classes = ["water"] if task == "one" else list(BAND)
    evaluation = json.loads(Path("mine/evaluation.json").read_text())
    assert evaluation["accuracy"] >= 0.9

    tiles = pd.read_parquet("heat/tiles.parquet")
    item = json.loads(Path("heat/item.json").read_text())
    for name in classes:
        with rasterio.open(f"heat/heat-{name}.tif") as heat:
            shown = np.nan_to_num(heat.read(1))
            rows, cols = (np.arange(0.5, n) * 192 / shown.shape[0] for n in shown.shape)
        hot = shown > 0.5
        row, col = PLACE[name]
        inside = (abs(rows - row - SQUARE / 2) < SQUARE)[:, None]
        inside = inside & (abs(cols - col - SQUARE / 2) < SQUARE)
        assert hot.any()
        assert hot[inside].sum() >= 0.9 * hot.sum(), "heat lies on the square"
        assert name in done.out
        likely = tiles[f"p_{name}"]
        assert likely.max() > 0.5 > likely.min()
        assert item["assets"][f"heat-{name}"]["geogaze:highest_probability"] == pytest.approx(
            likely.max(), abs=1e-6
        )
