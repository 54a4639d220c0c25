"""Cloud-optimised GeoTIFFs of blocks that are encoded already, written once and in file order.

GDAL's COG driver takes a whole draft, reads it back and encodes it again, which is most of an
overlay's time. Here each block is encoded as soon as it is drawn, waits in a spool, and is copied
to its place. What the file says of itself (CRS, affine, tags) is GDAL's, out of a template without
pixels. BigTIFF throughout: what a layer compresses to is not known before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import rasterio
from affine import Affine
from rasterio.io import MemoryFile

BlockAt = tuple[int, int]
"""Row and column of a block."""

_GHOST = (
    b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
    b"MASK_INTERLEAVED_WITH_IMAGERY=YES\n"
)
"""How the blocks lie, in the words of GDAL's COG driver, which then reads with fewer requests."""

_LEADER = 4  # bytes before a block (its length), and after it (its last ones again)
_AT_ONCE = 2**22  # bytes of blocks that are written together
_SHORT, _LONG, _LONG8 = 3, 4, 16  # TIFF's names for 2, 4 and 8 bytes
_FORMATS = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
_OFFSETS, _COUNTS = 324, 325
_GDALS = frozenset({33550, 33922, 34264, 34735, 34736, 34737, 42112})  # affine, CRS, metadata
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}

_Tag = tuple[int, int, int, bytes]
"""Number, type, count and value, little-endian."""


