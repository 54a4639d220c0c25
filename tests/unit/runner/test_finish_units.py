"""Units that finish a job: each layer gets its own, and jobs of older releases are told so."""

from __future__ import annotations

import itertools
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import rasterio

from geogaze.config import Settings
from geogaze.ledger.records import Claim, Part, Skipped
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.products.make.inputs import Heat
from geogaze.runner.phases import Resources, assemble, draw, perform
from geogaze.runner.phases.resources import open_drawn
from geogaze.runner.phases.retired import JobOutdated
from geogaze.storage import FolderStorage
from tests.factories import write_scene

SCALED = [Part(0, None, "", {})]
"""Of a release that drew all layers."""


def claim_of(plan: Plan, phase: str, root: int) -> Claim:
    return Claim(
        unit_id=uuid4(),
        job_id=uuid4(),
        phase=phase,
        position=root,
        root=root,
        rectangle=None,
        attempt=1,
        failures=0,
        token=uuid4(),
        prefix=f"parts/{phase}-{root}/",
        plan=plan.model_dump(mode="json"),
    )


class Parts:
    """A ledger of parts alone, by phase."""

    def __init__(self, **parts: list[Part]) -> None:
        self._parts = parts

    def parts(self, job: object, phase: str) -> list[Part]:
        return self._parts[phase]

    def skipped(self, job: object) -> list[Skipped]:
        return []


def test_an_overlay_shows_its_own_layer_in_its_own_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path
) -> None:
    """Three layers over a scene of six units, each hot in another corner."""
    scene = write_scene(tmp_path / "grey.tif", np.full((3, 900, 1100), 128, dtype=np.uint8))
    asked = ExplainRequest(scene=str(scene), model=str(bundle_folder))
    plan = make_plan(asked, Settings(), local=True)
    assert plan.canvas.units.count == 6
    rows, cols = plan.lattice.rows, plan.lattice.cols
    hot = [(2, 2), (2, cols - 3), (rows - 3, 2)]

    def layer(number: int) -> Heat:
        values = np.zeros((rows, cols), dtype=np.float32)
        values[hot[number]] = 1
        return Heat.of(values, "job", 1.0)

    for phase in (draw, assemble):
        monkeypatch.setattr(phase, "open_heat", lambda *_: layer)
    storage = FolderStorage(tmp_path / "objects")
    drawn = []
    for root in range(plan.canvas.units.count):
        resources = Resources(Settings(), Parts(scale=SCALED), storage)  # type: ignore[arg-type]
        claim = claim_of(plan, "draw", root)
        outcome = draw.run(resources, claim, lambda tiles: None, tmp_path)
        drawn.append(Part(root, None, claim.prefix, outcome.result))
    resources = Resources(Settings(), Parts(draw=drawn, scale=SCALED), storage)  # type: ignore[arg-type]
    for number, (name, (row, col)) in enumerate(zip(plan.layers, hot, strict=True)):
        claim = claim_of(plan, "assemble", number)
        assemble.run(resources, claim, lambda tiles: None, tmp_path)
        with rasterio.open(tmp_path / "objects" / claim.prefix / f"overlay-{name}.tif") as dataset:
            assert dataset.tags()["GEOGAZE_CLASS"] == name
            weight = np.abs(dataset.read().astype(int) - 128).sum(axis=0)
        weight[weight < 12] = 0  # JPEG's noise
        at = [(weight * axis).sum() / weight.sum() for axis in np.indices(weight.shape)]
        assert at == pytest.approx([32 * row, 32 * col], abs=0.5)


def test_a_blank_part_of_the_scene_leaves_nothing_but_its_place(
    tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.full((3, 900, 1100), 128, dtype=np.uint8)
    values[:, :, :600] = 0
    scene = write_scene(tmp_path / "collar.tif", values, nodata=0)
    asked = ExplainRequest(scene=str(scene), model=str(bundle_folder), classes=("boat",))
    plan = make_plan(asked, Settings(), local=True)
    heat = np.ones((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    monkeypatch.setattr(draw, "open_heat", lambda *_: lambda number: Heat.of(heat, "job", 1.0))
    storage = FolderStorage(tmp_path / "objects")
    ledger = Parts(scale=SCALED)
    sizes = []
    for root in range(6):
        outcome = draw.run(
            Resources(Settings(), ledger, storage),  # type: ignore[arg-type]
            claim_of(plan, "draw", root),
            lambda tiles: None,
            tmp_path,
        )
        ends = outcome.result["ends"]
        assert len(ends) == 3
        sizes.append([stop - start for start, stop in itertools.pairwise(ends)])
    assert all(layer < 200 for _, layer in (sizes[0], sizes[3])), "nothing valid, nothing drawn"
    assert all(layer > 2000 for _, layer in (sizes[1], sizes[4]))


def test_what_an_older_release_did_not_draw_is_told_in_one_sentence(
    tmp_path: Path, scene: Path, bundle_folder: Path
) -> None:
    asked = ExplainRequest(scene=str(scene), model=str(bundle_folder))
    plan = make_plan(asked, Settings(), local=True)
    ledger = Parts(draw=[Part(0, None, "", {"ends": []})])
    resources = Resources(Settings(), ledger, FolderStorage(tmp_path))  # type: ignore[arg-type]
    drawn = open_drawn(resources, claim_of(plan, "publish", 0), lambda tiles: None)
    with pytest.raises(JobOutdated, match="submit it again"):
        list(drawn(0))


@pytest.mark.parametrize("phase", ["calibrate", "render", "publish"])
def test_a_job_of_an_older_release_is_told_in_one_sentence(
    tmp_path: Path, scene: Path, bundle_folder: Path, phase: str
) -> None:
    asked = ExplainRequest(scene=str(scene), model=str(bundle_folder))
    plan = make_plan(asked, Settings(), local=True)
    ledger = Parts(explain=[], assemble=[])
    resources = Resources(Settings(scratch=tmp_path), ledger, FolderStorage(tmp_path))  # type: ignore[arg-type]
    said = r"older release.*; submit it again: its explained tiles are used again"
    with pytest.raises(JobOutdated, match=said):
        perform(resources, claim_of(plan, phase, 0), lambda tiles: None)
