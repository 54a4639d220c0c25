"""Stored tiles become pixels, and never more bytes than a tile of their file has.

async-tiff inflates whatever comes and looks at the size then, so that half a megabyte may take
half a gigabyte. Lossless codecs are therefore undone here, up to the size that is known, as GDAL
does it; a JPEG must say that it has the tile's size before it is decoded.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rasterio.io import MemoryFile

from geogaze.scene.plain import JPEG, Layout

if TYPE_CHECKING:
    from async_tiff import DecoderRegistry
    from typing_extensions import Buffer

_LZW, _DEFLATES, _ZSTD = 5, (8, 0x80B2), 0xC350
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # what says how large a JPEG is
_SCAN, _END, _ALONE = 0xDA, 0xD9, {0x01, 0xD8, *range(0xD0, 0xD8)}
_PLACED = struct.pack("<9d", 2, 2, 0, 0, 0, 0, 0, 0, 0)  # or rasterio warns


def decoders(layout: Layout) -> DecoderRegistry:
    """async-tiff's decoders for one file, with those that would know no bounds replaced."""
    from async_tiff import DecoderRegistry

    size = layout.part_bytes
    inflate = _zlib(size)
    return DecoderRegistry(
        {
            **dict.fromkeys(_DEFLATES, inflate),
            _LZW: _gdal(size, _LZW),
            _ZSTD: _gdal(size, _ZSTD),
        }
    )


def check_frames(layout: Layout, tables: bytes | None, stored: Buffer | list[Buffer]) -> None:
    """Refuse JPEGs that are not of their tile's size; other codecs keep to it anyway.

    Args:
        layout: the file's.
        tables: what its JPEGs share.
        stored: the bytes of a tile, or of each of its bands where they lie apart.

    Raises:
        ValueError: one is larger or smaller, or is no JPEG.
    """
    if layout.codec != JPEG:
        return
    bands = 1 if layout.planar else layout.count
    for part in stored if isinstance(stored, list) else [stored]:
        found = [*_frames(tables or b""), *_frames(bytes(part))]
        if found != [(*layout.tile, bands)]:
            raise ValueError("its JPEG has another size than a tile")


def _zlib(size: int) -> Callable[..., bytes]:
    def inflate(buffer: Any) -> bytes:
        # One byte more, so that the checksum behind the last one is looked at.
        return zlib.decompressobj().decompress(buffer, size + 1)[:size]

    return inflate


def _gdal(size: int, codec: int) -> Callable[..., bytes]:
    """By GDAL, as a file of one line, as no library that is always there stops in time."""

    def inflate(buffer: Any) -> bytes:
        data = bytes(buffer)
        with (
            MemoryFile(_line(size, codec, len(data)) + data) as file,
            file.open(driver="GTiff") as dataset,
        ):
            line: bytes = dataset.read(1).tobytes()
        return line

    return inflate


def _line(size: int, codec: int, stored: int) -> bytes:
    """The header of a TIFF of one line of so many bytes, which are stored behind it."""
    tags = {256: size, 257: 1, 258: 8, 259: codec, 262: 1, 273: 0, 277: 1, 278: 1, 279: stored}
    placed = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags[273] = placed + len(_PLACED)
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    entries += [struct.pack("<HHII", 33550, 12, 3, placed)]
    entries += [struct.pack("<HHII", 33922, 12, 6, placed + 24)]
    count = struct.pack("<H", len(entries))
    return b"II*\0" + struct.pack("<I", 8) + count + b"".join(entries) + bytes(4) + _PLACED


def _frames(data: bytes) -> list[tuple[int, int, int]]:
    """Rows, columns and components of each frame of a JPEG, up to its pixels."""
    found = []
    at = 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in {_SCAN, _END}:
            break
        if marker == 0xFF or marker in _ALONE:  # filled up, or a marker without a length
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _FRAMES and length >= 8 and at + 10 <= len(data):
            found.append(struct.unpack_from(">HHB", data, at + 5))
        at += 2 + length
    return found
