"""The files that say how layers look say the same, and what the Item's renders say."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image

from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.colormaps import render_stops
from geogaze.products.layer_definition import Crs, Group, Layer, layer_definition
from geogaze.products.make.legend import draw_legend
from geogaze.products.pam import band_names
from geogaze.products.qgis import class_pipe, colour_pipe, picture_pipe, qml
from geogaze.products.sld import class_sld, heat_sld
from geogaze.products.styles import Style, categories, heat_style, spread_style
from tests.factories import NORTH_UP

HEAT = heat_style("inferno", "job", 7.0)
SIGNED = heat_style("coolwarm", "none", 2.5)
NAMES = ("airplane", "boats & <quays>", "Straße")
SLD = {"s": "http://www.opengis.net/sld"}


def items_of(style: Style) -> list[dict[str, str]]:
    return [item.attrib for item in ET.fromstring(qml(colour_pipe(style))).iter("item")]


def test_one_style_for_all_layers_of_a_job() -> None:
    assert HEAT == heat_style("inferno", "tile", 0.0) == Style("inferno", 0.0, 1.0)
    assert Style("coolwarm", -2.5, 2.5) == SIGNED
    assert heat_style("inferno", "none", 2.5) == Style("inferno", 0.0, 2.5), "nothing is against"
    assert heat_style("coolwarm", "none", 0.0) == Style("coolwarm", -1.0, 1.0)
    assert spread_style("coolwarm", "none", 2.5) == Style("inferno", 0.0, 1.25)
    assert spread_style("turbo", "job", 2.5) == Style("turbo", 0.0, 0.5)


@pytest.mark.parametrize("style", [HEAT, SIGNED])
def test_qgis_and_geoserver_are_told_the_stops_of_the_render(style: Style) -> None:
    stops = render_stops(style.render)
    servers = ET.fromstring(heat_sld(style, "heat")).findall(".//s:ColorMapEntry", SLD)
    pairs = zip(stops, items_of(style), servers, strict=True)
    for (at, red, green, blue, alpha), item, entry in pairs:
        colour = f"#{red:02x}{green:02x}{blue:02x}"
        assert item["color"] == entry.get("color") == colour
        assert int(item["alpha"]) == alpha
        assert float(entry.attrib["opacity"]) == pytest.approx(alpha / 255, abs=5e-4)
        assert float(item["value"]) == float(entry.attrib["quantity"]) == pytest.approx(at)
    clear = [float(item["value"]) for item in items_of(style) if item["alpha"] == "0"]
    assert clear == [0.0]


def test_qgis_is_told_a_fixed_range_and_bilinear_cells() -> None:
    root = ET.fromstring(qml(colour_pipe(SIGNED)))
    renderer, resampler = root.find(".//rasterrenderer"), root.find(".//rasterresampler")
    assert renderer is not None
    assert resampler is not None
    assert renderer.attrib["classificationMin"] == "-2.5"
    assert renderer.attrib["classificationMax"] == "2.5"
    assert root.findtext(".//minMaxOrigin/limits") == "None"
    assert resampler.attrib["zoomedInResampler"] == "bilinear"


def test_classes_have_their_names_and_colours_everywhere(tmp_path: Path) -> None:
    named = categories(NAMES)
    palette = list(ET.fromstring(qml(class_pipe(named))).iter("paletteEntry"))
    server = ET.fromstring(class_sld(named, "classes")).findall(".//s:ColorMapEntry", SLD)
    path = tmp_path / "classes.tif"
    profile = {"width": 2, "height": 1, "count": 1, "dtype": "uint8", "driver": "GTiff"}
    with rasterio.open(path, "w", **profile, transform=NORTH_UP) as dataset:
        dataset.write(np.array([[[0, 2]]], dtype=np.uint8))
    (tmp_path / "classes.tif.aux.xml").write_text(band_names(named), encoding="utf-8")
    # rasterio shows no category names; GDAL's own copy of the band's description has them.
    rasterio.shutil.copy(path, tmp_path / "seen.vrt", driver="VRT")
    seen = ET.fromstring((tmp_path / "seen.vrt").read_text())
    assert [entry.text for entry in seen.iter("Category")] == list(NAMES)
    rows = [[field.text for field in row] for row in seen.iter("Row")]
    for i, (category, entry, other) in enumerate(zip(named, palette, server, strict=True)):
        assert category.value == i
        assert entry.attrib["label"] == other.attrib["label"] == category.name == NAMES[i]
        assert entry.attrib["color"] == other.attrib["color"] == category.hexadecimal
        assert entry.attrib["value"] == other.attrib["quantity"] == str(i)
        assert rows[i] == [str(i), NAMES[i], *map(str, category.colour)]
    assert len(rows) == 3


def test_a_layer_definition_has_groups_names_and_files_beside_it() -> None:
    heat = Group("Heat", (Layer("ship vs harbor", "heat-ship.tif", colour_pipe(HEAT), shown=True),))
    entries = (
        Layer("Hotspots", "hotspots.gpkg", ET.Element("renderer-v2")),
        heat,
        Layer("Scene", "b.tif", picture_pipe()),
    )
    text = layer_definition("A & B", entries, Crs("PROJCS[…]", "EPSG:32631"))
    assert text == layer_definition("A & B", entries, Crs("PROJCS[…]", "EPSG:32631"))
    root = ET.fromstring(text)
    named: dict[str, Any] = {
        layer.findtext("id"): (layer.findtext("layername"), layer.findtext("datasource"))
        for layer in root.iter("maplayer")
    }
    assert list(named.values()) == [
        ("Hotspots", "./hotspots.gpkg|layername=hotspots"),
        ("ship vs harbor", "./heat-ship.tif"),
        ("Scene", "./b.tif"),
    ]
    tree = root.find("layer-tree-group/layer-tree-group")
    assert tree is not None
    assert tree.attrib["name"] == "A & B"
    assert [child.attrib["name"] for child in tree] == ["Hotspots", "Heat", "Scene"]
    leaves = list(tree.iter("layer-tree-layer"))
    assert [leaf.attrib["id"] for leaf in leaves] == list(named)
    assert [leaf.attrib["checked"] for leaf in leaves] == [
        *("Qt::Unchecked", "Qt::Checked", "Qt::Unchecked")
    ]
    assert [code.text for code in root.iter("authid")] == ["EPSG:32631"] * 3


@pytest.mark.parametrize("count", [0, 3, 100])
def test_the_legend_shows_the_colours(plan: Plan, count: int) -> None:
    named = categories([f"class {i}" for i in range(count)])
    sheet = draw_legend(facts_of(plan), SIGNED, named)
    assert isinstance(sheet, Image.Image)
    pixels = np.asarray(sheet).astype(int)
    y = (16 + 24 + 9) * 2
    for x, stop in ((33, SIGNED.stops[0]), (33 + 798, SIGNED.stops[-1])):
        veil = stop.alpha / 255
        seen = [np.array(stop[1:4]) * veil + grey * (1 - veil) for grey in (255, 214)]
        assert min(np.abs(pixels[y, x] - colour).max() for colour in seen) < 4
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3)}
    assert sum(category.colour in colours for category in named) == min(count, 60)
