"""A labelled sheet of one image: a row for each class, a column for each method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from geogaze.products.make.paper import FAINT, INK, PAPER, fit, font

_PANEL = 300  # the longer side of a picture
_LEAST = 190  # width for a panel: room for its caption
_MARGIN, _GAP = 24, 14
_HEADER, _CAPTION, _FOOTER = 62, 46, 52
_BAR = (200, 12)

Picture = NDArray[np.uint8]
"""(h, w, 3) RGB."""


class Row(NamedTuple):
    """A class: its name, how probable it is (NaN where the model does not say), and a picture by
    each method.
    """

    name: str
    probability: float
    pictures: Sequence[Picture]


def draw_sheet(
    title: str,
    image: Picture,
    methods: Sequence[str],
    rows: Sequence[Row],
    colours: NDArray[np.float32],
    *,
    said: str = "probability",
) -> Image.Image:
    """Draw the sheet.

    Args:
        title: what model sees what.
        image: the image itself.
        methods: titles of the columns.
        rows: one for each class.
        colours: of heat 0 to 1, (n, 3) 0..255.
        said: what the figure of a class is.
    """
    height, width = image.shape[:2]
    shrink = _PANEL / max(height, width)
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    across, down = max(size[0], _LEAST) + _GAP, size[1] + _CAPTION
    sheet = Image.new(
        "RGB",
        (
            2 * _MARGIN + (1 + len(methods)) * across - _GAP,
            _HEADER + len(rows) * down + _FOOTER,
        ),
        PAPER,
    )
    draw, room = ImageDraw.Draw(sheet), sheet.width - 2 * _MARGIN
    draw.text((_MARGIN, 18), fit(title, font(24), room), INK, font=font(24))
    for number, row in enumerate(rows):
        top = _HEADER + number * down
        figure = "" if math.isnan(row.probability) else f"{said} {row.probability:.3f}"
        captions = [(row.name, figure), *((method, "") for method in methods)]
        for column, (picture, caption) in enumerate(
            zip((image, *row.pictures), captions, strict=True)
        ):
            left = _MARGIN + column * across
            sheet.paste(_sized(picture, size), (left, top))
            words, below = caption
            name = fit(words, font(16), across - _GAP)
            draw.text((left, top + size[1] + 4), name, INK, font=font(16))
            draw.text((left, top + size[1] + 23), below, FAINT, font=font(13))
    _legend(sheet, draw, colours)
    return sheet


def _sized(picture: Picture, size: tuple[int, int]) -> Image.Image:
    grows = size[0] > picture.shape[1]
    how = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    return Image.fromarray(np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8))


def _legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, colours: NDArray[np.float32]) -> None:
    long, tall = _BAR
    top = sheet.height - _FOOTER + 18
    levels = colours[np.linspace(0, len(colours) - 1, long).round().astype(int)]
    bar = np.repeat(levels[None], tall, axis=0).round().astype(np.uint8)
    sheet.paste(Image.fromarray(bar), (_MARGIN, top))
    left = _MARGIN + long + 12
    note = "evidence from none to the highest of each map, which do not compare with one another"
    shown = fit(note, font(14), sheet.width - left - _MARGIN)
    draw.text((left, top - 3), shown, FAINT, font=font(14))
