"""A job's layers as one file for QGIS (QLR): grouped, named, styled, and found beside it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, SubElement

from geogaze.products.qgis import written


@dataclass(frozen=True)
class Layer:
    """A file that is a layer.

    ``drawn`` is how: the ``pipe`` of a raster, or the renderer of a GeoPackage, whose table has the
    file's name. ``shown`` is whether it is visible at first.
    """

    name: str
    file: str
    drawn: Element
    shown: bool = False


@dataclass(frozen=True)
class Crs:
    """A coordinate reference system, and its code (``EPSG:…``) if it is a registered one."""

    wkt: str
    code: str | None = None


@dataclass(frozen=True)
class Group:
    """Layers under one heading, the topmost first."""

    name: str
    layers: tuple[Layer, ...]


Entry = Layer | Group


def layer_definition(title: str, entries: tuple[Entry, ...], crs: Crs) -> str:
    """The file's text.

    Args:
        title: what the group of all is called.
        entries: layers and groups of them, the topmost first; groups are folded.
        crs: of all; QGIS does not ask the files.
    """
    root = Element("qlr")
    tree = _group(SubElement(root, "layer-tree-group"), title)
    layers = SubElement(root, "maplayers")
    for entry in entries:
        within = _group(tree, entry.name, folded=True) if isinstance(entry, Group) else tree
        for layer in entry.layers if isinstance(entry, Group) else (entry,):
            number = f"geogaze_{len(layers)}"
            SubElement(
                within,
                "layer-tree-layer",
                id=number,
                name=layer.name,
                providerKey=_kind(layer)[1],
                source=_source(layer),
                checked=_CHECKED[layer.shown],
                expanded="0",
            )
            _add(layers, layer, number, crs)
    return written(root, "<!DOCTYPE qgis-layer-definition>\n")


_CHECKED = {True: "Qt::Checked", False: "Qt::Unchecked"}


def _group(parent: Element, name: str, *, folded: bool = False) -> Element:
    expanded = "0" if folded else "1"
    return SubElement(
        parent, "layer-tree-group", name=name, checked="Qt::Checked", expanded=expanded
    )


def _kind(layer: Layer) -> tuple[Literal["raster", "vector"], Literal["gdal", "ogr"]]:
    return ("raster", "gdal") if layer.drawn.tag == "pipe" else ("vector", "ogr")


def _source(layer: Layer) -> str:
    if _kind(layer)[0] == "raster":
        return f"./{layer.file}"
    return f"./{layer.file}|layername={layer.file.rsplit('.', 1)[0]}"


def _add(layers: Element, layer: Layer, number: str, crs: Crs) -> None:
    kind, provider = _kind(layer)
    added = SubElement(layers, "maplayer", type=kind)
    for tag, text in (
        ("id", number),
        ("datasource", _source(layer)),
        ("layername", layer.name),
        ("provider", provider),
    ):
        SubElement(added, tag).text = text
    system = SubElement(SubElement(added, "srs"), "spatialrefsys")
    SubElement(system, "wkt").text = crs.wkt
    if crs.code:
        SubElement(system, "authid").text = crs.code
    added.append(layer.drawn)
    SubElement(added, "blendMode").text = "0"
