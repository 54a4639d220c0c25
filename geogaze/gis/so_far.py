"""The heat of a job at work, drawn for maps as far as it is: layers, and the scene below."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from geogaze.gis.tiles import palette, png, shades_of
from geogaze.ledger.records import Part
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.glimpses import Gathered
from geogaze.processes.explain.plan import Plan
from geogaze.products.colormaps import colour_stops
from geogaze.products.glimpses import PICTURE
from geogaze.storage import Storage

_VALUES = 4_000_000  # of all layers that are held, four bytes each
_SIDE = 512  # cells along a side, at most
_PIXELS = 1024  # of the scene along a side, nearly
_QUALITY = 80  # of JPEG
_AT_ONCE = 64  # parts that are laid before somebody is answered
_PLACED = Affine(1, 0, 1, 0, -1, 0)  # anywhere: pictures that lie nowhere are warned of


class HeatSoFar:
    """The heat of one job, as coarse as it takes to hold it; threads may share it.

    ``shape`` are the tile steps that a picture covers, down and across; ``off`` is how far, in
    steps, heat lies further right and down; ``left`` the parts that were not taken in the last
    time; ``peaks`` (K,) float32 each layer's highest heat so far, in logits.

    Args:
        plan: the job's.
    """

    def __init__(self, plan: Plan) -> None:
        tiling = plan.tiling
        self.plan = plan
        most = min(_SIDE, max(1, math.isqrt(_VALUES // len(plan.layers))))
        cells = math.ceil(max(tiling.rows, tiling.cols) / most)
        across = math.ceil(max(tiling.rows, tiling.cols) / cells)
        fitting = (size for size in (8, 4, 2) if size * across <= _PIXELS)
        self._gathered = Gathered(plan, most, min(PICTURE, next(fitting, 1)))
        canvas = self._gathered.canvas
        self.off = canvas.off * canvas.every
        self.shape = tuple(side * canvas.every for side in canvas.laid.shape)
        self.colours = colour_stops(facts_of(plan).colormap)
        self._palette = palette(self.colours)
        self._lock = threading.Lock()
        self.left = 0
        self.peaks = np.zeros(len(plan.layers), np.float32)

    def lay(self, storage: Storage, parts: Iterable[Part]) -> None:
        """Take in what is new of a job's parts, some of it where it is much.

        Raises:
            ObjectNotFound, StorageUnavailable: a part cannot be read.
        """
        with self._lock:
            before = self.tiles
            self.left = self._gathered.lay_parts(storage, parts, _AT_ONCE)
            if self.tiles > before:
                self.peaks = np.nanmax(self._gathered.canvas.heat, axis=(1, 2), initial=0)

    @property
    def tiles(self) -> int:
        """Tiles that are in it."""
        return self._gathered.tiles

    def heat(self, number: int) -> bytes:
        """A layer, as PNG: from clear to the highest heat of its own so far."""
        with self._lock:
            values, peak = self._gathered.canvas.layer(number), self.peaks[number] or 1
        return png(shades_of(values / np.float32(peak), self.colours), self._palette)

    def scene(self) -> bytes:
        """The scene where tiles are explained, as JPEG; grey elsewhere."""
        with self._lock:
            picture = self._gathered.canvas.picture
        return _jpeg(picture)


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture (rows, cols, 3)."""
    rows, cols, bands = picture.shape
    size = {"width": cols, "height": rows, "count": bands, "dtype": "uint8"}
    with MemoryFile() as file:
        with file.open(driver="JPEG", quality=_QUALITY, transform=_PLACED, **size) as image:
            image.write(np.moveaxis(picture, -1, 0))
        return bytes(file.read())
