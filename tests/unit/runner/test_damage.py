"""Scenes with one damaged block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from geogaze.errors import SceneUnreadable
from geogaze.processes.explain.plan import Plan
from geogaze.runner.embedded import RunReport
from tests.factories import make_scene
from tests.unit.runner.conftest import Explain

BLOCK = (3, 4)
NAME = "Block (row 3, column 4; pixel rows 192-255, columns 256-319)"
BOX = (192, 256, 256, 320)
RAW: dict[str, Any] = {"classes": ["boat"], "normalize": "none", "batch_size": 1}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    return make_scene(folder / "port.tif", 560, 700, seed=9, compress="deflate")


@pytest.fixture(scope="module")
def damaged(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damaged") / "port.tif"
    path.write_bytes(clean.read_bytes())
    with rasterio.open(path) as dataset:
        item = f"BLOCK_OFFSET_{BLOCK[1]}_{BLOCK[0]}"
        start = int(dataset.get_tag_item(item, "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 100)
    return path


def heat_of(report: RunReport) -> NDArray[np.float32]:
    with rasterio.open(report.assets["heat-boat"]) as dataset:
        values: NDArray[np.float32] = dataset.read(1)
    return values


def touching(plan: Plan, box: tuple[float, ...]) -> list[list[int]]:
    """Tiles whose window shares a pixel with a box of working pixels."""
    tiles = []
    for row in range(plan.tiling.rows):
        for col in range(plan.tiling.cols):
            top, left, bottom, right = plan.tiling.window(row, col)
            if top < box[2] and box[0] < bottom and left < box[3] and box[1] < right:
                tiles.append([row, col])
    return tiles


def of_tiles(plan: Plan, tiles: list[list[int]]) -> NDArray[np.bool_]:
    """The cells that some tiles contribute to."""
    cells = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=bool)
    for tile in tiles:
        row, col = plan.tiling.first_cell(*tile)
        cells[row : row + plan.tiling.cells, col : col + plan.tiling.cells] = True
    return cells


@pytest.mark.parametrize(("overlap", "chunk_tiles"), [(0.5, 256), (0.5, 4), (0, 256)])
def test_the_tiles_that_touch_it_are_skipped_and_no_other_changes(
    explain: Explain, clean: Path, damaged: Path, overlap: float, chunk_tiles: int
) -> None:
    options = {**RAW, "overlap": overlap, "chunk_tiles": chunk_tiles}
    report = explain(damaged, on_error="skip", **options)
    plan = report.plan
    lost = touching(plan, BOX)
    assert 0 < len(lost) < plan.tiles
    assert report.skipped == [
        {"reason": f"{NAME} is damaged", "tiles": len(lost), "positions": lost}
    ]
    whole = explain(clean, "whole", **options)
    apart = ~of_tiles(plan, lost)
    assert apart.any()
    np.testing.assert_array_equal(heat_of(report)[apart], heat_of(whole)[apart])
    # Of the others, only what no other tile reaches is empty.
    kept = [[r, c] for r in range(plan.tiling.rows) for c in range(plan.tiling.cols)]
    kept = [tile for tile in kept if tile not in lost]
    assert np.isnan(heat_of(report)[~of_tiles(plan, kept)]).all()
    frame = geopandas.read_parquet(report.assets["tiles"])
    assert frame[frame.top_class.isna()][["row", "col"]].to_numpy().tolist() == lost


def test_pictures_show_all_but_the_block(explain: Explain, damaged: Path) -> None:
    report = explain(damaged, on_error="skip", **RAW)
    with rasterio.open(report.assets["overlay-boat"]) as dataset:
        valid = dataset.dataset_mask() > 0
    expected = np.ones((560, 700), dtype=bool)
    expected[192:256, 256:320] = False
    np.testing.assert_array_equal(valid, expected)
    with Image.open(report.assets["preview"]) as picture:
        picture.load()
        pixels = np.array(picture.convert("RGB")).astype(int)
    panel = pixels[84 : 84 + 512, 28 : 28 + 640]
    scene = np.abs(panel - panel[224 * 512 // 560, 288 * 640 // 700]).sum(axis=2) > 6
    assert not scene[190:220, 245:280].any()
    assert scene.mean() > 0.8


@pytest.mark.parametrize("gsd", [1.0, 0.75, 0.25])
def test_at_another_resolution_a_few_pixels_more_are_lost(
    explain: Explain, clean: Path, damaged: Path, gsd: float
) -> None:
    report = explain(damaged, on_error="skip", gsd=gsd, **RAW)
    plan = report.plan
    assert len(report.skipped) == 1, report.skipped
    found = report.skipped[0]
    assert found["reason"] == f"{NAME} is damaged"
    near = tuple(edge / plan.scale for edge in BOX)
    wide = tuple(edge + 6 * sign for edge, sign in zip(near, (-1, -1, 1, 1), strict=True))
    for tile in touching(plan, near):
        assert tile in found["positions"]
    for tile in found["positions"]:
        assert tile in touching(plan, wide)
    whole = explain(clean, "whole", gsd=gsd, **RAW)
    apart = ~of_tiles(plan, found["positions"])
    assert apart.any()
    np.testing.assert_array_equal(heat_of(report)[apart], heat_of(whole)[apart])


@pytest.mark.parametrize("gsd", [None, 1.0])
def test_a_job_that_may_not_skip_fails_and_names_the_block(
    explain: Explain, damaged: Path, tmp_path: Path, gsd: float | None
) -> None:
    with pytest.raises(SceneUnreadable) as told:
        explain(damaged, gsd=gsd, **RAW)
    assert NAME in str(told.value)
    assert str(damaged) in str(told.value)
    assert list(tmp_path.iterdir()) == []
