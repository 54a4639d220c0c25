"""Hostile rasters: bombs, loops, lies about sizes and places, and others' files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.shutil import copy

from tests.factories import NORTH_UP, make_scene, make_values, write_scene
from tests.hostile.case import EITHER, HARMLESS, REFUSED, Case, raw
from tests.hostile.documents import DOCUMENTS
from tests.unit.scene.tags import COUNTS, OFFSETS, Tags

_WIDTH, _HEIGHT, _BITS, _CODEC, _SAMPLES, _ROWS_A_STRIP, _TILE_WIDTH, _TILE_HEIGHT, _FORMAT = (
    *(256, 257, 258, 259, 277, 278, 322, 323, 339),
)
_SCALE, _TIEPOINT, _KEYS, _NODATA = 33550, 33922, 34735, 42113
_SHORT, _LONG, _DOUBLE = 3, 4, 12
_HUGE = 2**31 - 1


def plain(path: Path, **options: object) -> Path:
    """A small scene of one tile, from which others are made."""
    return make_scene(path, 64, 64, **{"blockxsize": 64, "blockysize": 64, **options})


def edited(change: Callable[[Tags], object], **options: object) -> Callable[[Path], object]:
    """A scene whose directory says something else."""

    def make(path: Path) -> None:
        tags = Tags.of(plain(path))
        change(tags)
        tags.write(path, **options)  # type: ignore[arg-type]

    return make


def entry(tag: int, kind: int, count: int, value: int) -> Callable[[Path], object]:
    return edited(lambda tags: tags.entries.__setitem__(tag, (kind, count, value)))


def sized(width: int, height: int) -> Callable[[Path], object]:
    def change(tags: Tags) -> None:
        tags.entries[_WIDTH], tags.entries[_HEIGHT] = (_LONG, 1, width), (_LONG, 1, height)

    return edited(change)


def stored(data: bytes, codec: int = 8) -> Callable[[Path], object]:
    """A scene whose only tile is these bytes."""

    def change(tags: Tags) -> None:
        tags.one(_CODEC, codec)
        tags.one_tile(data)

    return edited(change)


def doubles(tag: int, *values: float) -> Callable[[Path], object]:
    """A scene with other numbers in a tag of the place."""

    def change(tags: Tags) -> None:
        tags.body += bytes(len(tags.body) % 2)
        tags.entries[tag] = _DOUBLE, len(values), len(tags.body)
        tags.body += struct.pack(f"<{len(values)}d", *values)

    return edited(change)


def cut(size: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(plain(path).read_bytes()[:size])


def directories(count: int) -> Callable[[Path], object]:
    """A file of so many empty directories, each leading to the next, before the scene's own."""

    def make(path: Path) -> None:
        tags = Tags.of(plain(path))
        tags.write(path)
        body = bytearray(path.read_bytes())
        (first,) = struct.unpack_from("<I", body, 4)
        for _ in range(count):
            body += bytes(len(body) % 2)
            at = len(body)
            body += struct.pack("<H", 0) + struct.pack("<I", first)
            first = at
        struct.pack_into("<I", body, 4, first)
        path.write_bytes(body)

    return make


def two_loops(path: Path) -> None:
    """Two directories that lead to each other."""
    Tags.of(plain(path)).write(path)
    body = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", body, 4)
    (count,) = struct.unpack_from("<H", body, first)
    size = 2 + 12 * count + 4
    body += bytes(len(body) % 2)
    second = len(body)
    body += body[first : first + size]
    struct.pack_into("<I", body, first + size - 4, second)
    struct.pack_into("<I", body, second + size - 4, first)
    path.write_bytes(body)


def big(first: int, count: int) -> bytes:
    """A BigTIFF that says where its directory lies, and of how many entries it is."""
    return b"II+\0" + struct.pack("<HHQ", 8, 0, first) + struct.pack("<Q", count) + bytes(64)


def of_driver(driver: str, **options: object) -> Callable[[Path], object]:
    """A scene as another of GDAL's drivers writes it, under a name that says otherwise."""

    def make(path: Path) -> None:
        plain(path.with_suffix(".src.tif"))
        copy(path.with_suffix(".src.tif"), path, driver=driver, **options)
        path.with_suffix(".src.tif").unlink()

    return make


def boxes_lead_back(path: Path) -> None:
    """A box in a box that says it reaches to the file's end: GDAL went round and round."""
    of_driver("JP2OpenJPEG")(path)
    body = bytearray(path.read_bytes())
    label = body.find(b"lbl ", body.find(b"lbl ") + 1)
    body[label - 4 : label] = bytes(4)
    path.write_bytes(body)


