"""A chunk by itself: what it reads around its tiles, and which weights may explain it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geogaze.config import Settings
from geogaze.errors import InvalidBundle
from geogaze.evidence.kept import load_engine
from geogaze.grid.tiling import Chunk
from geogaze.models.bundles import Bundle
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.chunk import explain_chunk
from geogaze.runner.phases.resources import resolve_bundle
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.view import SceneView
from tests.factories import make_values, write_scene

SETTINGS = Settings(device="cpu", torch_threads=1, batch_size=1)


def planned(scene: Path, bundle: Path, **options: object) -> Plan:
    asked = ExplainRequest.parse({"scene": str(scene), "model": str(bundle), **options})
    return make_plan(asked, SETTINGS, local=True)


def test_what_lies_beside_a_tile_counts_on_every_side_in_scene_context(
    wide_bundle: Path, tmp_path: Path
) -> None:
    """Left, top, right and bottom alike; not without scene context, and not beyond the halo."""
    values = make_values(900, 900, seed=4)
    plan = planned(write_scene(tmp_path / "scene.tif", values), wide_bundle, overlap=0)
    shared = plan.model_copy(update={"context": "scene"})
    engine = load_engine(plan.bundle, SETTINGS)
    chunk = Chunk(3, 3, 4, 4)
    top, left, bottom, right = plan.tiling.window(3, 3)
    halo = shared.halo
    assert 0 < halo <= min(top, left, 900 - bottom, 900 - right) - 16

    def evidence(plan: Plan, changed: tuple[slice, slice] | None = None) -> np.ndarray:
        pixels = values.copy()
        if changed:
            pixels[:, *changed] = 255 - pixels[:, *changed]
        path = write_scene(tmp_path / "changed.tif", pixels)
        with open_reader(str(path), SourcePolicy.local(), SETTINGS) as reader:
            view = SceneView(reader, plan.scene, plan.working)
            done = explain_chunk(plan, chunk, view, engine, lambda tiles: None)
        return done.evidence

    lone, before = evidence(plan), evidence(shared)
    # Cells lie up to half a stride off the tile's pixels, so these are read in any case.
    near, off = 16, 48
    sides = {
        "top": np.s_[top - off : top - near, left:right],
        "left": np.s_[top:bottom, left - off : left - near],
        "bottom": np.s_[bottom + near : bottom + off, left:right],
        "right": np.s_[top:bottom, right + near : right + off],
    }
    for side, beside in sides.items():
        assert np.abs(evidence(shared, beside) - before).max() > 1e-3 * np.abs(before).max(), side
        np.testing.assert_array_equal(evidence(plan, beside), lone)
    far = np.s_[bottom + near + halo :, right + near + halo :]
    np.testing.assert_array_equal(evidence(shared, far), before)


@pytest.fixture
def shared(bundle_folder: Path, scene: Path) -> Plan:
    """A plan of the API's: its bundle is found by name."""
    return planned(scene, bundle_folder).model_copy(update={"local": False})


def test_a_worker_with_other_weights_refuses(shared: Plan, bundle_folder: Path) -> None:
    here = Settings(model_folders=(bundle_folder.parent,))
    assert resolve_bundle(shared, here).weights == shared.bundle.weights
    other = shared.bundle.model_copy(update={"weights": "sha256:" + "0" * 64})
    with pytest.raises(InvalidBundle, match=r"other|0000.*same bundles"):
        resolve_bundle(shared.model_copy(update={"bundle": other}), here)


def test_a_local_plan_uses_the_bundle_it_was_made_with(shared: Plan) -> None:
    local = shared.model_copy(update={"local": True})
    found: Bundle = resolve_bundle(local, Settings(model_folders=()))
    assert found == local.bundle
    other = local.bundle.model_copy(update={"weights": "sha256:" + "0" * 64})
    with pytest.raises(InvalidBundle, match="was accepted with sha256:0000"):
        resolve_bundle(local.model_copy(update={"bundle": other}), Settings())
