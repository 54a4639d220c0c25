"""The working grid of a job and the heat lattice laid over it.

Coordinates are corner coordinates of the working grid: pixel ``k`` covers ``[k, k + 1]``. An
activation centred on pixel ``j`` therefore sits at ``j + 0.5``, and its cell covers half a stride
to either side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from affine import Affine

Box = tuple[int, int, int, int]
"""Half-open pixel or cell ranges: row0, col0, row1, col1."""

Slices = tuple[slice, slice]


def slices(box: Box) -> Slices:
    """A box as slices of rows and columns."""
    return slice(box[0], box[2]), slice(box[1], box[3])


def overlap(one: Box, other: Box) -> tuple[Slices, Slices]:
    """What two boxes share, as slices of an array over the first, and of one over the other."""
    top, left = max(one[0], other[0]), max(one[1], other[1])
    bottom = max(top, min(one[2], other[2]))
    right = max(left, min(one[3], other[3]))
    of_one, of_other = (
        slices((top - box[0], left - box[1], bottom - box[0], right - box[1]))
        for box in (one, other)
    )
    return of_one, of_other


_ROUNDING = 1e-6  # a working grid of 5375.9999999 pixels has 5376


@dataclass(frozen=True)
class WorkingGrid:
    """The pixels that the network sees: the scene's CRS and origin at the working resolution.

    ``across`` and ``down`` are scene pixels per working pixel along a row and along a column (1
    where no other GSD was asked for; they differ where scene pixels are made squares);
    ``transform`` maps working pixels (col, row) to the scene's CRS.
    """

    width: int
    height: int
    across: float
    down: float
    transform: Affine

    @classmethod
    def over(
        cls,
        width: int,
        height: int,
        transform: Affine,
        across: float = 1.0,
        down: float | None = None,
    ) -> WorkingGrid:
        """The grid that covers a scene of ``width`` × ``height`` pixels; ``down`` is ``across``
        unless it is given.
        """
        down = across if down is None else down
        if across == down == 1.0:
            return cls(width, height, 1.0, 1.0, transform)
        return cls(
            width=max(1, math.ceil(width / across - _ROUNDING)),
            height=max(1, math.ceil(height / down - _ROUNDING)),
            across=across,
            down=down,
            transform=transform @ Affine.scale(across, down),
        )


@dataclass(frozen=True)
class Lattice:
    """One cell per stride × stride working pixels, placed by the network's registration.

    Cell ``(row, col)`` covers ``offset + (row0 + row) * stride`` and one stride more. ``offset``
    is ``first_center - (stride - 1) / 2`` working pixels: 0 where activations sit in the middle
    of their cell (VGG), -15.5 for a ResNet.
    """

    stride: int
    offset: float
    row0: int
    col0: int
    rows: int
    cols: int

    @classmethod
    def covering(cls, box: Box, stride: int, offset: float) -> Lattice:
        """The smallest lattice whose cells cover a box of working pixels."""

        def cells(start: int, stop: int) -> tuple[int, int]:
            first = math.floor((start - offset) / stride)
            return first, math.ceil((stop - offset) / stride) - first

        row0, rows = cells(box[0], box[2])
        col0, cols = cells(box[1], box[3])
        return cls(stride, offset, row0, col0, rows, cols)

    def transform(self, working: Affine) -> Affine:
        """The affine of the lattice, given the working grid's."""
        shift = Affine.translation(
            self.offset + self.col0 * self.stride, self.offset + self.row0 * self.stride
        )
        return working @ shift @ Affine.scale(self.stride)

    def edges(self, first: int, count: int) -> list[float]:
        """Corner coordinates of ``count`` consecutive cells, absolute index ``first`` onwards."""
        return [self.offset + (first + i) * self.stride for i in range(count + 1)]
