"""What a scene of several files is made of, as plans keep it."""

from __future__ import annotations

from affine import Affine
from pydantic import BaseModel, ConfigDict

from geogaze.grid.lattice import Box


class Piece(BaseModel):
    """A file, or a part of one, in a scene of several.

    Attributes:
        uri: its address.
        version: changes with its content, as far as its store can tell.
        bands: of the file (from 1), for each of those that the scene has chosen; 0 where the file
            has none for it.
        window: the file's pixels that count (row0, col0, row1, col1).
        transform: the file's pixels (col, row) to its CRS.
        crs: of the file, as an authority's code or WKT; None: the scene's.
        nodata: the value of missing pixels, where the file declares none.
        box: the scene's pixels that it may touch.
    """

    model_config = ConfigDict(frozen=True)

    uri: str
    version: str | None
    bands: tuple[int, ...]
    window: Box
    transform: tuple[float, float, float, float, float, float]
    crs: str | None = None
    nodata: float | None = None
    box: Box

    @property
    def affine(self) -> Affine:
        """The file's pixels (col, row) to its CRS."""
        return Affine(*self.transform)


def nearest_offset(affine: Affine, grid: Affine, shape: tuple[int, int]) -> tuple[int, int] | None:
    """Where the first pixel of one grid lies on another: (row, col); None where they do not match.

    Args:
        affine: pixels (col, row) to a CRS.
        grid: the other's, to the same CRS.
        shape: how many pixels (h, w) must match, each within a thousandth of one.
    """
    there = ~grid @ affine
    col, row = round(there.c), round(there.f)
    height, width = shape
    corners = ((0, 0), (width, 0), (0, height), (width, height))
    apart = max(
        max(abs(x - col - at[0]), abs(y - row - at[1])) for at in corners for x, y in (there @ at,)
    )
    return (row, col) if apart < _SAME else None


_SAME = 1e-3  # of a pixel: what coordinates are rounded by
