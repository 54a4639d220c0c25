"""Units by themselves: a reader's patience, what counts as done, the order of maps, layers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from geogaze.config import Settings
from geogaze.ledger.records import Claim, Part
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.chunk import ChunkResult
from geogaze.runner.part import ChunkTable, load_table, store_chunk
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.phases import explain as explain_phase
from geogaze.runner.phases.blend import _pieces
from geogaze.runner.phases.resources import resolve_bundle
from geogaze.storage import FolderStorage


@pytest.fixture
def plan(scene: Path, bundle_folder: Path) -> Plan:
    return make_plan(
        ExplainRequest(scene=str(scene), model=str(bundle_folder)), Settings(), local=True
    )


def test_a_plan_that_was_kept_finds_its_bundle_whole(scene: Path) -> None:
    """What its graph shall give is not in the plan, and whoever runs it has to know."""
    asked = ExplainRequest(scene=str(scene), model="aerial-scenes")
    settings = Settings(source_folders=(scene.parent,))
    for local in (True, False):
        planned = make_plan(asked, settings, local=local)
        kept = Plan.model_validate(json.loads(json.dumps(planned.kept())))
        found = resolve_bundle(kept, settings)
        assert found == resolve_bundle(planned, settings)
        assert found.proof is not None


def claim_of(plan: Plan, failures: int, root: int = 0) -> Claim:
    return Claim(
        unit_id=uuid4(),
        job_id=uuid4(),
        phase="explain",
        position=root,
        root=root,
        rectangle=None,
        attempt=failures + 1,
        failures=failures,
        token=uuid4(),
        prefix="parts/a/",
        plan=plan.model_dump(mode="json"),
    )


def explain(
    monkeypatch: pytest.MonkeyPatch, folder: Path, plan: Plan, failures: int
) -> tuple[bool, Outcome]:
    """Do a unit whose scene and engine are made up: its reader's patience, and the outcome."""
    asked: list[bool] = []

    @contextmanager
    def opened(*_: Any, lenient: bool) -> Iterator[None]:
        asked.append(lenient)
        yield None

    def explained(plan: Plan, chunk: Any, *_: Any) -> ChunkResult:
        """One tile of them all was looked at."""
        count = len(list(chunk.tiles()))
        table = ChunkTable.unseen(plan, count, np.zeros((1, 1), dtype=np.float32))
        table.top[0] = 1
        picture = np.zeros((1, 1, 3), dtype=np.uint8)
        evidence = np.zeros((1, 1, 2, 2), dtype=np.float32)
        return ChunkResult(table, evidence, "made up", {}, {}, picture, [0])

    monkeypatch.setattr("geogaze.runner.phases.explain.load_engine", lambda *_: None)
    monkeypatch.setattr("geogaze.runner.phases.explain.open_planned", opened)
    monkeypatch.setattr("geogaze.runner.phases.explain.explain_chunk", explained)
    monkeypatch.setattr("geogaze.runner.phases.explain.show_so_far", lambda *_: 0)
    settings = Settings(max_attempts=3)
    resources = Resources(settings, Any, FolderStorage(folder))  # type: ignore[arg-type]
    outcome = explain_phase.run(resources, claim_of(plan, failures), lambda tiles: None, folder)
    (lenient,) = asked
    return lenient, outcome


@pytest.mark.parametrize(
    ("remote", "on_error", "failures", "lenient"),
    [
        (False, "skip", 0, True),
        (False, "fail", 2, False),
        (True, "skip", 0, False),
        (True, "skip", 1, False),
        (True, "skip", 2, True),
        (True, "fail", 2, False),
    ],
)
def test_what_did_not_come_from_afar_is_left_out_with_the_last_try_only(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    plan: Plan,
    remote: bool,
    on_error: str,
    failures: int,
    lenient: bool,
) -> None:
    uri = "https://tiles.example/port.tif" if remote else plan.scene.uri
    scene = plan.scene.model_copy(update={"uri": uri})
    plan = plan.model_copy(update={"scene": scene, "on_error": on_error})
    assert explain(monkeypatch, tmp_path, plan, failures)[0] is lenient


def test_tiles_without_a_valid_pixel_are_done_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plan: Plan
) -> None:
    _, outcome = explain(monkeypatch, tmp_path, plan, 0)
    assert outcome.result["seen"] == 1
    assert outcome.items == len(list(plan.chunk(0).tiles())) > 1


def test_a_chunk_split_side_by_side_is_blended_row_by_row(tmp_path: Path, plan: Plan) -> None:
    """Sums of floating-point numbers depend on their order: a split must not show."""
    storage = FolderStorage(tmp_path)
    halves = [(0, 0, 2, 1), (0, 1, 2, 2)]
    parts = []
    for number, window in enumerate(halves):
        tiles = list(plan.chunk(0, window).tiles())
        row0, col0, row1, col1 = plan.tiling.chunk_cells(plan.chunk(0, window))
        coverage = np.ones((row1 - row0, col1 - col0), dtype=np.float32)
        table = ChunkTable.unseen(plan, len(tiles), coverage)
        table.top[:] = 0
        cells = plan.tiling.cells
        values = np.array([10 * row + col for row, col in tiles], dtype=np.float32)
        evidence = np.tile(values[:, None, None], (len(plan.layers), 1, cells, cells))
        evidence = evidence.reshape(len(plan.layers), len(tiles), cells, cells)
        store_chunk(storage, f"parts/{number}/", table, evidence)
        parts.append(Part(0, window, f"parts/{number}/", {}))
    resources = Resources(Settings(), Any, storage)  # type: ignore[arg-type]
    loaded = [(part, load_table(storage, part)) for part in parts]
    pieces = list(_pieces(resources, plan, loaded, (0, 2), lambda tiles: None))
    (found,) = (piece.maps for piece in pieces)
    assert [cells for cells, _ in pieces[0].coverage] == [
        plan.tiling.chunk_cells(plan.chunk(0, half)) for half in halves
    ]
    assert [(row, col) for row, col, _ in found] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [float(values[0, 0, 0]) for *_, values in found] == [0, 1, 10, 11]
    assert {len(values) for *_, values in found} == {2}
