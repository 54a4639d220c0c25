"""Coordinate reference systems by what others wrote, who may not make PROJ or GDAL open a file."""

from __future__ import annotations

import re

import pyproj
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from geogaze.errors import SceneUnusable

_CODE = re.compile(r"([A-Za-z][A-Za-z0-9_]{1,15}):([0-9A-Za-z]{1,12})")
_WKT = re.compile(r"\s*[A-Z_]{5,20}\s*\[")


def parse_crs(text: str, whose: str) -> pyproj.CRS:
    """A CRS by an authority's code (``EPSG:32618``) or WKT, and nothing else.

    Args:
        text: of either.
        whose: what says it, for messages.

    Raises:
        SceneUnusable: it is neither, or not known.
    """
    try:
        if code := _CODE.fullmatch(text.strip()):
            return pyproj.CRS.from_authority(code[1].upper(), code[2])
        if _WKT.match(text):
            return pyproj.CRS.from_wkt(text)
    except ProjError as error:
        raise SceneUnusable(f"{whose}: {text[:80]!r} is no known CRS: {error}") from error
    raise SceneUnusable(f"{whose}: {text[:80]!r} is no CRS; write a code such as EPSG:32618.")


def short_crs(crs: pyproj.CRS) -> str:
    """A CRS as its code, where that is the very same, else as WKT."""
    authority = crs.to_authority(min_confidence=100)
    if authority and pyproj.CRS.from_authority(*authority).equals(crs, ignore_axis_order=True):
        return ":".join(authority)
    return str(crs.to_wkt())


def gdal_crs(crs: str) -> CRS:
    """The same for GDAL, with the words that it has for it."""
    authority, _, code = crs.partition(":")
    if authority == "EPSG" and code.isdecimal():
        return CRS.from_epsg(int(code))
    return CRS.from_wkt(parse_crs(crs, "A CRS").to_wkt())
