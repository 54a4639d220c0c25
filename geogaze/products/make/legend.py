"""The legend: what colours of heat mean, and of classes, as a picture for documents and pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from geogaze.products.facts import JobFacts
from geogaze.products.make.color import colour_table
from geogaze.products.make.inputs import JobInputs
from geogaze.products.styles import Category, Style, categories, heat_style, scale_note

_SCALE = 2  # pixels per unit of what follows: sharp in print
_MARGIN = 16
_BAR = (400, 18)
_CHECK = 6
_ROW = 20
_COLUMNS = 2
_MOST = 60  # classes that are listed
_PAPER, _INK, _FAINT = (255, 255, 255), (28, 32, 38), (98, 106, 117)
_CHECKS = (255, 214)  # greys, seen through colours


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``legend``."""
    job = inputs.job
    style = heat_style(job.colormap, job.normalize, inputs.record.peak)
    named = categories(job.model.classes) if "classes" in inputs.record.assets else ()
    draw_legend(job, style, named).save(target)


def draw_legend(job: JobFacts, style: Style, named: tuple[Category, ...]) -> Image.Image:
    """Colours from the lowest value to the highest, with numbers, over checks where they are clear;
    then classes by name, the first 60.
    """
    listed = named[:_MOST]
    rows = -(-len(listed) // _COLUMNS)
    width, ramp = _BAR[0] + 2 * _MARGIN, _MARGIN + 24
    below = ramp + _BAR[1] + 52
    height = below + (rows * _ROW + 34 if listed else 0) + (_ROW if len(named) > _MOST else 0)
    sheet = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
    draw = ImageDraw.Draw(sheet)

    def text(x: float, y: float, words: str, *, size: int = 12, faint: bool = False) -> None:
        font, ink = ImageFont.load_default(size * _SCALE), _FAINT if faint else _INK
        draw.text((x * _SCALE, y * _SCALE), words, ink, font=font)

    text(_MARGIN, _MARGIN - 4, f"{job.method.title} heat", size=14)
    sheet.paste(Image.fromarray(_bar(style)), (_MARGIN * _SCALE, ramp * _SCALE))
    for share in (0, 0.25, 0.5, 0.75, 1):
        words = f"{style.low + (style.high - style.low) * share:.3g}"
        long = draw.textlength(words, font=ImageFont.load_default(12 * _SCALE)) / _SCALE
        text(_MARGIN + share * (_BAR[0] - long), ramp + _BAR[1] + 3, words)
    note = scale_note(style, job.normalize)
    text(_MARGIN, ramp + _BAR[1] + 22, note, size=11, faint=True)
    for i, category in enumerate(listed):
        column, row = divmod(i, rows)
        x, y = _MARGIN + column * _BAR[0] / _COLUMNS, below + 24 + row * _ROW
        square = (x * _SCALE, (y + 2) * _SCALE, (x + 13) * _SCALE, (y + 15) * _SCALE)
        draw.rectangle(square, fill=category.colour)
        text(x + 20, y, category.name[:28])
    if listed:
        text(_MARGIN, below, "Best class of each cell", size=14)
    if len(named) > _MOST:
        more = f"and {len(named) - _MOST:,} more: see classes.qml"
        text(_MARGIN, below + 24 + rows * _ROW, more, size=11, faint=True)
    return sheet


def _bar(style: Style) -> NDArray[np.uint8]:
    """The colours (h, w, 3), over checks."""
    long, tall = (length * _SCALE for length in _BAR)
    levels = colour_table(style.colormap)
    row = levels[np.linspace(0, len(levels) - 1, long).round().astype(int)]
    across, down = np.meshgrid(np.arange(long), np.arange(tall))
    odd = (across // (_CHECK * _SCALE) + down // (_CHECK * _SCALE)) % 2
    checks = np.array(_CHECKS)[odd][..., None]
    alpha = row[:, 3:] / 255
    return np.asarray((checks * (1 - alpha) + row[:, :3] * alpha).round(), dtype=np.uint8)
