"""Overlays: heat in colour over the scene, for eyes."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geogaze.grid.canvas import BLOCK, Canvas
from geogaze.grid.lattice import Box, overlap
from geogaze.products.colormaps import Palette
from geogaze.products.facts import Backdrop, Grid, LayerFacts
from geogaze.products.make.color import Painter, stretch
from geogaze.products.make.drawing import Paint, Picture, Scenery
from geogaze.products.make.drawn import layer_segment, put_drawn, scene_segment
from geogaze.products.make.encoded import BlockAt, Pyramid
from geogaze.products.make.inputs import Drawn, Heat, LayerInputs
from geogaze.products.make.specks import REACH, softened
from geogaze.products.styles import Normalize
from geogaze.scaling import unit_range
from geogaze.scene.view import Pixels, SceneView
from geogaze.storage.ahead import in_turn
from geogaze.timing import timed

_DRAWN_AHEAD = 2  # layers of a unit that are drawn before they are asked for
_IN_MEMORY = 64 * 2**20  # bytes of an overlay that wait there for their places in the file


def make(inputs: LayerInputs, target: Path) -> None:
    """The product ``overlay-{class}``."""
    write_overlay(inputs.drawn, inputs.layer, inputs.backdrop, target)


def shown_heat(heat: NDArray[np.float32], normalize: Normalize, peak: float) -> NDArray[np.float32]:
    """What an overlay shows of a layer: heat as it is, raw evidence by its share of the peak,
    -1..1.
    """
    if normalize != "none":
        return heat
    return (heat / np.float32(peak or 1)).astype(np.float32)


def rgb_image(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The first three bands, or the only one thrice, (bands, h, w) in 0..1 as (h, w, 3) RGB."""
    return np.ascontiguousarray((_three(values).transpose(1, 2, 0) * 255).round().astype(np.uint8))


def draw_unit(
    reader: SceneView,
    backdrop: Backdrop,
    box: Box,
    level: int,
    layers: Iterable[tuple[LayerFacts, Heat]],
    pulse: Callable[[int], None] = lambda tiles: None,
    threads: int = 1,
) -> Iterator[bytes]:
    """Draw a part of the scene by itself and under each layer; their segments, the scene's first.

    Args:
        reader: the open scene.
        backdrop: the part of the scene to draw over.
        box: the pixels of the unit, counted from the backdrop's first.
        level: of which the unit is one block.
        layers: each with its heat.
        pulse: called for every layer; may raise to stop.
        threads: of this process that draw, for all units together.
    """
    top, left = backdrop.box[0] + box[0], backdrop.box[1] + box[1]
    pixels = reader.read((top, left, backdrop.box[0] + box[2], backdrop.box[1] + box[3]))
    with timed("overlay"):
        scenery = Scenery(Picture(bgr_image(pixels, backdrop), pixels.valid), level)
    pulse(0)
    yield scene_segment(scenery)
    unit = (top, left, *_far((top, left), pixels))
    # Heat is read here: who waits for storage holds up nobody else's drawing.
    paints = (_over(layer, heat, unit) for layer, heat in layers)
    for segment in in_turn(_drawers(threads), partial(_segment, scenery), paints, _DRAWN_AHEAD):
        yield segment
        pulse(0)


def _segment(scenery: Scenery, paint: Paint) -> bytes:
    return layer_segment(scenery.under(paint))


@cache
def _drawers(threads: int) -> ThreadPoolExecutor:
    """Who draws, for all units of this process: so the last unit has all cores, and several have no
    more.
    """
    return ThreadPoolExecutor(threads, "painter")


@cache
def _painter(colours: Palette) -> Painter:
    return Painter(colours, bgr=True)


def _far(corner: BlockAt, pixels: Pixels) -> BlockAt:
    """Where a window ends."""
    height, width = pixels.valid.shape
    return corner[0] + height, corner[1] + width


