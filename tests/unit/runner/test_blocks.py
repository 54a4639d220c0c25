"""A job finished in many small blocks is the job finished in one, to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geogaze.grid.rectangles import Division
from geogaze.ledger.records import Part
from geogaze.runner.block import Blended
from geogaze.storage import FolderStorage
from tests.benchmarks.blocks import finish
from tests.unit.runner.conftest import Explain


@pytest.mark.parametrize("normalize", ["job", "tile", "none"])
def test_no_product_shows_the_blocks(
    explain: Explain, big_scene: Path, monkeypatch: pytest.MonkeyPatch, normalize: str
) -> None:
    """Blocks of six cells, two layers at a time; chunks touch several."""
    whole = explain(big_scene, normalize=normalize, chunk_tiles=4)
    monkeypatch.setattr("geogaze.processes.explain.plan._BLOCK", 6)
    monkeypatch.setattr("geogaze.processes.explain.plan._BLEND_CELLS", 72)
    parts = explain(big_scene, "parts", normalize=normalize, chunk_tiles=4)
    assert parts.plan.blocks.count > 3
    assert parts.plan.layers_at_once == 2 < len(parts.plan.layers)
    assert set(whole.assets) == set(parts.assets)
    for name, path in whole.assets.items():
        if name.startswith("heat-"):
            with rasterio.open(path) as one, rasterio.open(parts.assets[name]) as other:
                np.testing.assert_array_equal(one.read(), other.read())
                said = one.tags(), other.tags()
                assert said[0] == said[1]
                for key, value in one.tags(1).items():
                    assert float(other.tags(1)[key]) == pytest.approx(float(value), abs=1e-12)
        elif name.startswith("overlay-") or name in {"backdrop", "preview", "page"}:
            assert path.read_bytes() == parts.assets[name].read_bytes(), name
    scales = [
        json.loads(report.assets["item"].read_text())["properties"]["geogaze:scales"]
        for report in (whole, parts)
    ]
    assert scales[0] == scales[1]


def test_a_window_is_put_together_from_the_rows_of_its_blocks(tmp_path: Path) -> None:
    storage, blocks = FolderStorage(tmp_path), Division(11, 17, 4)
    layers = np.random.default_rng(0).random((3, 11, 17)).astype(np.float32)
    parts = []
    for number in range(blocks.count):
        top, left, bottom, right = blocks.rectangle(number)
        data = np.ascontiguousarray(layers[:, top:bottom, left:right]).tobytes()
        storage.put(f"{number}/blended.f32", data)
        parts.append(Part(number, None, f"{number}/", {}))
    blended = Blended(storage, blocks, parts)
    for box in ((0, 0, 11, 17), (3, 2, 9, 16), (4, 4, 8, 8), (10, 16, 11, 17), (1, 5, 2, 6)):
        top, left, bottom, right = box
        for layer in range(3):
            expected = layers[layer, top:bottom, left:right]
            np.testing.assert_array_equal(blended.window(layer, box), expected)


def test_a_made_up_job_of_several_blocks_is_finished(tmp_path: Path) -> None:
    """Of normal evidence: its scale is the 99.9th percentile of a half-normal."""
    told = finish(2.5e6, tmp_path)
    assert told["cells"] >= 2.4e6
    assert told["scale"] == pytest.approx(3.29, abs=0.05)
    assert (told["minimum"], told["maximum"]) == (0, 1)
    assert told["mean"] == pytest.approx(0.399 / told["scale"], rel=0.02)
