"""Lattices and tilings of every kind that a network and a scene can ask for."""

from __future__ import annotations

from hypothesis import strategies as st

from geogaze.grid.lattice import Box, Lattice
from geogaze.grid.tiling import Tiling


@st.composite
def boxes(draw: st.DrawFn, tile_size: int = 64) -> Box:
    """Working pixels to explain: a whole scene or an area of interest somewhere in it."""

    def length() -> int:
        near = {max(1, tile_size + d) for d in (-1, 0, 1)}
        return draw(st.sampled_from(sorted({1, 2, *near})) | st.integers(1, 3 * tile_size + 5))

    top, left = draw(st.tuples(*[st.just(0) | st.integers(0, 500)] * 2))
    return top, left, top + length(), left + length()


@st.composite
def lattices(draw: st.DrawFn) -> tuple[Lattice, Box]:
    """A lattice and the box that it was asked to cover."""
    stride = draw(st.integers(1, 64))
    offset = draw(st.integers(-2 * stride, 2 * stride)) / 2
    box = draw(boxes(tile_size=4 * stride))
    return Lattice.covering(box, stride, offset), box


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    """Tiles, also of sides that the stride does not divide."""
    stride = draw(st.integers(1, 64))
    offset = draw(st.integers(-2 * stride, 2 * stride)) / 2
    tile_size = draw(st.integers(1, 8)) * stride + draw(st.just(0) | st.integers(0, stride - 1))
    lattice = Lattice.covering(draw(boxes(tile_size=tile_size)), stride, offset)
    overlap = draw(st.sampled_from([0.0, 0.5, 0.9]) | st.floats(0, 0.9))
    return Tiling.over(lattice, tile_size, overlap)
