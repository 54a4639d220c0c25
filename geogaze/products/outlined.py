"""How polygons are drawn: a style for QGIS, with a colour for each class. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from geogaze.products.styles import class_colours

_FILL, _LINE = 46, 255  # opacities: what lies below stays visible
_WIDTH = "0.5"  # mm

Colours = Mapping[str, tuple[int, int, int]]


def layer_colours(layers: tuple[str, ...], classes: tuple[str, ...]) -> Colours:
    """A colour for each layer: a class's own, as in ``classes.tif``; further ones for others."""
    known = {name: i for i, name in enumerate(classes)}
    others = [name for name in layers if name not in known]
    number = known | {name: len(classes) + i for i, name in enumerate(others)}
    tints = class_colours(len(classes) + len(others))
    return {name: tints[number[name]] for name in layers}


def by_class(column: str, colours: Colours) -> str:
    """QML: polygons in the colour of the class that a column names."""
    categories = "".join(
        f'<category render="true" symbol="{i}" value={quoteattr(name)} label={quoteattr(name)}/>'
        for i, name in enumerate(colours)
    )
    symbols = "".join(_symbol(str(i), colour) for i, colour in enumerate(colours.values()))
    renderer = (
        f'<renderer-v2 type="categorizedSymbol" attr={quoteattr(column)} symbollevels="0">'
        f"<categories>{categories}</categories><symbols>{symbols}</symbols></renderer-v2>"
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        f'<qgis version="3.22" styleCategories="Symbology">{renderer}</qgis>\n'
    )


def _symbol(name: str, colour: tuple[int, int, int]) -> str:
    rgb = ",".join(map(str, colour))
    facts = {
        "color": f"{rgb},{_FILL}",
        "outline_color": f"{rgb},{_LINE}",
        "outline_style": "solid",
        "outline_width": _WIDTH,
        "outline_width_unit": "MM",
        "joinstyle": "miter",
        "style": "solid",
    }
    props = "".join(f'<prop k="{key}" v="{value}"/>' for key, value in facts.items())
    return (
        f'<symbol type="fill" name="{name}" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="SimpleFill" enabled="1" locked="0" pass="0">{props}</layer></symbol>'
    )
