"""How products look, in names and numbers: a colour for each class. Pure."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any, Literal

Normalize = Literal["job", "tile", "none"]
"""What heat is scaled by: one scale for a layer, each tile's own, or none."""

Overlays = Literal["all", "present", "none"]
"""Which layers are drawn over the scene; ``present`` are those that are best for any tile."""

_TURN = 0.618034  # of the colour circle from class to class: neighbours differ most


def class_colours(count: int) -> list[tuple[int, int, int]]:
    """A colour (RGB, 0..255) for each of so many classes."""
    colours = []
    for i in range(count):
        bright = (0.95, 0.75, 0.55)[i % 3]
        rgb = colorsys.hsv_to_rgb(i * _TURN % 1, (0.85, 0.55)[i // 3 % 2], bright)
        colours.append((round(rgb[0] * 255), round(rgb[1] * 255), round(rgb[2] * 255)))
    return colours


def legend(classes: Sequence[str]) -> list[dict[str, Any]]:
    """``classification:classes`` of STAC: value, name and colour of each class."""
    tints = class_colours(len(classes))
    return [
        {
            "value": i,
            "name": f"class-{i}",
            "description": name,
            "color_hint": "{:02X}{:02X}{:02X}".format(*tints[i]),
        }
        for i, name in enumerate(classes)
    ]
