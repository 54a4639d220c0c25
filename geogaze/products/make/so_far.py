"""A job's heat while it runs: a coarse panel of every layer, as far as tiles are explained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from geogaze.products.colormaps import Colormap
from geogaze.products.facts import Backdrop
from geogaze.products.glimpses import AHEAD, PICTURE, Canvas
from geogaze.products.make.color import lay_over
from geogaze.products.make.overlay import bgr_image
from geogaze.scene.view import Pixels

_PANEL = 208
_LARGE = 560  # where there is one layer alone
_GAP, _MARGIN, _HEAD, _CAPTION = 14, 22, 66, 26
_PAPER, _INK, _FAINT = (16, 20, 27), (236, 240, 245), (140, 150, 163)


def small_picture(pixels: Pixels, shape: tuple[int, int], backdrop: Backdrop) -> NDArray[np.uint8]:
    """A glimpse's picture.

    Args:
        pixels: of a chunk, a step for each tile.
        shape: rows and columns of its tiles.
        backdrop: how the scene's values are shown.
    """
    size = (shape[1] * PICTURE, shape[0] * PICTURE)
    image = np.where(pixels.valid[..., None], bgr_image(pixels, backdrop), np.uint8(AHEAD))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., ::-1], dtype=np.uint8)


@dataclass(frozen=True)
class Caption:
    """What stands above the panels: of which model, of which scene, and how far it is."""

    title: str
    scene: str
    done: int
    tiles: int


def draw_so_far(
    canvas: Canvas, layers: tuple[str, ...], caption: Caption, colors: Colormap
) -> bytes:
    """The sheet, as PNG: each layer by its own highest heat so far.

    Args:
        canvas: what is laid.
        layers: names of its layers.
        caption: what stands above.
        colors: of the heat.
    """
    columns = min(len(layers), 6 if len(layers) > 12 else 4 if len(layers) > 3 else 3)
    side = _LARGE if len(layers) == 1 else _PANEL
    scale = side / max(canvas.picture.shape[:2])
    size = (
        max(1, round(canvas.picture.shape[1] * scale)),
        max(1, round(canvas.picture.shape[0] * scale)),
    )
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scene = np.asarray(cv2.resize(canvas.picture, size, interpolation=way), dtype=np.uint8)
    down = math.ceil(len(layers) / columns)
    sheet = Image.new(
        "RGB",
        (
            max(2 * _MARGIN + columns * size[0] + (columns - 1) * _GAP, 520),
            _HEAD + _MARGIN + down * (size[1] + _CAPTION) + (down - 1) * _GAP,
        ),
        _PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 14), caption.title, _INK, font=ImageFont.load_default(22))
    share = f"{caption.scene}   ·   {caption.done:,} of {caption.tiles:,} tiles so far"
    draw.text((_MARGIN, 42), share, _FAINT, font=ImageFont.load_default(13))
    for number, (name, heat) in enumerate(zip(layers, canvas.heat, strict=True)):
        row, col = divmod(number, columns)
        left, top = _MARGIN + col * (size[0] + _GAP), _HEAD + row * (size[1] + _CAPTION + _GAP)
        peak = float(np.nanmax(heat, initial=0.0)) or 1.0
        shown = _in_place(np.nan_to_num(heat) / peak, size, canvas.off)
        laid = cv2.resize(canvas.laid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        picture = lay_over(scene, np.where(laid > 0, shown, 0).astype(np.float32), colors)
        sheet.paste(Image.fromarray(picture), (left, top))
        draw.text((left, top + size[1] + 5), name[:30], _INK, font=ImageFont.load_default(14))
    done, data = cv2.imencode(".png", np.asarray(sheet)[..., ::-1], _QUICKLY)
    if not done:
        raise OSError("The picture could not be encoded as PNG.")
    return data.tobytes()


def _in_place(heat: NDArray[np.float32], size: tuple[int, int], off: float) -> NDArray[np.float32]:
    """Heat of tiles as large as the picture, each in its tile's middle, ``off`` cells further down
    and right than the middle of the step that the tile begins with.
    """
    across, down = size[0] / heat.shape[1], size[1] / heat.shape[0]
    first = 0.5 + off
    to = np.array([[across, 0, first * across - 0.5], [0, down, first * down - 0.5]])
    return np.asarray(
        cv2.warpAffine(heat, to, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


_QUICKLY = (cv2.IMWRITE_PNG_COMPRESSION, 3)
