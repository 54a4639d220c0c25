"""Tiles over a scene, and chunks of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geogaze.grid.lattice import Lattice
from geogaze.grid.resample import lattice_offset
from geogaze.grid.tiling import Chunk, Tiling
from geogaze.models.registry import torchvision_catalogue
from tests.unit.grid.strategies import tilings


def all_tiles(tiling: Tiling) -> list[tuple[int, int]]:
    return list(itertools.product(range(tiling.rows), range(tiling.cols)))


@given(tilings())
def test_every_lattice_cell_lies_in_a_tile(tiling: Tiling) -> None:
    covered = np.zeros((tiling.lattice.rows, tiling.lattice.cols), dtype=bool)
    for tile in all_tiles(tiling):
        row, col = tiling.first_cell(*tile)
        assert row >= 0
        assert col >= 0
        covered[row : row + tiling.cells, col : col + tiling.cells] = True
    assert covered.all()


@given(tilings())
def test_windows_start_on_whole_cells_and_have_the_models_size(tiling: Tiling) -> None:
    lattice = tiling.lattice
    for tile in all_tiles(tiling):
        top, left, bottom, right = tiling.window(*tile)
        row, col = tiling.first_cell(*tile)
        # A tile's first cell starts the lattice's offset away from its first pixel.
        assert lattice.edges(lattice.row0 + row, 0) == [top + lattice.offset]
        assert lattice.edges(lattice.col0 + col, 0) == [left + lattice.offset]
        assert (bottom - top, right - left) == (tiling.tile_size, tiling.tile_size)


@given(tilings())
def test_last_tile_ends_where_the_lattice_ends(tiling: Tiling) -> None:
    row, col = tiling.first_cell(tiling.rows - 1, tiling.cols - 1)
    assert row + tiling.cells == max(tiling.lattice.rows, tiling.cells)
    assert col + tiling.cells == max(tiling.lattice.cols, tiling.cells)


@given(tilings())
def test_neighbours_advance_and_no_tile_is_wasted(tiling: Tiling) -> None:
    starts = [tiling.first_cell(row, 0)[0] for row in range(tiling.rows)]
    steps = np.diff(starts)
    assert (steps[:-1] == tiling.step).all()
    assert ((steps > 0) & (steps <= tiling.step)).all()


@given(tilings(), st.integers(1, 5))
def test_chunks_partition_the_tiles(tiling: Tiling, side: int) -> None:
    chunks = list(tiling.chunks(side))
    assert all(0 < extent <= side for chunk in chunks for extent in chunk.shape)
    assert all(len(list(c.tiles())) == c.shape[0] * c.shape[1] for c in chunks)
    assert sorted(tile for chunk in chunks for tile in chunk.tiles()) == all_tiles(tiling)


@given(tilings(), st.integers(1, 5))
def test_chunk_cells_are_those_of_its_tiles(tiling: Tiling, side: int) -> None:
    for chunk in tiling.chunks(side):
        row0, col0, row1, col1 = tiling.chunk_cells(chunk)
        firsts = np.array([tiling.first_cell(*tile) for tile in chunk.tiles()])
        assert (row0, col0) == tuple(firsts.min(axis=0))
        assert row1 == min(firsts[:, 0].max() + tiling.cells, tiling.lattice.rows)
        assert col1 == min(firsts[:, 1].max() + tiling.cells, tiling.lattice.cols)


@given(tilings(), st.integers(1, 5))
def test_chunk_window_holds_its_tiles_and_its_cells(tiling: Tiling, side: int) -> None:
    lattice = tiling.lattice
    for chunk in tiling.chunks(side):
        top, left, bottom, right = tiling.chunk_window(chunk)
        windows = np.array([tiling.window(*tile) for tile in chunk.tiles()])
        assert (windows[:, :2] >= (top, left)).all()
        assert (windows[:, 2:] <= (bottom, right)).all()
        row0, col0, row1, col1 = tiling.chunk_cells(chunk)
        rows = lattice.edges(lattice.row0 + row0, row1 - row0)
        cols = lattice.edges(lattice.col0 + col0, col1 - col0)
        assert top <= rows[0]
        assert rows[-1] <= bottom
        assert left <= cols[0]
        assert cols[-1] <= right


@given(cells=st.integers(1, 40), overlap=st.floats(0, 0.9))
def test_overlap_is_the_nearest_whole_number_of_cells(cells: int, overlap: float) -> None:
    tiling = Tiling.over(Lattice.covering((0, 0, 99, 99), 16, 0.0), 16 * cells, overlap)
    assert 1 <= tiling.step <= cells
    assert tiling.step == 1 or abs(tiling.step - cells * (1 - overlap)) <= 0.5 + 1e-9


@pytest.mark.parametrize("overlap", [-0.01, 0.91, 1.0, float("nan")])
def test_overlap_out_of_range_is_refused(overlap: float) -> None:
    lattice = Lattice.covering((0, 0, 99, 99), 16, 0.0)
    with pytest.raises(ValueError, match=rf"overlap {overlap}"):
        Tiling.over(lattice, 64, overlap)


def test_tiles_by_hand() -> None:
    # 100 px, stride 16: 7 cells. Tiles of 4 cells, half overlapping: cells 0, 2, then 3 (not 4).
    tiling = Tiling.over(Lattice.covering((0, 0, 100, 60), 16, 0.0), 64, 0.5)
    assert (tiling.rows, tiling.cols, tiling.step) == (3, 1, 2)
    assert [tiling.window(row, 0) for row in range(3)] == [
        (0, 0, 64, 64),
        (32, 0, 96, 64),
        (48, 0, 112, 64),
    ]
    assert list(tiling.chunks(2)) == [Chunk(0, 0, 2, 1), Chunk(2, 0, 3, 1)]


def test_tiles_of_every_published_network_reach_over_the_scene() -> None:
    """Cells are shifted against tiles, so cells covering the scene do not say it of tiles.

    Where cells start after their tile (GoogLeNet, 6.5 px), the last cell needs no more pixels.
    """
    for bundle in torchvision_catalogue().values():
        offset = lattice_offset(bundle.input_size, bundle.stride, bundle.cells, bundle.first_center)
        assert abs(offset) < bundle.stride / 2, bundle.name
        for length in (1, bundle.stride, bundle.input_size, bundle.input_size + 1, 1000):
            lattice = Lattice.covering((0, 0, length, length), bundle.stride, offset)
            tiling = Tiling.over(lattice, bundle.input_size, 0.0)
            assert tiling.window(0, 0)[0] <= 0, bundle.name
            last = tiling.window(tiling.rows - 1, 0)[2]
            assert last >= length - max(0, offset), bundle.name
