"""Styles as GeoServer and other servers of OGC standards keep them: SLD 1.0. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from geogaze.products.styles import Category, Style

_SLD = "http://www.opengis.net/sld"


def heat_sld(style: Style, title: str) -> str:
    """Of layers of numbers. GeoServer leaves NaN clear."""
    root, colours = _document("heat", title, "ramp")
    for at, red, green, blue, alpha in style.stops:
        SubElement(
            colours,
            "ColorMapEntry",
            color=f"#{red:02x}{green:02x}{blue:02x}",
            opacity=f"{alpha / 255:.3f}",
            quantity=f"{at:.9g}",
            label=f"{at:.3g}",
        )
    return _written(root)


def class_sld(categories: Iterable[Category], title: str) -> str:
    """Of a raster of classes; other values are clear."""
    root, colours = _document("classes", title, "values")
    for category in categories:
        SubElement(
            colours,
            "ColorMapEntry",
            color=category.hexadecimal,
            quantity=str(category.value),
            label=category.name,
        )
    return _written(root)


def _document(name: str, title: str, kind: str) -> tuple[Element, Element]:
    """A document of one style, and its colour map, which is still empty."""
    root = Element("StyledLayerDescriptor", version="1.0.0", xmlns=_SLD)
    layer = SubElement(root, "NamedLayer")
    SubElement(layer, "Name").text = name
    style = SubElement(layer, "UserStyle")
    SubElement(style, "Title").text = title
    rule = SubElement(SubElement(style, "FeatureTypeStyle"), "Rule")
    symbolizer = SubElement(rule, "RasterSymbolizer")
    SubElement(symbolizer, "Opacity").text = "1.0"
    return root, SubElement(symbolizer, "ColorMap", type=kind)


def _written(root: Element) -> str:
    indent(root)
    text = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
