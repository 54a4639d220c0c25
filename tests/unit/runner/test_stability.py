"""Heat under shifted grids of its own tiles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geogaze.errors import InvalidRequest
from geogaze.runner.embedded import RunReport
from tests.unit.runner.conftest import Explain
from tests.unit.runner.test_embedded import CLASSES, read, reference


def test_the_spread_of_heat_is_a_layer_of_its_own(
    explain: Explain, job: RunReport, big_scene: Path, wide_bundle: Path
) -> None:
    report = explain(big_scene, stability=4, overlays="none", chunk_tiles=4)
    assert report.tiles == job.tiles, "no tile more is explained"
    item = json.loads(report.assets["item"].read_text())
    assert item["properties"]["geogaze:stability"] == 4
    for index, name in enumerate(CLASSES):
        np.testing.assert_allclose(
            read(report, f"heat-{name}"), read(job, f"heat-{name}"), atol=1e-5
        )
        with rasterio.open(report.assets[f"heat-{name}"]) as heat:
            scale = float(heat.tags()["GEOGAZE_SCALE"])
            place = heat.transform, heat.crs, heat.shape
        with rasterio.open(report.assets[f"stability-{name}"]) as layer:
            assert (layer.transform, layer.crs, layer.shape) == place
            assert "standard deviation" in layer.descriptions[0]
        asset = item["assets"][f"stability-{name}"]
        assert asset["raster:bands"][0]["statistics"]["maximum"] > 0
        if index:
            continue
        grids = []
        for down in (0, 1):
            for across in (0, 1):

                def of_grid(row: int, col: int, at: tuple[int, int] = (down, across)) -> bool:
                    return (row % 2, col % 2) == at

                evidence = reference(wide_bundle, big_scene, index, wanted=of_grid)
                grids.append(np.maximum(evidence, 0) / scale)
        stack = np.stack(grids)
        looks = np.isfinite(stack).sum(axis=0)
        spread = np.where(looks > 1, np.nanstd(np.where(looks > 0, stack, 0), axis=0), np.nan)
        np.testing.assert_allclose(read(report, f"stability-{name}"), spread, atol=1e-5)


def test_seams_are_scored(job: RunReport) -> None:
    assets = json.loads(job.assets["item"].read_text())["assets"]
    # Tiles of four cells at every second: each step is across a border of one or another's.
    assert all("geogaze:seam_score" in assets[f"heat-{name}"] for name in CLASSES)


@pytest.mark.parametrize(
    ("grids", "overlap", "message"),
    [
        (4, 0.2, "overlap by 0.25 do not make 4 .* --overlap 0.38 or more"),
        (9, 0.5, "--overlap 0.63 or more"),
        (25, 0.9, "4 cells a side; ask for a smaller --stability"),
    ],
)
def test_tiles_that_overlap_too_little_are_refused(
    explain: Explain, big_scene: Path, grids: int, overlap: float, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        explain(big_scene, stability=grids, overlap=overlap)
