"""A file's pixels on another grid: copied where the grids match, else averaged or interpolated."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject

from geogaze.grid.lattice import Box
from geogaze.scene.crs import gdal_crs
from geogaze.scene.pieces import Piece, nearest_offset
from geogaze.scene.placing import Placed, bounds_on, transformer
from geogaze.scene.reader import PartUnread, Values

_MARGIN = 2  # pixels around, of what a bilinear kernel needs and rounding takes
_STRIP = 64  # rows of means that are made at once
_TOLERANCE = 0.02  # of a pixel, by which places may be off


class Read(Protocol):
    """Reads a window of a file's pixels, in as many pixels (h, w) as are wanted."""

    def __call__(self, window: Box, shape: tuple[int, int]) -> Values:
        """Read a window (row0, col0, row1, col1)."""
        ...


def on_grid(
    piece: Piece, crs: str, target: Affine, shape: tuple[int, int], read: Read
) -> Values | None:
    """A file's pixels as a grid has them; None where the grid has none of them.

    Pixels whose middle lies on a known pixel of the file are known, so that of files that touch
    each other no pixel is lost between them.

    Args:
        piece: the file.
        crs: the grid's.
        target: the grid's pixels (col, row) to its CRS.
        shape: how many there are (h, w).
        read: reads the file.

    Raises:
        PartUnread: the file cannot be read, or not be warped.
    """
    if piece.crs is None and (at := nearest_offset(target, piece.affine, shape)):
        return _copied(piece, at, shape, read)
    own = piece.crs or crs
    wanted = bounds_on(Placed("", crs, target, (0, 0, *shape)), own, piece.affine)
    scale = _scale(piece, own, crs, target)
    step = max(1, math.floor(scale + 1e-6))
    window = _window(wanted, piece.window, step)
    if window is None:
        return None
    rows, cols = window[2] - window[0], window[3] - window[1]
    small = (math.ceil(rows / step), math.ceil(cols / step))
    # What a file does not declare, GDAL mixes with what is data.
    shrunk = _shrunk(read, window, step) if piece.nodata is not None else read(window, small)
    values, known = shrunk
    affine = (
        piece.affine
        @ Affine.translation(window[1], window[0])
        @ Affine.scale(cols / small[1], rows / small[0])
    )
    places: dict[str, Any] = {
        "src_transform": affine,
        "dst_transform": target,
        "src_crs": gdal_crs(own),
        "dst_crs": gdal_crs(crs),
        "tolerance": _TOLERANCE,
    }
    try:
        return _resampled(values, known, shape, places)
    except RasterioError as error:
        raise PartUnread(f"it cannot be warped: {error}") from error


def _copied(piece: Piece, at: tuple[int, int], shape: tuple[int, int], read: Read) -> Values | None:
    top, left = max(at[0], piece.window[0]), max(at[1], piece.window[1])
    bottom = min(at[0] + shape[0], piece.window[2])
    right = min(at[1] + shape[1], piece.window[3])
    if top >= bottom or left >= right:
        return None
    values, known = read((top, left, bottom, right), (bottom - top, right - left))
    inner = np.s_[:, top - at[0] : bottom - at[0], left - at[1] : right - at[1]]
    on = Values(
        np.zeros((len(values), *shape), dtype=values.dtype),
        np.zeros((len(values), *shape), dtype=bool),
    )
    on.values[inner], on.known[inner] = values, known
    return on


def _window(wanted: Box, there: Box, step: int) -> Box | None:
    """The pixels of a file to read: whole steps, counted from its first pixel."""
    margin = _MARGIN * step
    ends = []
    for axis in (0, 1):
        start = max(there[axis], (wanted[axis] - margin) // step * step)
        stop = min(there[axis + 2], math.ceil((wanted[axis + 2] + margin) / step) * step)
        if start >= stop:
            return None
        ends.append((start, stop))
    (top, bottom), (left, right) = ends
    return top, left, bottom, right


def _shrunk(read: Read, window: Box, step: int) -> Values:
    """Means of the known pixels of squares of ``step``, from the file's own resolution."""
    top, left, bottom, right = window
    strips = []
    for row in range(top, bottom, step * _STRIP):
        end = min(row + step * _STRIP, bottom)
        values, known = read((row, left, end, right), (end - row, right - left))
        if step > 1:
            values, known = _means(values, known, step)
        strips.append((values, known))
    values, known = (np.concatenate(arrays, axis=1) for arrays in zip(*strips, strict=True))
    return Values(values, known)


def _means(
    values: NDArray[Any], known: NDArray[np.bool_], step: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    bands, height, width = values.shape
    spare = ((0, 0), (0, -height % step), (0, -width % step))
    squares = (bands, math.ceil(height / step), step, math.ceil(width / step), step)
    count = np.pad(known, spare).reshape(squares).sum(axis=(2, 4))
    total = np.pad(np.where(known, values, 0).astype(np.float64), spare).reshape(squares)
    means = total.sum(axis=(2, 4)) / np.maximum(count, 1)
    return _as(values.dtype, means), count > 0


def _scale(piece: Piece, own: str, crs: str, target: Affine) -> float:
    """Pixels of the file along one of the grid, in the middle of the file."""
    top, left, bottom, right = piece.window
    col, row = (left + right) / 2, (top + bottom) / 2
    corners = [piece.affine @ at for at in ((col, row), (col + 1, row), (col, row + 1))]
    x, y = (np.array(axis) for axis in zip(*corners, strict=True))
    if own != crs:
        x, y = transformer(own, crs).transform(x, y)
    cols, rows = ~target @ (np.asarray(x), np.asarray(y))
    area = abs(
        (cols[1] - cols[0]) * (rows[2] - rows[0]) - (cols[2] - cols[0]) * (rows[1] - rows[0])
    )
    return 1 / math.sqrt(area) if area > 0 else 1.0


def _resampled(
    values: NDArray[Any],
    known: NDArray[np.bool_],
    shape: tuple[int, int],
    places: dict[str, Any],
) -> Values:
    """Means of known values by a bilinear kernel, which is as wide as a pixel of the grid."""
    bands = len(values)
    there = np.zeros((bands, *shape), dtype=np.uint8)
    same = bool((known == known[:1]).all())
    reproject(
        (known[:1] if same else known).astype(np.uint8),
        there[:1] if same else there,
        resampling=Resampling.nearest,
        **places,
    )
    if same:
        there[1:] = there[:1]
    fine = np.float64 if values.dtype.itemsize > 2 and values.dtype != np.float32 else np.float32
    total = np.zeros((bands, *shape), dtype=fine)
    weighed = np.where(known, values, 0).astype(fine)
    reproject(weighed, total, resampling=Resampling.bilinear, **places)
    on = there > 0
    if not known.all():
        weight = np.zeros((bands, *shape), dtype=fine)
        reproject(known.astype(fine), weight, resampling=Resampling.bilinear, **places)
        on &= weight > 0
        np.divide(total, weight, out=total, where=on)
    total[~on] = 0
    return Values(_as(values.dtype, total), on)


def _as(dtype: np.dtype[Any], values: NDArray[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return values.astype(dtype)
    # Means lie within the range of what they are of.
    rounded: NDArray[Any] = np.rint(values, out=values).astype(dtype)
    return rounded
