"""What sheets are drawn on and written with."""

from __future__ import annotations

from PIL import ImageFont

PAPER = (16, 20, 27)
INK = (236, 240, 245)
FAINT = (140, 150, 163)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font(size: int) -> Font:
    """The font that comes with Pillow."""
    return ImageFont.load_default(size)


def fit(text: str, font: Font, width: int) -> str:
    """A text, cut where it is wider than there is room."""
    if font.getlength(text) <= width:
        return text
    room = (n for n in range(len(text), 0, -1) if font.getlength(text[:n] + "…") <= width)
    return text[: next(room, 0)].rstrip(" ,") + "…"
