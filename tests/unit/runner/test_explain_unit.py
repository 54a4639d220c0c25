"""A unit of the explain phase: how patient its reader is, and what it counts as done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from geogaze.config import Settings
from geogaze.ledger.records import Claim
from geogaze.ledger.states import Phase
from geogaze.planning.plan import Plan, make_plan
from geogaze.planning.request import ExplainRequest
from geogaze.runner import phases
from geogaze.runner.chunk import ChunkResult, ChunkTable
from geogaze.storage import FolderStorage


@pytest.fixture
def plan(scene: Path, bundle_folder: Path) -> Plan:
    return make_plan(
        ExplainRequest(scene=str(scene), model=str(bundle_folder)), Settings(), local=True
    )


def explain(
    monkeypatch: pytest.MonkeyPatch, folder: Path, plan: Plan, failures: int
) -> tuple[bool, phases.Outcome]:
    """Do a unit whose reader and engine are made up: its reader's patience, and the outcome."""
    asked: list[bool] = []

    @contextmanager
    def opened(*_: Any) -> Iterator[None]:
        yield None

    def reader(*_: Any, lenient: bool) -> None:
        asked.append(lenient)

    def explained(plan: Plan, chunk: Any, *_: Any) -> ChunkResult:
        """One tile of them all was looked at."""
        count = len(list(chunk.tiles()))
        table = ChunkTable.unseen(plan, count, np.zeros((1, 1), dtype=np.float32))
        table.top[0] = 1
        return ChunkResult(table, np.zeros((1, 1, 2, 2), dtype=np.float32), "made up", {})

    monkeypatch.setattr(phases, "load_engine", lambda *_: None)
    monkeypatch.setattr(phases, "_open_scene", opened)
    monkeypatch.setattr(phases, "SceneReader", reader)
    monkeypatch.setattr(phases, "explain_chunk", explained)
    claim = Claim(
        unit_id=uuid4(),
        job_id=uuid4(),
        phase=Phase.EXPLAIN,
        position=0,
        root=0,
        window=None,
        attempt=failures + 1,
        failures=failures,
        token=uuid4(),
        prefix="parts/a/",
        plan={},
    )
    settings = Settings(max_attempts=3)
    bench = phases.Bench(settings, Any, FolderStorage(folder))  # type: ignore[arg-type]
    outcome = phases._explain(bench, claim, plan, lambda tiles: None, folder)
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
    assert outcome.tiles == len(list(plan.chunk(0).tiles())) > 1
