"""The contact sheet: the scene, and the strongest classes' overlays, in one picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from geogaze.planning.plan import Plan
from geogaze.products.color import MAX_OPACITY, colormap, lay_over, stretch
from geogaze.products.overlay import rgb_image, shown_heat
from geogaze.scene.reader import SceneReader

Layer = tuple[str, NDArray[np.float32]]

_PANEL = 640
_MARGIN = 28
_GAP = 18
_CAPTION = 40
_HEADER = 84
_FOOTER = 64
_PAPER = (16, 20, 27)
_INK = (236, 240, 245)
_FAINT = (140, 150, 163)


def write_preview(plan: Plan, reader: SceneReader, layers: list[Layer], target: Path) -> None:
    """Draw the contact sheet.

    Args:
        plan: the job's plan.
        reader: the open scene.
        layers: names and heat (rows, cols) of the layers to show, strongest first.
        target: the PNG to write.
    """
    image, valid, shrink = _thumbnail(plan, reader)
    panels = [("scene", _on_paper(image, valid))]
    for name, heat in layers:
        lattice = plan.lattice
        cell = (
            (lattice.offset + lattice.col0 * lattice.stride - plan.bounds[1]) / shrink,
            (lattice.offset + lattice.row0 * lattice.stride - plan.bounds[0]) / shrink,
            lattice.stride / shrink,
        )
        shown = stretch(np.nan_to_num(shown_heat(heat, plan.normalize)), cell, valid.shape)
        panels.append((name, _on_paper(lay_over(image, shown, plan.colormap), valid)))
    _sheet(plan, panels).save(target, optimize=True)


def _thumbnail(
    plan: Plan, reader: SceneReader
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], float]:
    """The explained part of the scene (h, w, 3), what is valid (h, w), and how much smaller."""
    top, left, bottom, right = plan.bounds
    shrink = max(bottom - top, right - left) / _PANEL
    shape = (max(1, round((bottom - top) / shrink)), max(1, round((right - left) / shrink)))
    pixels = reader.read_small((top, left, bottom, right), shape)
    shown = pixels.shown(plan.scene.rescale, plan.bundle.mean)
    return rgb_image(shown), pixels.valid, shrink


def _on_paper(image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Image.Image:
    shown = np.where(valid[..., None], image, np.array(_PAPER, dtype=np.uint8) + 14)
    height, width = shown.shape[:2]
    # Small scenes are enlarged so that the sheet has one size of panel.
    factor = _PANEL / max(height, width)
    if factor > 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        shown = cv2.resize(shown.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return Image.fromarray(shown.astype(np.uint8))


def _sheet(plan: Plan, panels: list[tuple[str, Image.Image]]) -> Image.Image:
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    width = panels[0][1].width
    height = panels[0][1].height + _CAPTION
    sheet = Image.new(
        "RGB",
        (
            max(2 * _MARGIN + columns * width + (columns - 1) * _GAP, 760),
            _HEADER + rows * height + (rows - 1) * _GAP + _FOOTER,
        ),
        _PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 20), f"Where {plan.bundle.name} looks", _INK, font=_font(28))
    at = "" if plan.explained_by.per_pixel else f" at {plan.bundle.layer}"
    facts = (
        f"{plan.scene.uri.rsplit('/', 1)[-1]}   ·   {plan.tiles:,} tiles   ·   "
        f"one heat cell is {plan.cell_metres:.3g} m   ·   {plan.explained_by.title}{at}"
    )
    draw.text((_MARGIN, 54), facts, _FAINT, font=_font(15))
    for i, (name, panel) in enumerate(panels):
        x = _MARGIN + (i % columns) * (width + _GAP)
        y = _HEADER + (i // columns) * (height + _GAP)
        sheet.paste(panel, (x, y))
        draw.text((x, y + panel.height + 8), name, _INK, font=_font(20))
    _legend(draw, sheet, plan)
    return sheet


def _legend(draw: ImageDraw.ImageDraw, sheet: Image.Image, plan: Plan) -> None:
    length, height = 240, 12
    top = sheet.height - _FOOTER + 20
    ramp = colormap(plan.colormap)[np.linspace(0, 255, length).astype(int)].astype(np.float32)
    level = np.clip(np.linspace(0, 1, length) / 0.6, 0, 1)[:, None]
    alpha = level * level * (3 - 2 * level) * MAX_OPACITY
    bar = np.array(_PAPER) * (1 - alpha) + ramp * alpha
    strip = np.repeat(bar[None].astype(np.uint8), height, axis=0)
    sheet.paste(Image.fromarray(strip), (_MARGIN, top))
    draw.rectangle((_MARGIN, top, _MARGIN + length - 1, top + height - 1), outline=_FAINT)
    note = {
        "job": "0 to 1, one scale per class over the whole scene: tiles compare",
        "tile": "0 to 1 within each tile: tiles do not compare",
        "none": "raw evidence, shown up to each class's maximum",
    }[plan.normalize]
    draw.text((_MARGIN + length + 14, top - 3), note, _FAINT, font=_font(15))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
