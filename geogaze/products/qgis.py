"""Styles as QGIS keeps them: a QML file beside each raster, which QGIS takes by itself. Pure.

Only what differs from QGIS's defaults is written; read by QGIS from 3.22 on.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from geogaze.products.styles import Category, Style

VERSION = "3.22.0"
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def qml(pipe: Element) -> str:
    """A style file of a raster whose ``pipe`` is given."""
    root = Element("qgis", version=VERSION, styleCategories="Symbology")
    root.append(pipe)
    SubElement(root, "blendMode").text = "0"
    return written(root, _DOCTYPE)


def written(root: Element, doctype: str) -> str:
    """A document as text."""
    indent(root)
    return doctype + tostring(root, encoding="unicode") + "\n"


def colour_pipe(style: Style) -> Element:
    """How a layer of numbers is drawn: fixed colours, bilinear, clear where nothing is."""
    low, high = f"{style.low:.9g}", f"{style.high:.9g}"
    renderer = Element(
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
        classificationMin=low,
        classificationMax=high,
    )
    SubElement(SubElement(renderer, "minMaxOrigin"), "limits").text = "None"
    shader = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue=low,
        maximumValue=high,
    )
    for at, red, green, blue, alpha in style.stops:
        value, colour = f"{at:.9g}", f"#{red:02x}{green:02x}{blue:02x}"
        SubElement(shader, "item", value=value, label=f"{at:.3g}", color=colour, alpha=str(alpha))
    return _pipe(renderer, zoomed_in="bilinear")


def class_pipe(categories: Iterable[Category]) -> Element:
    """How a raster of classes is drawn: each in its colour, and named in the legend."""
    renderer = Element(
        "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor=""
    )
    palette = SubElement(renderer, "colorPalette")
    for category in categories:
        SubElement(
            palette,
            "paletteEntry",
            value=str(category.value),
            label=category.name,
            color=category.hexadecimal,
            alpha="255",
        )
    return _pipe(renderer)


def picture_pipe() -> Element:
    """How a picture of three bands is drawn: as it is."""
    return _pipe(
        Element(
            "rasterrenderer",
            type="multibandcolor",
            opacity="1",
            alphaBand="-1",
            nodataColor="",
            redBand="1",
            greenBand="2",
            blueBand="3",
        ),
        zoomed_out="bilinear",
    )


def _pipe(renderer: Element, zoomed_in: str = "", zoomed_out: str = "") -> Element:
    pipe = Element("pipe")
    pipe.append(renderer)
    resampler = SubElement(pipe, "rasterresampler", maxOversampling="2")
    for way, attribute in ((zoomed_in, "zoomedInResampler"), (zoomed_out, "zoomedOutResampler")):
        if way:
            resampler.set(attribute, way)
    return pipe
