"""Overlays: heat in colour over the scene, for eyes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geogaze.grid.lattice import Box
from geogaze.products.facts import Backdrop, LayerFacts
from geogaze.products.make.color import Painter, stretch
from geogaze.products.make.drawing import BLOCK, Picture, draw_pyramid
from geogaze.products.make.encoded import Pyramid
from geogaze.products.make.inputs import LayerInputs
from geogaze.products.styles import Normalize
from geogaze.scaling import unit_range
from geogaze.scene.view import Pixels, SceneView
from geogaze.timing import timed


def make(inputs: LayerInputs, target: Path) -> None:
    """The product ``overlay-{class}``."""
    with inputs.open_scene() as reader:
        write_overlay(
            reader,
            inputs.heat.values,
            inputs.layer,
            inputs.backdrop,
            target,
            inputs.scratch,
            inputs.pulse,
        )


def shown_heat(heat: NDArray[np.float32], normalize: Normalize) -> NDArray[np.float32]:
    """What an overlay shows of a layer: heat as it is, raw evidence by its share of the peak."""
    if normalize != "none":
        return heat
    peak = float(np.nanmax(heat, initial=0))
    return (np.maximum(heat, 0) / (peak or 1)).astype(np.float32)


def rgb_image(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The first three bands, or the only one thrice, (bands, h, w) in 0..1 as (h, w, 3) RGB."""
    return np.ascontiguousarray((_three(values).transpose(1, 2, 0) * 255).round().astype(np.uint8))


@timed("overlay")
def write_overlay(
    reader: SceneView,
    heat: NDArray[np.float32],
    layer: LayerFacts,
    backdrop: Backdrop,
    target: Path,
    scratch: Path,
    pulse: Callable[[int], None] = lambda tiles: None,
) -> None:
    """Draw one layer over the scene at working resolution, block by block.

    Args:
        reader: the open scene.
        heat: the layer (rows, cols), NaN where not looked at.
        layer: what is known of it.
        backdrop: the part of the scene to draw over.
        target: the COG to write: JPEG with an internal mask.
        scratch: a folder for the blocks, until they are in their order.
        pulse: called for every few blocks; may raise to stop.
    """
    top, left, bottom, right = backdrop.box
    filled = _fill(shown_heat(heat, layer.normalize))
    painter = Painter(layer.colormap, bgr=True)

    def draw(part: Box) -> Picture:
        box = (part[0] + top, part[1] + left, part[2] + top, part[3] + left)
        pixels = reader.read(box)
        image = bgr_image(pixels, backdrop)
        shown = stretch(filled, layer.grid.within(box), pixels.valid.shape)
        pulse(0)
        return Picture(painter.paint(image, shown), pixels.valid)

    tags = {"AREA_OR_POINT": "Area", "GEOGAZE_CLASS": layer.name, "GEOGAZE_METHOD": layer.method}
    if layer.warnings:
        tags["GEOGAZE_WARNINGS"] = " ".join(layer.warnings)
    with tempfile.TemporaryFile(dir=scratch) as spool:
        pyramid = Pyramid(right - left, bottom - top, BLOCK, spool)
        draw_pyramid(pyramid, draw)
        transform = backdrop.transform @ Affine.translation(left, top)
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
