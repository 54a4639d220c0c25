"""What is told of tiles that were not looked at, or in vain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geogaze.config import Settings
from geogaze.errors import InvalidBundle, SceneUnusable
from geogaze.ledger.records import Part, Skipped
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.part import ChunkTable
from geogaze.runner.unseen import Unseen, check_empty


@pytest.fixture
def plan(scene: Path, bundle_folder: Path) -> Plan:
    asked = ExplainRequest(scene=str(scene), model=str(bundle_folder))
    return make_plan(asked, Settings(chunk_tiles=4), local=True)


def table(plan: Plan, seen: list[int], valid: list[float]) -> ChunkTable:
    made = ChunkTable.unseen(plan, 4, np.zeros((2, 2), dtype=np.float32))
    made.valid_fraction[:] = valid
    made.top[seen] = 0
    return made


def part(seen: int, **unreadable: list[list[int]]) -> Part:
    return Part(0, None, "", {"seen": seen, "unreadable": unreadable})


def reasons(
    plan: Plan, found: Part, tables: list[ChunkTable], given_up: list[Skipped], *, heat: bool = True
) -> list[dict[str, object]]:
    unseen = Unseen(plan, [found], given_up)
    for number, each in enumerate(tables):
        unseen.add(plan.chunk(number), each)
    return unseen.reasons(found_heat=heat)


def test_every_tile_is_told_once_with_its_reason(plan: Plan) -> None:
    tables = [table(plan, [3], [0, 0.5, 1, 1])]
    damaged = part(1, Block=[[0, 0]])
    given_up = [Skipped(1, (0, 2, 1, 3), "it broke")]
    told = reasons(plan, damaged, tables, given_up)
    assert told == [
        {"reason": "outside the area of interest", "tiles": 2},
        {"reason": "Block", "tiles": 1, "positions": [[0, 0]]},
        {"reason": "it broke", "tiles": 1, "positions": [[0, 2]]},
    ]
    assert reasons(plan, part(1), tables, []) == [
        {"reason": "no valid pixel", "tiles": 1},
        {"reason": "outside the area of interest", "tiles": 2},
    ]
    more = [*tables, table(plan, [], [0, 0.5, 0, 0])]
    assert [found["tiles"] for found in reasons(plan, part(1), more, [])] == [4, 3]
    two = part(1, Block=[[1, 1], [0, 0]])
    (_, block) = reasons(plan, two, tables, [])
    assert block == {"reason": "Block", "tiles": 2, "positions": [[0, 0], [1, 1]]}


@pytest.mark.parametrize(
    ("seen", "found_heat", "tiles"),
    [([0, 1, 2], False, 3), ([0, 1, 2], True, None), ([], False, None)],
)
def test_tiles_that_were_looked_at_in_vain_are_told(
    plan: Plan, seen: list[int], found_heat: bool, tiles: int | None
) -> None:
    tables = [table(plan, seen, [0.4] * 4)]
    told = reasons(plan, part(len(seen)), tables, [], heat=found_heat)
    vain = [found["tiles"] for found in told if "more invalid pixels" in found["reason"]]
    assert vain == ([tiles] if tiles else [])


def test_a_layer_without_a_finite_cell_is_no_success_without_a_word(plan: Plan) -> None:
    with pytest.raises(SceneUnusable, match="empty"):
        check_empty(plan, "boat", [part(0)], [], covered=True)
    with pytest.raises(InvalidBundle, match="no finite evidence for 'boat'"):
        check_empty(plan, "boat", [part(3)], [], covered=True)
    check_empty(plan, "boat", [part(3)], [], covered=False)
    check_empty(plan, "boat", [part(0, Block=[[0, 0]])], [], covered=True)
    check_empty(plan, "boat", [part(0)], [Skipped(0, None, "it broke")], covered=True)