def zeros(path: Path) -> None:
    """A whole scene of one byte stored: 4 GB of pixels in a few kilobytes."""
    profile = {"driver": "GTiff", "width": 40_000, "height": 36_000, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32631", "transform": NORTH_UP, "tiled": True, "sparse_ok": True}
    with rasterio.open(path, "w", **profile, **place):
        pass


def values(array: np.ndarray, **options: object) -> Callable[[Path], object]:
    return lambda path: write_scene(path, array, **options)  # type: ignore[arg-type]


_BOMB = zlib.compress(bytes(64 * 2**20), 9)
_NAN = float("nan")
_FLOATS = make_values(64, 64, bands=3).astype(np.float32)

RASTERS: tuple[Case, ...] = (
    # Bombs
    Case("a deflated tile of 64 MiB", "a.tif", stored(_BOMB), EITHER),
    Case("a tile of LZW that never ends", "a.tif", stored(b"\x80\x00" * 4000, 5), EITHER),
    Case("a tile that is no deflate", "a.tif", stored(b"no deflate" * 9), EITHER),
    Case("a tile of zstd's magic alone", "a.tif", stored(b"\x28\xb5\x2f\xfd" * 9, 0xC350), EITHER),
    Case(
        "a JPEG of 65535 pixels in a tile of 64",
        "a.tif",
        stored(b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03" + bytes(40), 7),
        EITHER,
    ),
    Case("4 GB of pixels that nobody stored", "a.tif", zeros, EITHER),
    Case("2³¹ × 2³¹ pixels", "a.tif", sized(_HUGE, _HUGE)),
    Case("2³¹ pixels in a row", "a.tif", sized(_HUGE, 1), EITHER),
    Case("2³² - 1 pixels in a row", "a.tif", sized(2**32 - 1, 64)),
    Case("no pixels", "a.tif", sized(0, 0)),
    Case("a tile of 2³¹ pixels", "a.tif", entry(_TILE_WIDTH, _LONG, 1, _HUGE - 15)),
    Case("a tile of no pixels", "a.tif", entry(_TILE_WIDTH, _LONG, 1, 0)),
    Case(
        "a tile of 65520 × 65520",
        "a.tif",
        edited(lambda t: (t.one(_TILE_WIDTH, 65520), t.one(_TILE_HEIGHT, 65520))),
    ),
    Case("65535 bands", "a.tif", entry(_SAMPLES, _SHORT, 1, 65535)),
    Case("no bands", "a.tif", entry(_SAMPLES, _SHORT, 1, 0), EITHER),
    Case("pixels of 65535 bits", "a.tif", entry(_BITS, _SHORT, 1, 65535)),
    Case("pixels of no bits", "a.tif", entry(_BITS, _SHORT, 1, 0), EITHER),
    Case("pixels of an unknown kind", "a.tif", entry(_FORMAT, _SHORT, 1, 99), EITHER),
    Case("a codec that nobody knows", "a.tif", entry(_CODEC, _SHORT, 1, 60000)),
    # Loops
    Case("a directory that leads to itself", "a.tif", edited(lambda t: None, then=-1), EITHER),
    Case("two directories that lead to each other", "a.tif", two_loops, EITHER),
    Case("a chain of 70,000 directories", "a.tif", directories(70_000)),
    Case("a directory at the file's first byte", "a.tif", raw(b"II*\0" + bytes(64))),
    Case("a directory behind the file's end", "a.tif", raw(b"II*\0\xff\xff\xff\x7f")),
    Case("a directory of 65535 entries", "a.tif", raw(b"II*\0\x08\0\0\0\xff\xff" + bytes(99))),
    Case("a BigTIFF of 2⁶⁴ - 1 entries", "a.tif", raw(big(16, 2**64 - 1))),
    Case("a BigTIFF whose directory lies at 2⁶⁴ - 1", "a.tif", raw(big(2**64 - 1, 1))),
    Case("a BigTIFF of offsets of 255 bytes", "a.tif", raw(b"II+\0\xff\0\0\0" + bytes(32))),
    # Lies about what lies where
    Case("a tile behind the file's end", "a.tif", entry(OFFSETS, _LONG, 1, _HUGE), EITHER),
    Case("a tile of 2³² - 1 stored bytes", "a.tif", entry(COUNTS, _LONG, 1, 2**32 - 1), EITHER),
    Case("2³¹ tiles in one entry", "a.tif", entry(OFFSETS, _LONG, _HUGE, 8), EITHER),
    Case("offsets of text", "a.tif", entry(OFFSETS, 2, 4, 8), EITHER),
    Case("strips and tiles at once", "a.tif", entry(_ROWS_A_STRIP, _LONG, 1, 1), EITHER),
    Case("a tag of 2³² - 1 bytes", "a.tif", entry(305, 2, 2**32 - 1, 8), EITHER),
    Case("a nodata value of 1 MiB", "a.tif", entry(_NODATA, 2, 2**20, 8), EITHER),
    Case(
        "metadata of entities",
        "a.tif",
        lambda p: write_scene(
            p, make_values(64, 64), GDAL_METADATA="<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
        ),
        EITHER,
    ),
    # Places that are none
    Case("pixels of NaN metres", "a.tif", doubles(_SCALE, _NAN, _NAN, 0)),
    Case("pixels of infinite metres", "a.tif", doubles(_SCALE, float("inf"), 1, 0)),
    Case("pixels of no metres", "a.tif", doubles(_SCALE, 0, 0, 0)),
    Case("pixels of 10³⁰⁰ metres", "a.tif", doubles(_SCALE, 1e300, 1e300, 0)),
    Case("pixels of 10⁻³⁰⁰ metres", "a.tif", doubles(_SCALE, 1e-300, 1e-300, 0)),
    Case("a corner at NaN", "a.tif", doubles(_TIEPOINT, 0, 0, 0, _NAN, _NAN, 0)),
    Case("a corner at 10³⁰⁸ metres", "a.tif", doubles(_TIEPOINT, 0, 0, 0, 1e308, 1e308, 0)),
    Case("half a point that ties it", "a.tif", doubles(_TIEPOINT, 0, 0), EITHER),
    Case("65535 keys of a CRS that are not there", "a.tif", entry(_KEYS, _SHORT, 65532, 8), EITHER),
    Case(
        "a CRS whose keys count to 65535",
        "a.tif",
        edited(lambda t: t.body.extend(b"") or t.entries.__setitem__(_KEYS, (_SHORT, 4, 0))),
        EITHER,
    ),
    Case("no CRS", "a.tif", lambda p: plain(p, crs=None)),
    Case("a singular affine", "a.tif", lambda p: plain(p, transform=Affine(1, 1, 0, 1, 1, 0))),
    Case("a place on the Moon", "a.tif", lambda p: plain(p, crs="IAU_2015:30100"), EITHER),
    # Values
    Case("nothing but NaN", "a.tif", values(np.full((3, 64, 64), _NAN, np.float32))),
    Case("nothing but infinity", "a.tif", values(np.full((3, 64, 64), np.inf, np.float32)), EITHER),
    Case("nothing but nodata", "a.tif", values(np.zeros((3, 64, 64), np.uint8), nodata=0)),
    Case("a nodata value of NaN", "a.tif", values(_FLOATS, nodata=_NAN), HARMLESS),
    Case("complex values", "a.tif", values(_FLOATS.astype(np.complex64))),
    # Cut off
    *(
        Case(f"the first {n} bytes of a scene", "a.tif", cut(n), EITHER if n > 400 else REFUSED)
        for n in (0, 1, 4, 8, 9, 100, 1000)
    ),
    # What is called otherwise than it is
    Case(
        "a VRT that is called a GeoTIFF",
        "a.tif",
        raw(
            b"<VRTDataset rasterXSize='9' rasterYSize='9'><VRTRasterBand dataType='Byte' band='1'>"
            b"<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>"
            b"</VRTRasterBand></VRTDataset>"
        ),
    ),
    Case("a PDF that is called a GeoTIFF", "a.tif", raw(b"%PDF-1.7\n" + bytes(200))),
    Case("a zip that is called a GeoTIFF", "a.tif", raw(b"PK\x03\x04" + bytes(200))),
    Case("a gzip that is called a GeoTIFF", "a.tif", raw(b"\x1f\x8b\x08" + bytes(200))),
    Case(
        "a PNG of 2³¹ × 2³¹ pixels",
        "a.png",
        raw(
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
            + struct.pack(">IIBBBBB", _HUGE, _HUGE, 8, 2, 0, 0, 0)
            + bytes(4)
        ),
    ),
    Case("a JPEG that ends at once", "a.jpg", raw(b"\xff\xd8\xff\xe0" + bytes(20))),
    Case("a JPEG 2000 whose boxes lead back", "a.jp2", boxes_lead_back, HARMLESS),
    Case("a JPEG 2000 of nothing", "a.jp2", raw(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40))),
    Case(
        "a code stream of 2³² - 1 pixels",
        "a.j2k",
        raw(
            b"\xff\x4f\xff\x51\0\x29\0\0"
            + struct.pack(">8I", *[2**32 - 1] * 2, 0, 0, *[2**32 - 1] * 2, 0, 0)
            + b"\0\x01\x07\x01\x01"
            + bytes(20)
        ),
    ),
    Case("an ENVI grid under a GeoTIFF's name", "a.tif", of_driver("ENVI")),
    Case("a NITF under a GeoTIFF's name", "a.tif", of_driver("NITF")),
    Case("an address of a file in memory", "a.tif", raw(b"/vsimem/x.tif")),
    *DOCUMENTS,
)
