"""VRTs, of which geogaze reads the text and GDAL nothing: each file that one names is checked and
opened as a scene of its own is.

What GDAL would compute (pixel functions, look-up tables, kernels, warping) is refused, so a VRT
is a mosaic or a stack of files, as ``gdalbuildvrt`` writes them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from xml.etree import ElementTree as ET

from affine import Affine

from geogaze.errors import SceneUnreadable
from geogaze.grid.lattice import Box
from geogaze.scene.bands import BandLabel
from geogaze.scene.crs import parse_crs, short_crs
from geogaze.scene.parts import Grid, Part, Parts
from geogaze.scene.reading import MOST_FILES
from geogaze.scene.source import Source

_OF_DATASET = {
    *("SRS", "GeoTransform", "Metadata", "VRTRasterBand", "MaskBand"),
    *("OverviewList", "BlockXSize", "BlockYSize"),
}
_OF_BAND = {
    *("ColorInterp", "Description", "NoDataValue", "HideNoDataValue", "SimpleSource"),
    *("ComplexSource", "Metadata", "UnitType", "Offset", "Scale", "Histograms", "ColorTable"),
}
_OF_SOURCE = {
    *("SourceFilename", "SourceBand", "SourceProperties", "SrcRect", "DstRect"),
    *("NODATA", "UseMaskBand"),
}

Rect = tuple[float, float, float, float]
"""Left, top, width, height."""


def parts_of(source: Source, wanted: Sequence[str]) -> Parts:
    """The files of a VRT; those that it names last lie above the others.

    Args:
        source: where it lies.
        wanted: the model's bands, which are chosen from its own later.

    Raises:
        SceneUnreadable: it is no VRT, does more than lay files beside or upon each other, or names
            a file that scenes may not come from.
    """
    return _Vrt(source).parts()


class _Vrt:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._root = self._parsed(source.text())
        self._check(self._root, "VRTDataset", _OF_DATASET)
        masks = (band.text or "" for band in self._root.iterfind("MaskBand//SourceBand"))
        if not all(band.startswith("mask") for band in masks):
            raise self._refused("its mask is not those of its files")
        self._size = (
            int(self._number(self._root.get("rasterYSize"))),
            int(self._number(self._root.get("rasterXSize"))),
        )
        crs, transform = self._root.findtext("SRS"), self._root.findtext("GeoTransform")
        if not crs or not transform:
            raise self._refused("it says no CRS or no affine, so it lies nowhere on the map")
        six = [self._number(number) for number in transform.split(",")]
        if len(six) != 6:
            raise self._refused("its GeoTransform has not six numbers")
        self._crs = short_crs(parse_crs(crs, repr(source.uri)))
        self._affine = Affine.from_gdal(*six)

    def parts(self) -> Parts:
        """Sources of several bands that are one file at one place become one part."""
        bands = self._root.findall("VRTRasterBand")
        if not bands:
            raise self._refused("it has no band")
        found: dict[tuple[str, Rect, Rect, float | None], list[int]] = {}
        for position, band in enumerate(bands):
            if kind := band.get("subClass"):
                raise self._refused(f"its band {position + 1} is computed ({kind})")
            self._check(band, f"band {position + 1}", _OF_BAND)
            missing = self._optional(band.findtext("NoDataValue"))
            for element in band:
                if not element.tag.endswith("Source"):
                    continue
                self._check(element, f"a source of band {position + 1}", _OF_SOURCE)
                key = (self._href(element), *self._rects(element), self._nodata(element, missing))
                if key not in found and len(found) >= MOST_FILES:
                    raise self._refused(f"it names more than {MOST_FILES:,} files")
                number = int(self._number(element.findtext("SourceBand") or "1"))
                found.setdefault(key, [0] * len(bands))[position] = number
        if not found:
            raise self._refused("it names no file")
        parts = tuple(self._part(*key, tuple(numbers)) for key, numbers in found.items())
        return Parts(
            tuple(reversed(parts)),
            grid=Grid(self._crs, self._affine, *self._size),
            labels=tuple(_label(band) for band in bands),
        )

    def _part(
        self, uri: str, src: Rect, dst: Rect, nodata: float | None, bands: tuple[int, ...]
    ) -> Part:
        across, down = dst[2] / src[2], dst[3] / src[3]
        affine = (
            self._affine
            @ Affine.translation(dst[0], dst[1])
            @ Affine.scale(across, down)
            @ Affine.translation(-src[0], -src[1])
        )
        window: Box = (
            math.floor(src[1]),
            math.floor(src[0]),
            math.ceil(src[1] + src[3]),
            math.ceil(src[0] + src[2]),
        )
        return Part(uri, bands, window, (self._crs, affine), nodata)

    def _href(self, element: ET.Element) -> str:
        name = element.find("SourceFilename")
        text = (name.text or "").strip() if name is not None else ""
        if not text:
            raise self._refused("a source of it names no file")
        if text.lower().partition("?")[0].endswith(".vrt"):
            raise self._refused(f"it names another VRT ({text[:200]!r}); build one of its files")
        return self._source.beside(text).uri

    def _rects(self, element: ET.Element) -> tuple[Rect, Rect]:
        height, width = self._size
        whole = {"xOff": "0", "yOff": "0", "xSize": str(width), "ySize": str(height)}
        rects = []
        for name in ("SrcRect", "DstRect"):
            rect = element.find(name)
            given = whole if rect is None else rect.attrib
            left, top, across, down = (self._number(given.get(key)) for key in whole)
            if not (across > 0 and down > 0):
                raise self._refused(f"a {name} of it is empty")
            rects.append((left, top, across, down))
        return rects[0], rects[1]

    def _nodata(self, element: ET.Element, of_band: float | None) -> float | None:
        own = self._optional(element.findtext("NODATA"))
        return of_band if own is None else own

    def _optional(self, text: str | None) -> float | None:
        """A number, if there is one; not a number is missing anyway."""
        if text is None or text.strip().lower() == "nan":
            return None
        return self._number(text)

    def _number(self, text: str | None) -> float:
        try:
            number = float(text or "")
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or abs(number) > 1e15:
            raise self._refused(f"{(text or '')[:40]!r} is no number that it may have there")
        return number

    def _check(self, element: ET.Element, what: str, known: Collection[str]) -> None:
        if kind := element.get("subClass"):
            raise self._refused(f"it is computed ({kind})")
        if odd := next((child.tag for child in element if child.tag not in known), None):
            raise self._refused(f"{what} has <{odd[:40]}>, and nothing is computed here")

    def _parsed(self, text: str) -> ET.Element:
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise self._refused("it declares entities")
        try:
            root = ET.fromstring(text)  # noqa: S314  without entities, and of bounded length
        except (ET.ParseError, ValueError) as error:
            raise self._refused(f"it is no XML: {error}") from error
        if root.tag != "VRTDataset":
            raise self._refused(f"its root is <{root.tag[:40]}>")
        return root

    def _refused(self, why: str) -> SceneUnreadable:
        return SceneUnreadable(
            f"{self._source.uri!r} cannot be read as a VRT: {why}. A scene may be a VRT that lays "
            "files beside or upon each other, as gdalbuildvrt writes it; make a file of any other "
            "with 'gdal_translate -of COG'."
        )


def _label(band: ET.Element) -> BandLabel:
    colour = (band.findtext("ColorInterp") or "undefined").strip().lower()
    return BandLabel(band.findtext("Description") or "", colour)
