"""How products look, in names and numbers: each layer's style, and a colour for each class. Pure.

A style is what the Item's ``renders`` say of a layer; whatever draws a layer is made from it.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from geogaze.products.colormaps import DEFAULT, DIVERGING, Palette, Stop, colour_stops

Normalize = Literal["job", "tile", "none"]
"""What heat is scaled by: one scale for a layer, each tile's own, or none."""

Overlays = Literal["all", "present", "none"]
"""Which layers are drawn over the scene; ``present`` are those that are best for any tile."""


@dataclass(frozen=True)
class Style:
    """How a layer is coloured: values from ``low`` to ``high``, bilinear; NaN is clear."""

    colormap: Palette
    low: float
    high: float

    @property
    def stops(self) -> tuple[Stop, ...]:
        """Its colours; positions are values of the layer."""
        return colour_stops(self.colormap, self.low, self.high)

    @property
    def render(self) -> dict[str, Any]:
        """The same in the words of STAC's ``render`` extension, all but what is drawn."""
        return {
            "rescale": [[self.low, self.high]],
            "nodata": "nan",
            "colormap_name": self.colormap,
            "resampling": "bilinear",
        }


def heat_style(colormap: Palette, normalize: Normalize, peak: float) -> Style:
    """The style of all heat layers of a job; one for all, so that they compare.

    Args:
        colormap: what they are drawn in.
        normalize: what they are scaled by; all but ``none`` are 0..1.
        peak: what is strong of raw evidence, of either sign and of all of them.
    """
    high = 1.0 if normalize != "none" else peak or 1.0
    return Style(colormap, -high if colormap == DIVERGING else 0.0, high)


def spread_style(colormap: Palette, normalize: Normalize, peak: float) -> Style:
    """The style of layers that say how far heat spreads, which is by half its range at most."""
    high = heat_style(colormap, normalize, peak).high / 2
    return Style(DEFAULT if colormap == DIVERGING else colormap, 0.0, high)


def scale_note(style: Style, normalize: Normalize) -> str:
    """What the numbers of heat layers mean, in a line."""
    return {
        "job": "0 to 1, one scale per class over the whole scene: tiles compare",
        "tile": "0 to 1 within each tile: tiles do not compare",
        "none": f"{style.low:.3g} to {style.high:.3g} logits, raw evidence: layers compare",
    }[normalize]


# Each as far as can be from those before it, as the eye sees it (OKLab, of colours neither glaring
# nor pale); after C. Glasbey and others (2007), "Colour displays for categorical images".
_APART = (
    "1f6fd0 f0e100 e14b0f 009600 ffa5ff 78005a 00e1f0 3c4b0f b44bb4 a5a578 3c1ea5 87a5ff 1ed269 "
    "87693c ffc3a5 a50f00 009696 ff69a5 005a78 78ff96 ff8700 785a87 c3d2ff b47887 d278f0 8769f0 "
    "b4d287 00784b b41e69 782da5 693c3c 5ab4c3"
)
_TURN = 0.618034  # of the colour circle, from one further class to the next


def class_colours(count: int) -> list[tuple[int, int, int]]:
    """A colour (RGB, 0..255) for each of so many classes, the first ones furthest apart."""
    colours = [(red, green, blue) for red, green, blue in map(bytes.fromhex, _APART.split())]
    for i in range(count - len(colours)):
        bright = (0.95, 0.75, 0.55)[i % 3]
        rgb = colorsys.hsv_to_rgb(i * _TURN % 1, (0.85, 0.55)[i // 3 % 2], bright)
        colours.append((round(rgb[0] * 255), round(rgb[1] * 255), round(rgb[2] * 255)))
    return colours[:count]


class Category(NamedTuple):
    """A value of a raster of classes, what it is called, and its colour (RGB, 0..255)."""

    value: int
    name: str
    colour: tuple[int, int, int]

    @property
    def hexadecimal(self) -> str:
        """Its colour as #rrggbb."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


def categories(classes: Sequence[str]) -> tuple[Category, ...]:
    """Of a model's classes; values are their positions."""
    return tuple(map(Category, range(len(classes)), classes, class_colours(len(classes))))


def legend(classes: Sequence[str]) -> list[dict[str, Any]]:
    """``classification:classes`` of STAC: value, name and colour of each class."""
    return [
        {
            "value": category.value,
            "name": f"class-{category.value}",
            "description": category.name,
            "color_hint": category.hexadecimal[1:].upper(),
        }
        for category in categories(classes)
    ]
