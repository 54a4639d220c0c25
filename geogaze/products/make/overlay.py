"""Overlays: heat in colour over the scene, for eyes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from geogaze.grid.lattice import Box
from geogaze.products.facts import Backdrop, LayerFacts, Normalize
from geogaze.products.make.cog import write_cog
from geogaze.products.make.color import lay_over, stretch
from geogaze.products.make.inputs import LayerInputs
from geogaze.scene.view import SceneView

_BLOCK = 512
_READ = 2048  # pixels per side of one step, a multiple of the block


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
    bands = values[:3] if len(values) >= 3 else np.repeat(values[:1], 3, axis=0)
    return np.ascontiguousarray((bands.transpose(1, 2, 0) * 255).round().astype(np.uint8))


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
        scratch: a folder for the draft.
        pulse: called after every block; may raise to stop.
    """
    top, left, bottom, right = backdrop.box
    filled = _fill(shown_heat(heat, layer.normalize))
    source = scratch / "overlay.tif"
    with rasterio.open(
        source,
        "w",
        driver="GTiff",
        width=right - left,
        height=bottom - top,
        count=4,
        dtype="uint8",
        crs=backdrop.crs_wkt,
        transform=backdrop.transform @ rasterio.Affine.translation(left, top),
        tiled=True,
        blockxsize=_BLOCK,
        blockysize=_BLOCK,
        interleave="pixel",
        compress="zstd",
        zstd_level=1,
        photometric="RGB",
        alpha="YES",
        bigtiff="IF_SAFER",
    ) as draft:
        draft.colorinterp = [
            ColorInterp.red,
            ColorInterp.green,
            ColorInterp.blue,
            ColorInterp.alpha,
        ]
        draft.update_tags(
            AREA_OR_POINT="Area", GEOGAZE_CLASS=layer.name, GEOGAZE_METHOD=layer.method
        )
        if layer.warnings:
            draft.update_tags(GEOGAZE_WARNINGS=" ".join(layer.warnings))
        for row in range(top, bottom, _READ):
            for col in range(left, right, _READ):
                box = (row, col, min(row + _READ, bottom), min(col + _READ, right))
                block = _draw(reader, filled, layer, backdrop, box)
                draft.write(
                    block.transpose(2, 0, 1),
                    window=Window(col - left, row - top, block.shape[1], block.shape[0]),
                )
                pulse(0)
    write_cog(
        source,
        target,
        block=_BLOCK,
        COMPRESS="JPEG",
        QUALITY="88",
        OVERVIEW_RESAMPLING="AVERAGE",
        ADD_ALPHA="NO",
    )
    source.unlink()


def _draw(
    reader: SceneView,
    heat: NDArray[np.float32],
    layer: LayerFacts,
    backdrop: Backdrop,
    box: Box,
) -> NDArray[np.uint8]:
    pixels = reader.read(box)
    image = rgb_image(pixels.shown(backdrop.rescale, backdrop.mean))
    shown = stretch(heat, layer.grid.within(box), pixels.valid.shape)
    drawn = lay_over(image, shown, layer.colormap)
    alpha = np.where(pixels.valid, 255, 0).astype(np.uint8)
    return np.dstack([drawn, alpha])


def _fill(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give cells without heat their neighbours' mean, so that borders do not fade out; cells far
    from any stay 0. They are masked or beyond the border in the overlay anyway.
    """
    known = np.isfinite(heat).astype(np.float32)
    total = cv2.blur(np.nan_to_num(heat), (3, 3), borderType=cv2.BORDER_REPLICATE)
    share = cv2.blur(known, (3, 3), borderType=cv2.BORDER_REPLICATE)
    near = np.divide(total, share, out=np.zeros_like(total), where=share > 1e-6)
    return np.where(known > 0, heat, near).astype(np.float32)
