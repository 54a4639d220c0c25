"""Colour maps as data: pictures, styles, pages and tile servers draw heat by the same stops. Pure.

Between two stops all four numbers are interpolated linearly, as QGIS, GeoServer and OpenLayers do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Colormap = Literal["turbo", "inferno", "magma", "plasma", "viridis", "cividis"]
"""What heat from 0 on is drawn in."""

DEFAULT: Colormap = "inferno"
"""Each step of heat looks as large as any other, to every eye, and no step looks like a border."""

Palette = Literal["turbo", "inferno", "magma", "plasma", "viridis", "cividis", "coolwarm"]
"""Any colour map, that of signed values among them."""

DIVERGING: Palette = "coolwarm"
"""What signed values are drawn in: 0 lies in the middle, and is clear."""

MAX_OPACITY = 0.75
FULL_AT = 0.6
"""Share of the range, from 0 on, from which a colour is as opaque as it gets."""

# At equal distances. Turbo is A. Mikhailov's (2019, Apache-2.0), coolwarm K. Moreland's (2009),
# cividis that of Nuñez, Anderton and Renslow (2018), the others N. J. Smith's and S. van der Walt's
# (2015, CC0). Sequential maps are cut to 16 % .. 96 %: their ends are too dark over imagery.
_COLOURS: dict[Palette, str] = {
    "turbo": "4680f6 3f99fe 2fb3f3 1ecbdb 18dec0 25eda6 45f785 6cfd63 92ff47 affa37 caee34 "
    "e1dd37 f2c93a fcb336 fe972c fa781e f05b12 e24209 cf2e04 b71d02 9b0f01",
    "inferno": "2f0a5b 410a67 510e6d 62146e 721a6e 82206c 932567 a32c61 b3325a c23b50 d04545 "
    "dc503a e75e2e f06e21 f67f13 fa9107 fca50a fbb81d f8cc36 f4e055 f2f27d",
    "magma": "29115a 3a0f6e 4b117a 5b167f 6b1d81 7b2382 8c2981 9c2e7f ad347c be3977 ce4070 "
    "dd4969 ea5661 f3665c f9785d fc8c63 fe9f6d feb27a fec589 fed89a fdebac",
    "plasma": "5901a5 6900a8 7902a8 8808a6 9613a1 a41e99 b02a90 bb3587 c6417d cf4c74 d8586b "
    "e16462 e87059 ef7d50 f48a48 f9983f fca636 feb62e fdc627 fbd624 f6e826",
    "viridis": "453781 414387 3c4e8a 37598c 32648e 2e6e8e 2a788e 26818e 228b8d 1f958c 1f9e89 "
    "22a884 2cb17e 3aba76 4dc36c 62ca5f 7ad151 93d741 aedc2f cae01f e5e419",
    "cividis": "273e6e 34456c 404c6c 4a536c 545a6d 5d616e 666970 6f7073 777777 817f78 8a8778 "
    "948e77 9e9676 a99e73 b3a770 beaf6b c8b866 d3c15f dfca57 ead34d f6dd3f",
    "coolwarm": "3b4cc0 4a62d3 5978e3 6a8cf0 7b9ff9 8db0fe 9fbeff b0cafc c0d4f5 cfdaea dddddd "
    "e9d5ca f2cbb7 f6bda3 f7ad8f f49a7b ee8468 e46d55 d75344 c63535 b40426",
}


class Stop(NamedTuple):
    """A colour of a map: where it stands, and 0..255 each of its parts; alpha is not multiplied
    into the others.
    """

    position: float
    red: int
    green: int
    blue: int
    alpha: int


def colour_stops(name: Palette, low: float = 0.0, high: float = 1.0) -> tuple[Stop, ...]:
    """The stops of a colour map over a range of values, from ``low`` to ``high`` (21 of them).

    What lies beyond the range has the outermost colours. The lowest value of a sequential map is
    clear, and the middle one of :data:`DIVERGING`; opacity grows smoothly from there to
    :data:`MAX_OPACITY`.

    Raises:
        KeyError: no colour map has this name.
    """
    colours = _COLOURS[name].split()
    stops, last = [], len(colours) - 1
    for i, colour in enumerate(colours):
        red, green, blue = bytes.fromhex(colour)
        alpha = _alpha(name, i / last)
        stops.append(Stop(low + (high - low) * i / last, red, green, blue, alpha))
    return tuple(stops)


def render_stops(render: Mapping[str, Any]) -> tuple[Stop, ...]:
    """The stops of one of an Item's ``renders``, by its colour map and the first of its ranges;
    positions are values of the raster.
    """
    low, high = render["rescale"][0]
    return colour_stops(render["colormap_name"], low, high)


def _alpha(name: Palette, position: float) -> int:
    """Of a position 0..1: smoothly from nothing to all there is."""
    distance = abs(2 * position - 1) if name == DIVERGING else position
    level = min(distance / FULL_AT, 1)
    return round(255 * MAX_OPACITY * level * level * (3 - 2 * level))
