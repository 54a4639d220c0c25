"""What a scene of several files is to be made of, before any of the files is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from affine import Affine

from geogaze.grid.lattice import Box
from geogaze.scene.bands import BandLabel


class Grid(NamedTuple):
    """Pixels of a scene: ``crs`` as a code or WKT, ``affine`` from (col, row), how many."""

    crs: str
    affine: Affine
    height: int
    width: int


@dataclass(frozen=True)
class Part:
    """A file of a scene, or some of it; what is None the file itself says.

    ``bands`` are the file's (from 1) for each of the bands that its document has, 0 for those that
    it has not. ``window`` are the file's pixels that count. ``place`` is the CRS, and the affine
    from the file's pixels (col, row). ``nodata`` is the value of missing pixels.
    """

    uri: str
    bands: tuple[int, ...] | None = None
    window: Box | None = None
    place: tuple[str, Affine] | None = None
    nodata: float | None = None


@dataclass(frozen=True)
class Parts:
    """What one address stands for: files, the first of them above all others.

    ``grid`` are the scene's pixels, where the document at the address says them. ``labels`` are
    what it says of its bands; None: each file says it of its own. ``assets`` says that the files
    are assets of STAC Items.
    """

    parts: tuple[Part, ...]
    grid: Grid | None = None
    labels: tuple[BandLabel, ...] | None = None
    assets: bool = False
