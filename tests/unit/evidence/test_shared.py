"""Blocks of tiles that share a window: pure geometry."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geogaze.evidence.shared import TileGroup

SCENE = np.arange(1900 * 1900, dtype=np.int32).reshape(1900, 1900)  # every pixel another


@st.composite
def blocks(draw: st.DrawFn) -> TileGroup:
    """Tiles at whole strides from each other, as plans give them, in any order."""
    stride = draw(st.sampled_from([1, 8, 32]))
    size, halo = (stride * draw(st.integers(*limits)) for limits in ((1, 7), (1, 5)))
    places = st.tuples(st.integers(0, 40), st.integers(0, 40))
    corners = draw(st.lists(places, min_size=1, max_size=40, unique=True))
    return TileGroup.of(stride * np.array(corners, dtype=np.int64) + halo, size, halo)


def parts(block: TileGroup, pixels: int) -> list[TileGroup]:
    """As small as they have to be."""
    if block.pixels <= pixels or not block.divisible:
        return [block]
    return [part for half in block.halves() for part in parts(half, pixels)]


def covered(block: TileGroup, tile: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last pixel that a tile's activations look at."""
    corner = block.corners[tile]
    return corner - block.halo, corner + block.size + block.halo


@given(blocks())
def test_a_window_is_as_large_as_its_tiles_and_their_halo(block: TileGroup) -> None:
    rows, cols = block.window
    first, last = (np.array(ends) for ends in ((rows.start, cols.start), (rows.stop, cols.stop)))
    assert (first >= 0).all()
    ends = [covered(block, tile) for tile in block.tiles]
    assert (first == np.min([low for low, _ in ends], axis=0)).all()
    assert (last == np.max([high for _, high in ends], axis=0)).all()
    assert block.pixels == np.prod(last - first)


@given(blocks())
def test_offsets_find_each_tile_in_the_window(block: TileGroup) -> None:
    rows, cols = block.window
    window = SCENE[rows, cols]
    assert window.size == block.pixels
    for tile, (row, col) in zip(block.tiles, block.offsets(block.tiles), strict=True):
        top, left = block.corners[tile]
        found = window[row : row + block.size, col : col + block.size]
        assert np.array_equal(found, SCENE[top : top + block.size, left : left + block.size])
        assert min(row, col) >= block.halo
    assert (block.offsets(block.tiles[:1]) == block.offsets(block.tiles)[:1]).all()


@given(blocks())
def test_halves_part_the_tiles_across_the_longer_side(block: TileGroup) -> None:
    places = block.corners[block.tiles]
    assert block.divisible == (len(block.tiles) > 1)
    if not block.divisible:
        return
    one, other = block.halves()
    assert len(one.tiles) > 0 < len(other.tiles)
    assert sorted([*one.tiles, *other.tiles]) == sorted(block.tiles)
    assert (one.size, one.halo, other.size, other.halo) == (block.size, block.halo) * 2
    axis = int(np.ptp(places, axis=0).argmax())
    assert block.corners[one.tiles, axis].max() < block.corners[other.tiles, axis].min()
    assert max(one.pixels, other.pixels) < block.pixels


@given(blocks(), st.integers(1, 200_000))
def test_parts_of_any_size_partition_the_tiles(block: TileGroup, pixels: int) -> None:
    found = parts(block, pixels)
    tiles = np.concatenate([part.tiles for part in found])
    assert sorted(tiles) == list(range(len(block.corners)))
    for part in found:
        assert part.pixels <= pixels or len(part.tiles) == 1
        rows, cols = part.window
        for tile in part.tiles:
            low, high = covered(part, tile)
            assert (low >= [rows.start, cols.start]).all()
            assert (high <= [rows.stop, cols.stop]).all()


def test_a_block_by_hand() -> None:
    corners = np.array([[32, 32], [32, 96], [64, 160]])
    block = TileGroup.of(corners, 64, 32)
    assert block.window == (slice(0, 160), slice(0, 256))
    assert block.pixels == 160 * 256
    one, other = block.halves()
    assert (one.tiles.tolist(), other.tiles.tolist()) == ([0], [1, 2])
    assert other.window == (slice(0, 160), slice(64, 256))
    assert other.offsets(np.array([2])).tolist() == [[64, 96]]
    assert not one.divisible
    assert one.pixels == 128 * 128