@dataclass
class _Page:
    """The blocks of one resolution, pixels or mask: where each lies in the spool, and its length.

    A block that was never put is empty, which readers take for invalid.
    """

    width: int
    height: int
    block: int
    mask: bool
    reduced: bool
    blocks: dict[BlockAt, tuple[int, int]] = field(default_factory=dict)

    def places(self) -> Iterator[BlockAt]:
        """All blocks, row by row."""
        for row in range(-(-self.height // self.block)):
            for col in range(-(-self.width // self.block)):
                yield row, col

    def tags(self, offsets: list[int], counts: list[int]) -> list[_Tag]:
        """The tags that say how the pixels are stored."""
        kind = self.reduced * 1 + self.mask * 4
        tags = [
            _tag(254, _LONG, kind),
            _tag(256, _LONG, self.width),
            _tag(257, _LONG, self.height),
            _tag(284, _SHORT, 1),  # all bands of a pixel together
            _tag(322, _LONG, self.block),
            _tag(323, _LONG, self.block),
            _tag(_OFFSETS, _LONG8, *offsets),
            _tag(_COUNTS, _LONG8, *counts),
        ]
        if self.mask:
            # One bit a pixel, deflated; 1 is valid.
            return [
                *tags,
                *(_tag(n, _SHORT, v) for n, v in ((258, 1), (259, 8), (262, 4), (277, 1))),
            ]
        jpeg = [_tag(n, _SHORT, v) for n, v in ((259, 7), (262, 6), (277, 3))]
        return [*tags, *jpeg, _tag(258, _SHORT, 8, 8, 8), _tag(530, _SHORT, 2, 2)]


class Pyramid:
    """Encoded blocks of an image at all resolutions, level 0 the finest, waiting in a spool.

    Args:
        width: pixels across of level 0.
        height: pixels down of level 0.
        block: side of a block, pixels, a multiple of 16.
        spool: an empty file, to keep blocks in meanwhile.
    """

    def __init__(self, width: int, height: int, block: int, spool: IO[bytes]) -> None:
        self._spool = spool
        self._levels: list[tuple[_Page, _Page]] = []
        while True:
            reduced = bool(self._levels)
            image, mask = (_Page(width, height, block, of, reduced) for of in (False, True))
            self._levels.append((image, mask))
            if max(width, height) <= block:
                break
            width, height = -(-width // 2), -(-height // 2)

    @property
    def levels(self) -> int:
        """Number of resolutions, each half as fine as the one before; the last is one block."""
        return len(self._levels)

    def shape(self, level: int) -> tuple[int, int]:
        """Pixels down and across of a level."""
        page = self._levels[level][0]
        return page.height, page.width

    def put(self, level: int, place: BlockAt, image: bytes, mask: bytes) -> None:
        """Keep a block: a JPEG stream (YCbCr, 4:2:0), and a deflated mask of one bit a pixel."""
        for page, data in zip(self._levels[level], (image, mask), strict=True):
            page.blocks[place] = self._spool.tell(), len(data)
            self._spool.write(data)

    def write(self, target: Path, *, crs: str, transform: Affine, tags: dict[str, str]) -> None:
        """Write the file: what it says of itself, then its blocks, the coarsest first.

        Args:
            target: the file.
            crs: WKT.
            transform: pixels (col, row) of level 0 to the CRS.
            tags: GDAL's metadata.
        """
        pages = [page for level in self._levels for page in level]
        height, width = self.shape(0)
        said = _template(width, height, crs, transform, tags)
        ghost = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n" % len(_GHOST) + _GHOST
        header = 16 + len(ghost) + (-len(ghost) % 8)
        # With any offsets: a directory's size does not depend on them.
        sizes = [
            len(_directory(_all_tags(page, said, [0] * len(list(page.places()))), 0, 0))
            for page in pages
        ]
        starts = [header + sum(sizes[:number]) for number in range(len(pages))]
        offsets = self._offsets(header + sum(sizes))
        with target.open("wb", _AT_ONCE) as file:
            file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, header))
            file.write(ghost.ljust(header - 16, b"\0"))
            for page, start, following in zip(pages, starts, [*starts[1:], 0], strict=True):
                file.write(_directory(_all_tags(page, said, offsets[id(page)]), start, following))
            for page, place in self._in_file_order():
                self._copy(*page.blocks[place], file)

    def _in_file_order(self) -> Iterator[tuple[_Page, BlockAt]]:
        """The blocks there are: coarsest level first, row by row, each before its mask."""
        for image, mask in reversed(self._levels):
            for place in image.places():
                if place in image.blocks:
                    yield image, place
                    yield mask, place

    def _offsets(self, start: int) -> dict[int, list[int]]:
        """Where the blocks of each page come to lie in the file; 0 for one that is empty."""
        starts: dict[tuple[int, BlockAt], int] = {}
        for page, place in self._in_file_order():
            starts[id(page), place] = start + _LEADER
            start += page.blocks[place][1] + 2 * _LEADER
        return {
            id(page): [starts.get((id(page), place), 0) for place in page.places()]
            for level in self._levels
            for page in level
        }

    def _copy(self, start: int, length: int, file: IO[bytes]) -> None:
        self._spool.seek(start)
        data = self._spool.read(length)
        file.write(struct.pack("<I", length))
        file.write(data)
        file.write(data[-_LEADER:])


def _all_tags(page: _Page, said: list[_Tag], offsets: list[int]) -> list[_Tag]:
    counts = [page.blocks.get(place, (0, 0))[1] for place in page.places()]
    tags = page.tags(offsets, counts)
    return sorted(tags if page.mask or page.reduced else [*tags, *said])


def _tag(number: int, kind: int, *values: int) -> _Tag:
    return number, kind, len(values), struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)


def _directory(tags: list[_Tag], start: int, following: int) -> bytes:
    """A BigTIFF directory that lies at ``start``; the next one lies at ``following``."""
    entries, beyond = b"", b""
    base = start + 8 + 20 * len(tags) + 8
    for number, kind, count, value in tags:
        if len(value) <= 8:
            here = value.ljust(8, b"\0")
        else:
            here = struct.pack("<Q", base + len(beyond))
            beyond += value + b"\0" * (-len(value) % 8)
        entries += struct.pack("<HHQ", number, kind, count) + here
    return struct.pack("<Q", len(tags)) + entries + struct.pack("<Q", following) + beyond


def _template(
    width: int, height: int, crs: str, transform: Affine, tags: dict[str, str]
) -> list[_Tag]:
    """What GDAL would write of a file of this place and metadata, besides its pixels."""
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8"}
    profile |= {"SPARSE_OK": True, "BIGTIFF": "YES", "tiled": True, "photometric": "RGB"}
    with MemoryFile() as memory:
        with rasterio.open(memory.name, "w", crs=crs, transform=transform, **profile) as file:
            file.update_tags(**tags)
        return [tag for tag in _first_directory(memory.read()) if tag[0] in _GDALS]


def _first_directory(data: bytes) -> Iterator[_Tag]:
    (start,) = struct.unpack_from("<Q", data, 8)
    (count,) = struct.unpack_from("<Q", data, start)
    for entry in range(count):
        at = start + 8 + 20 * entry
        number, kind, items = struct.unpack_from("<HHQ", data, at)
        length = items * _ITEM_BYTES[kind]
        (value,) = struct.unpack_from("<Q", data, at + 12)
        begin = at + 12 if length <= 8 else value
        yield number, kind, items, data[begin : begin + length]
