"""What a job takes: figures from its plan alone, and time from its first batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geogaze.config import Settings
from geogaze.processes.explain.finishing import finishing_of
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.quote import quote_of
from geogaze.processes.explain.request import ExplainRequest
from tests.factories import make_scene


def plan_of(scene: Path, bundle: Path, **asked: Any) -> Plan:
    request = ExplainRequest.parse({"scene": str(scene), "model": str(bundle), **asked})
    return make_plan(request, Settings(), local=True)


def test_a_quote_by_hand(scene: Path, bundle_folder: Path) -> None:
    """260 × 200 pixels: 7 × 9 cells of 16 m; tiles of 2 × 2 cells, half a tile apart: 6 × 8."""
    settings = Settings(lanes=2)
    plan = plan_of(scene, bundle_folder, classes=["boat", "road"])
    quote = quote_of(plan, settings)
    assert (quote.tiles, quote.layers, quote.rows, quote.cols) == (6 * 8, 2, 7, 9)
    assert quote.cell_metres == pytest.approx(16)
    assert quote.memory_bytes == 2 * (7 * 9 * 2 * 24 + 48 * 2 * 4 * 4), "a block for each lane"
    assert quote.memory_bytes == max(finishing_of(plan, settings).values())
    parts, drawn = 48 * 2 * 4 * 4, (1 + 2 + 2 * 2) * 260 * 200
    blocks = 7 * 9 * 2 * 4
    assert quote.disk_bytes == quote.products_bytes + parts + blocks + drawn
    assert quote.seconds is None
    assert quote.bill is None


def test_what_is_not_asked_for_is_not_counted(scene: Path, bundle_folder: Path) -> None:
    settings = Settings()
    one, two = (
        quote_of(plan_of(scene, bundle_folder, classes=names), settings)
        for names in (["boat"], ["boat", "road"])
    )
    plain = quote_of(plan_of(scene, bundle_folder, classes=["boat"], overlays=False), settings)
    assert one.products_bytes - plain.products_bytes == 2 * 260 * 200, "the scene alone, too"
    more = 260 * 200 + 7 * 9 * 4 * 4 / 3 + 2 * 30_000 + 48 * 4 + 1_300_000  # one more panel too
    assert two.products_bytes - one.products_bytes == pytest.approx(more, abs=1)
    drawn = one.disk_bytes - one.products_bytes - 48 * 4 * 4 - 7 * 9 * 4
    assert drawn == 4 * 260 * 200, "one layer is assembled at a time, however many lanes there are"
    assert plain.disk_bytes - plain.products_bytes == 48 * 4 * 4 + 7 * 9 * 4, "nothing drawn"
    top = quote_of(plan_of(scene, bundle_folder, classes="top"), settings)
    assert (top.layers, top.memory_bytes) == (1, 2 * (7 * 9 * 24 + 48 * 4 * 4))


def test_products_stay_within_what_was_said(tmp_path: Path, bundle_folder: Path) -> None:
    """Noise is what compresses worst."""
    import numpy as np

    from geogaze.runner.embedded import run
    from tests.factories import write_scene

    noise = np.random.default_rng(1).integers(1, 255, (3, 700, 900), dtype=np.uint8)
    scene = write_scene(tmp_path / "noise.tif", noise)
    said: list[Plan] = []
    request = ExplainRequest(scene=str(scene), model=str(bundle_folder), overlap=0)
    settings = Settings(device="cpu")
    report = run(request, tmp_path / "out", settings, on_planned=said.append)
    made = sum(path.stat().st_size for path in report.assets.values())
    assert made <= quote_of(said[0], settings).products_bytes <= 10 * made


def test_coarse_scenes_are_quoted_with_their_warning(tmp_path: Path, bundle_folder: Path) -> None:
    from affine import Affine

    grid = Affine.translation(430_000, 5_410_000) @ Affine.scale(3.0, -3.0)
    plan = plan_of(make_scene(tmp_path / "c.tif", 96, 96, transform=grid), bundle_folder)
    assert quote_of(plan, Settings()).warnings == plan.warnings
    assert len(plan.warnings) == 1
