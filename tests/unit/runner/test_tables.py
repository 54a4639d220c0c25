"""The tables of a job's chunks, read by rectangles of tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geogaze.config import Settings
from geogaze.ledger.records import Part, Skipped
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.part import ChunkTable, store_chunk
from geogaze.runner.tables import PartTables
from geogaze.storage import FolderStorage

_NOTHING = np.empty((0, 0), dtype=np.float32)


@pytest.fixture
def plan(scene: Path, bundle_folder: Path) -> Plan:
    """4 × 5 tiles or more, in units of 2 × 2."""
    asked = ExplainRequest(scene=str(scene), model=str(bundle_folder), overlap=0.5)
    return make_plan(asked, Settings(chunk_tiles=4), local=True)


def number_of(plan: Plan, row: int, col: int) -> int:
    return row * plan.tiling.cols + col


@pytest.fixture
def tables(plan: Plan, tmp_path: Path) -> PartTables:
    """Every tile says its number; unit 0 was halved, one half and all of unit 1 given up."""
    storage, parts = FolderStorage(tmp_path / "objects"), []
    given_up = [Skipped(0, (1, 0, 2, 2), "it broke"), Skipped(1, None, "it broke")]
    for root in [0, *range(2, plan.chunk_count)]:
        part = Part(root, None if root else (0, 0, 1, 2), f"{root}/", {})
        tiles = list(plan.chunk(root, part.rectangle).tiles())
        numbers = [number_of(plan, *tile) for tile in tiles]
        table = ChunkTable.unseen(plan, len(tiles), np.zeros((3, 3), dtype=np.float32))
        table.top[:] = np.array(numbers) % 3
        table.valid_fraction[:] = numbers
        table.top_probability[:] = numbers
        table.probabilities[:] = np.array(numbers) + 0.25 * np.arange(3)[:, None]
        store_chunk(storage, part.prefix, table, _NOTHING)
        parts.append(part)
    return PartTables(storage, plan, parts, given_up)


def lost(row: int, col: int) -> bool:
    return row < 2 and (row == 1 or col >= 2) and col < 4


def test_a_rectangle_is_read_row_by_row(plan: Plan, tables: PartTables) -> None:
    rows, cols = plan.tiling.rows, plan.tiling.cols
    assert rows > 3
    assert cols > 5
    for box in [(0, 0, rows, cols), (1, 1, 4, 5), (2, 3, 3, 4), (0, 2, 1, 3)]:
        read = tables.read(box)
        tiles = [(row, col) for row in range(box[0], box[2]) for col in range(box[1], box[3])]
        assert list(zip(read.row.tolist(), read.col.tolist(), strict=True)) == tiles
        numbers = np.array(
            [np.nan if lost(*tile) else number_of(plan, *tile) for tile in tiles], dtype=np.float32
        )
        np.testing.assert_array_equal(read.valid_fraction, numbers)
        np.testing.assert_array_equal(read.top_probability, numbers)
        np.testing.assert_array_equal(read.top, np.where(np.isnan(numbers), -1, numbers % 3))
        np.testing.assert_array_equal(read.probabilities, np.add(numbers, [[0], [0.25], [0.5]]))


def test_slabs_are_all_of_it(plan: Plan, tables: PartTables) -> None:
    tiles = tables.tiles
    top = np.concatenate([tiles.read(box).top for box in tiles.slabs(2 * plan.tiling.cols)])
    whole = tables.read((0, 0, plan.tiling.rows, plan.tiling.cols)).top
    assert top.tolist() == whole.tolist()
    assert tiles.kept.side == plan.chunk_side == 2


def test_done_ones_are_the_parts(plan: Plan, tables: PartTables) -> None:
    done = list(tables.done())
    assert len(done) == plan.chunk_count - 1
    for chunk, table in done:
        assert table.valid_fraction.tolist() == [number_of(plan, *t) for t in chunk.tiles()]
        assert table.coverage.size == 0


@pytest.mark.parametrize("room", [0, 200, 2**20])
def test_tables_are_read_once_where_memory_holds_them(
    plan: Plan, tables: PartTables, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    get = FolderStorage.get

    def noted(self: FolderStorage, key: str, start: int = 0, stop: int | None = None) -> bytes:
        read.append(key)
        return get(self, key, start, stop)

    monkeypatch.setattr(FolderStorage, "get", noted)
    tables._room = room
    whole = (0, 0, plan.tiling.rows, plan.tiling.cols)
    first = tables.read(whole)
    units = len(read)
    second = tables.read(whole)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    np.testing.assert_array_equal(first.top, second.top)
    assert len(set(read)) == units == len(tables._parts)
    again = len(read) - units
    assert again == 0 if room == 2**20 else 0 < again <= units
    kept = sum(
        v.nbytes for table in tables._kept.values() for v in vars(table).values() if v is not None
    )
    assert kept + tables._room == room
    assert tables._room >= 0
