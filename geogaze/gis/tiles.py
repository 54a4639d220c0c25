"""Tiles of a layer for web maps: squares of the world in Web Mercator, coloured, as PNG."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import from_bounds
from rasterio.warp import Resampling, reproject

from geogaze.gis.lattice import MERCATOR, Bounds, Lattice, Level
from geogaze.products.colormaps import Stop

MAX_ZOOM = 24
RAMP = (255, 16)
"""Width and height of a legend, in pixels."""

_HALF = math.pi * 6378137.0  # metres from the middle of the map to its edge
_SHADES = 255  # besides 0, which is clear
_FINER = 2  # zooms beyond the one whose pixels are as large as cells: colours blend between them
_QUICK = 1  # of zlib: tiles are small, and asked for many at once
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Place(NamedTuple):
    """A tile by zoom, column from the west, row from the north."""

    z: int
    x: int
    y: int

    @property
    def exists(self) -> bool:
        """Whether the map has such a tile."""
        return 0 <= self.z <= MAX_ZOOM and 0 <= self.x < 2**self.z and 0 <= self.y < 2**self.z

    @property
    def bounds(self) -> Bounds:
        """What it covers, in metres of Web Mercator."""
        side = 2 * _HALF / 2**self.z
        left, top = self.x * side - _HALF, _HALF - self.y * side
        return left, top - side, left + side, top


@dataclass(frozen=True)
class Shown:
    """A lattice and its colours; positions of ``stops`` are its values."""

    lattice: Lattice
    stops: tuple[Stop, ...]

    @cached_property
    def _palette(self) -> bytes:
        return palette(self.stops)

    @property
    def max_zoom(self) -> int:
        """The zoom beyond which tiles show nothing that stretching them would not."""
        left, bottom, right, top = self.lattice.reach
        rows, cols = self.lattice.levels[0].values.shape
        cell = min((right - left) / cols, (top - bottom) / rows)
        return max(0, min(MAX_ZOOM, math.ceil(math.log2(2 * _HALF / 256 / cell)) + _FINER))

    def tile(self, place: Place, side: int) -> bytes:
        """A tile of ``side`` × ``side`` pixels; clear where there is nothing, colours blend between
        cells.
        """
        left, bottom, right, top = place.bounds
        reach = self.lattice.reach
        if left >= reach[2] or right <= reach[0] or bottom >= reach[3] or top <= reach[1]:
            return clear(side)
        values = np.full((side, side), np.nan, np.float32)
        level = self._level_for(place, side)
        reproject(
            level.values,
            values,
            src_transform=level.transform,
            src_crs=self.lattice.crs,
            src_nodata=np.nan,
            dst_transform=from_bounds(*place.bounds, side, side),
            dst_crs=MERCATOR,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
        shades = shades_of(values, self.stops)
        return png(shades, self._palette) if shades.any() else clear(side)

    def cut(self, number: int, top: int, left: int, side: int) -> bytes:
        """A tile of one of the lattice's levels, the finest first: each pixel a cell of it, from a
        row and a column on; clear beyond its last ones.
        """
        values = self.lattice.levels[number].values[top : top + side, left : left + side]
        shades = np.zeros((side, side), np.uint8)
        shades[: values.shape[0], : values.shape[1]] = shades_of(values, self.stops)
        return png(shades, self._palette) if shades.any() else clear(side)

    def _level_for(self, place: Place, side: int) -> Level:
        """The coarsest level whose cells are no larger than the tile's pixels."""
        left, _, right, _ = place.bounds
        pixel = (right - left) / side
        rows, cols = self.lattice.levels[0].values.shape
        west, south, east, north = self.lattice.reach
        cell = min((east - west) / cols, (north - south) / rows)
        finest = self.lattice.levels[0]
        fitting = (
            level
            for level in reversed(self.lattice.levels)
            if cell * level.cell / finest.cell <= pixel
        )
        return next(fitting, finest)


def shades_of(values: NDArray[np.float32], stops: Sequence[Stop]) -> NDArray[np.uint8]:
    """Values as places in the palette: 1 is the lowest, 255 the highest; 0 where there is none."""
    low, high = stops[0].position, stops[-1].position
    share = (values - np.float32(low)) * np.float32((_SHADES - 1) / (high - low))
    known = np.isfinite(share)
    shades = np.clip(np.rint(np.where(known, share, 0)), 0, _SHADES - 1) + 1
    return np.where(known, shades, 0).astype(np.uint8)


def palette(stops: Sequence[Stop]) -> bytes:
    """The chunks PLTE and tRNS of all shades, and of none before them."""
    low, high = stops[0].position, stops[-1].position
    at = np.linspace(low, high, _SHADES)
    parts = np.array(stops)
    rgba = np.stack([np.interp(at, parts[:, 0], parts[:, i]) for i in range(1, 5)], axis=1)
    table = np.concatenate([np.zeros((1, 4)), rgba]).round().astype(np.uint8)
    return _chunk(b"PLTE", table[:, :3].tobytes()) + _chunk(b"tRNS", table[:, 3].tobytes())


def png(shades: NDArray[np.uint8], colours: bytes) -> bytes:
    """A picture (rows, cols) of the shades of a palette.

    By rasterio it takes twice as long, and a warning each that it lies nowhere.
    """
    rows, cols = shades.shape
    head = struct.pack(">IIBBBBB", cols, rows, 8, 3, 0, 0, 0)  # eight bits, of a palette
    lines = np.zeros((rows, cols + 1), np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = shades
    data = _chunk(b"IDAT", zlib.compress(lines.tobytes(), _QUICK))
    return _SIGNATURE + _chunk(b"IHDR", head) + colours + data + _chunk(b"IEND", b"")


@cache
def clear(side: int) -> bytes:
    """A tile that shows nothing."""
    nothing = _chunk(b"PLTE", bytes(3)) + _chunk(b"tRNS", bytes(1))
    return png(np.zeros((side, side), np.uint8), nothing)


def ramp(stops: Sequence[Stop]) -> bytes:
    """The colours from the lowest value at the left to the highest, as PNG: a legend."""
    width, height = RAMP
    across = np.linspace(1, _SHADES, width).round().astype(np.uint8)
    return png(np.tile(across, (height, 1)), palette(stops))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
