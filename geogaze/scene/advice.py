"""What a file is that is no GeoTIFF, by how it starts, and what to do with it."""

from __future__ import annotations

_PICTURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
}
_RASTERS = {
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\x89HDF": "HDF5 or NetCDF",
    b"CDF": "NetCDF",
    b"NITF": "NITF",
    b"<VRTDataset": "VRT",
    b"EHFA_HEADER_TAG": "ERDAS Imagine",
    b"GRIB": "GRIB",
}
_VECTORS = {
    b"SQLite format 3": "GeoPackage",
    b"\0\0\x27\x0a": "shapefile",
    b"{": "JSON",
    b"fgb": "FlatGeobuf",
    b"<kml": "KML",
}
BLANK = b"\xef\xbb\xbf \t\r\n"
"""What a text may begin with."""
_PAGES = (b"<!doctype html", b"<html")


def why_no_scene(start: bytes) -> str:
    """What to tell of a file of no format that scenes have, and that starts so.

    Args:
        start: its first hundred bytes or so; fewer where it has fewer.
    """
    if not start:
        return "It is empty."
    text = start.lstrip(BLANK)
    if text.lower().startswith(_PAGES):
        return "It is a web page; name the address of the file itself."
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return _picture("WebP")
    if start[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"}:
        return _picture("HEIC or AVIF")
    if kind := _kind(start, _PICTURES):
        return _picture(kind)
    if kind := _kind(start, _RASTERS) or _kind(text, _RASTERS):
        return f"It is a {kind} file. Convert it with 'gdal_translate -of COG' first."
    if kind := _kind(text, _VECTORS):
        return (
            f"It is a {kind} file, which holds shapes and no pixels. A scene is a GeoTIFF; shapes "
            "may say where to look in one (--aoi)."
        )
    if start.startswith(b"PK\x03\x04"):
        return "It is a ZIP archive: unpack it and name a GeoTIFF in it."
    return "It is of no kind known here. Convert it with 'gdal_translate -of COG' first."


def _kind(start: bytes, kinds: dict[bytes, str]) -> str | None:
    return next((kind for magic, kind in kinds.items() if start.startswith(magic)), None)


def _picture(kind: str) -> str:
    return (
        f"It is a {kind} picture. 'geogaze image' explains a photograph; a picture that has a "
        "place on the map becomes a scene with 'gdal_translate -of COG' (-a_srs, -a_ullr)."
    )
