"""What GDAL reads beside a raster of classes: names and colours of its values (PAM). Pure.

A GeoTIFF holds colours, but no names that GDAL would show.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from geogaze.products.styles import Category

# Name, GDAL's number for its type, and for what it is used.
_COLUMNS = (("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8))


def band_names(categories: Iterable[Category]) -> str:
    """``<raster>.aux.xml`` of a raster whose values are 0, 1, 2 …, one for each category: category
    names, and an attribute table with the colours.
    """
    root = Element("PAMDataset")
    band = SubElement(root, "PAMRasterBand", band="1")
    names = SubElement(band, "CategoryNames")
    table = SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for i, (name, kind, usage) in enumerate(_COLUMNS):
        column = SubElement(table, "FieldDefn", index=str(i))
        for tag, text in (("Name", name), ("Type", kind), ("Usage", usage)):
            SubElement(column, tag).text = str(text)
    for category in categories:
        SubElement(names, "Category").text = category.name
        row = SubElement(table, "Row", index=str(category.value))
        for value in (category.value, category.name, *category.colour):
            SubElement(row, "F").text = str(value)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"