def _over(layer: LayerFacts, heat: Heat, unit: Box) -> Paint:
    """How a layer is painted over blocks of a unit of these working pixels."""
    painter = _painter(layer.colormap)
    around, _ = _cells(layer.grid, unit)
    values = _shown(heat, layer, around)
    with timed("overlay"):
        levels = painter.levels(_fill(values))
        shows = painter.shows(levels)

    def paint(place: BlockAt, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        height, width = image.shape[:2]
        top, left = (start + BLOCK * n for start, n in zip(unit[:2], place, strict=True))
        box = (top, left, top + height, left + width)
        cells, cell = _cells(layer.grid, box)
        _, here = overlap(cells, around)
        rows, cols = _showing(shows[here], cell, (height, width))
        part = image[rows, cols]
        if not part.size:
            return None
        within = cell[0] - cols.start, cell[1] - rows.start, cell[2]
        heat = stretch(levels[here], within, part.shape[:2])
        painted = painter.paint(part, heat)
        if painted is None or part.shape == image.shape:
            return painted
        whole = image.copy()
        whole[rows, cols] = painted
        return whole

    return paint


def _shown(heat: Heat, layer: LayerFacts, cells: Box) -> NDArray[np.float32]:
    """What is drawn of a box of cells, which no division into boxes changes."""
    wide = cells
    if layer.per_pixel:
        rows, cols = layer.grid.rows, layer.grid.cols
        top, left, bottom, right = cells
        wide = max(0, top - REACH), max(0, left - REACH), bottom + REACH, right + REACH
        wide = *wide[:2], min(rows, wide[2]), min(cols, wide[3])
    values = shown_heat(heat.window(wide), layer.normalize, heat.peak)
    return softened(values)[overlap(wide, cells)[0]] if layer.per_pixel else values


def _showing(
    hot: NDArray[np.bool_], cell: tuple[float, float, float], shape: tuple[int, int]
) -> tuple[slice, slice]:
    """Rows and columns of a block (h, w) outside which no heat shows: it fades from the centres of
    the outermost hot cells to those of their neighbours.
    """
    left, top, side = cell
    slices = []
    for axis, start, length in ((1, top, shape[0]), (0, left, shape[1])):
        at = np.flatnonzero(hot.any(axis=axis))
        if not at.size:
            return slice(0, 0), slice(0, 0)
        outer = at[0] == 0, at[-1] == hot.shape[1 - axis] - 1  # beyond is as hot as they are
        first = 0 if outer[0] else max(0, math.floor(start + (at[0] - 0.5) * side))
        last = length if outer[1] else min(length, math.ceil(start + (at[-1] + 1.5) * side))
        slices.append(slice(first, max(first, last)))
    return slices[0], slices[1]


def _cells(grid: Grid, box: Box) -> tuple[Box, tuple[float, float, float]]:
    """The cells whose heat shows in a box of working pixels, neighbours of neighbours included, and
    where they lie in it (see :func:`~geogaze.products.make.color.stretch`).
    """
    left, top, side = grid.within(box)
    first_row, first_col = (max(0, math.floor(-start / side) - 2) for start in (top, left))
    last_row = min(grid.rows, math.ceil((box[2] - box[0] - top) / side) + 2)
    last_col = min(grid.cols, math.ceil((box[3] - box[1] - left) / side) + 2)
    cells = (first_row, first_col, last_row, last_col)
    return cells, (left + first_col * side, top + first_row * side, side)


@timed("overlay")
def write_overlay(drawn: Drawn, layer: LayerFacts, backdrop: Backdrop, target: Path) -> None:
    """Put one layer's overlay together from what units have drawn: JPEG with an internal mask.

    Args:
        drawn: gives the segments of a unit, the scene's and the layer's, by the unit's number.
        layer: what is known of it.
        backdrop: the part of the scene that was drawn over.
        target: the COG to write.
    """
    tags = {"GEOGAZE_CLASS": layer.name, "GEOGAZE_METHOD": layer.method}
    if layer.warnings:
        tags["GEOGAZE_WARNINGS"] = " ".join(layer.warnings)
    write_drawn(drawn, backdrop, tags, target)


def write_drawn(drawn: Drawn, backdrop: Backdrop, tags: dict[str, str], target: Path) -> None:
    """Put a picture together from what units have drawn: JPEG with an internal mask.

    Args:
        drawn: gives the segments of a unit by its number: the scene's, and a layer's if it is one.
        backdrop: the part of the scene that was drawn.
        tags: what the file says of itself.
        target: the COG to write.
    """
    top, left, bottom, right = backdrop.box
    canvas = Canvas(bottom - top, right - left)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(target.parent)) as spool:
        pyramid = Pyramid(canvas.width, canvas.height, BLOCK, spool)
        put_drawn(pyramid, canvas, drawn)
        transform = backdrop.transform @ Affine.translation(left, top)
        tags = {"AREA_OR_POINT": "Area", **tags}
        pyramid.write(target, crs=backdrop.crs_wkt, transform=transform, tags=tags)


def bgr_image(pixels: Pixels, backdrop: Backdrop) -> NDArray[np.uint8]:
    """A window as the network sees it, (h, w, 3) with blue first."""
    if pixels.values.dtype != np.uint8:
        shown = rgb_image(pixels.shown(backdrop.rescale, backdrop.mean))
        return np.ascontiguousarray(shown[..., ::-1])
    # Of bytes there are few: each band's are scaled once, and looked up.
    every = np.broadcast_to(np.arange(256, dtype=np.uint8), (len(pixels.values), 1, 256))
    tables = (unit_range(every, backdrop.rescale) * 255).round().astype(np.uint8)
    planes = [
        cv2.LUT(values, table[0])
        if known.all()
        else np.where(known, table[0][values], np.float32(mean * 255).round().astype(np.uint8))
        for values, known, table, mean in zip(
            *map(_three, (pixels.values, pixels.known, tables, np.array(backdrop.mean))),
            strict=True,
        )
    ]
    return np.asarray(cv2.merge(planes[::-1]), dtype=np.uint8)


def _three(bands: NDArray[Any]) -> NDArray[Any]:
    """The first three of some bands, or the only one thrice."""
    return bands[:3] if len(bands) >= 3 else np.repeat(bands[:1], 3, axis=0)


def _fill(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give cells without heat their neighbours' mean, so that borders do not fade out; cells far
    from any stay 0. They are masked or beyond the border in the overlay anyway.
    """
    known = np.isfinite(heat).astype(np.float32)
    total = cv2.blur(np.nan_to_num(heat), (3, 3), borderType=cv2.BORDER_REPLICATE)
    share = cv2.blur(known, (3, 3), borderType=cv2.BORDER_REPLICATE)
    near = np.divide(total, share, out=np.zeros_like(total), where=share > 1e-6)
    return np.where(known > 0, heat, near).astype(np.float32)
