"""The files that say how layers look, for QGIS and for servers of OGC standards."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

from geogaze.products.layer_definition import Crs, Entry, Group, Layer, layer_definition
from geogaze.products.make.inputs import JobInputs, LayerInputs
from geogaze.products.outlined import by_class, layer_colours
from geogaze.products.pam import band_names
from geogaze.products.qgis import class_pipe, colour_pipe, picture_pipe, qml
from geogaze.products.sld import class_sld, heat_sld
from geogaze.products.styles import Style, categories, heat_style, spread_style
from geogaze.products.table import product_named
from geogaze.products.tiles import strongest


def make_heat_qml(inputs: LayerInputs, target: Path) -> None:
    """The product ``style-{class}``."""
    layer, peak = inputs.layer, inputs.heat.peak
    style = heat_style(layer.colormap, layer.normalize, peak)
    target.write_text(qml(colour_pipe(style)), encoding="utf-8")


def make_spread_qml(inputs: LayerInputs, target: Path) -> None:
    """The product ``spread-style-{class}``."""
    layer, peak = inputs.layer, inputs.heat.peak
    style = spread_style(layer.colormap, layer.normalize, peak)
    target.write_text(qml(colour_pipe(style)), encoding="utf-8")


def make_heat_sld(inputs: JobInputs, target: Path) -> None:
    """The product ``sld``."""
    title = f"{inputs.job.method.title} heat"
    target.write_text(heat_sld(_style(inputs), title), encoding="utf-8")


def make_classes_qml(inputs: JobInputs, target: Path) -> None:
    """The product ``classes-style``."""
    pipe = class_pipe(categories(inputs.job.model.classes))
    target.write_text(qml(pipe), encoding="utf-8")


def make_classes_names(inputs: JobInputs, target: Path) -> None:
    """The product ``classes-names``."""
    target.write_text(band_names(categories(inputs.job.model.classes)), encoding="utf-8")


def make_classes_sld(inputs: JobInputs, target: Path) -> None:
    """The product ``classes-sld``."""
    text = class_sld(categories(inputs.job.model.classes), "Best class of each cell")
    target.write_text(text, encoding="utf-8")


def make_layer_definition(inputs: JobInputs, target: Path) -> None:
    """The product ``layers``."""
    title = f"Where {inputs.job.model.name} looks"
    crs = Crs(inputs.job.grid.crs_wkt, inputs.job.place.code)
    target.write_text(layer_definition(title, _entries(inputs), crs), encoding="utf-8")


def _entries(inputs: JobInputs) -> tuple[Entry, ...]:
    """What the job has made, the topmost first: polygons, heat, classes, pictures."""
    job = inputs.job
    first = job.layers[strongest(job, inputs.tally, 1)[0]]
    kinds: dict[str, list[Layer]] = {}
    for name, asset in inputs.record.assets.items():
        product, layer = product_named(name)
        if (drawn := _drawn(inputs, product.name)) is None:
            continue
        shown = product.name == "backdrop" or (product.name, layer) == ("heat-{class}", first)
        entry = Layer(layer or product.title, asset["file"], drawn, shown)
        kinds.setdefault(product.name, []).append(entry)
    groups = {
        "heat-{class}": "Heat",
        "stability-{class}": "Stability",
        "overlay-{class}": "Heat over the scene",
    }
    order = sorted(kinds, key=lambda kind: _ORDER.index(kind) if kind in _ORDER else -1)
    entries: list[Entry] = []
    for kind in order:
        layers = tuple(kinds[kind])
        entries += [Group(groups[kind], layers)] if kind in groups else layers
    return tuple(entries)


_OUTLINED = {"hotspots": "class", "tiles-gpkg": "top_class"}
"""Polygons, and the column that says of which class each is."""

_ORDER = ("heat-{class}", "stability-{class}", "classes", "overlay-{class}", "backdrop")
"""Rasters, the topmost first; polygons are above all of them."""


def _drawn(inputs: JobInputs, product: str) -> Element | None:
    """How a product is drawn; None for what is no layer."""
    if product == "heat-{class}":
        return colour_pipe(_style(inputs))
    if product == "stability-{class}":
        job = inputs.job
        return colour_pipe(spread_style(job.colormap, job.normalize, inputs.record.peak))
    if product == "classes":
        return class_pipe(categories(inputs.job.model.classes))
    if product in {"overlay-{class}", "backdrop"}:
        return picture_pipe()
    if product in _OUTLINED:
        classes = inputs.job.model.classes
        layers = classes if inputs.job.targets is None else inputs.job.layers
        named = layer_colours(classes if product == "tiles-gpkg" else layers, classes)
        style = by_class(_OUTLINED[product], named)
        return fromstring(style).find("renderer-v2")  # noqa: S314  our own text
    return None


def _style(inputs: JobInputs) -> Style:
    return heat_style(inputs.job.colormap, inputs.job.normalize, inputs.record.peak)
