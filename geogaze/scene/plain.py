"""Which GeoTIFFs are so plain that their tiles may be fetched and decoded one by one.

What is not plain (strips, masks apart from the pixels, sparse tiles, rare codecs) GDAL reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geogaze.config import Settings
from geogaze.grid.lattice import Box
from geogaze.scene.reader import blocks_at

if TYPE_CHECKING:
    from async_tiff import ImageFileDirectory
    from rasterio.io import DatasetReader

_LOSSLESS = {"NONE", "LZW", "DEFLATE", "ZSTD"}
_STORED = 1
JPEG = 7
"""Of the Compression tag."""
_PREDICTED = {5, 8, 0x80B2, 0xC350}  # LZW, two names of deflate, Zstandard
_CODECS = {_STORED, JPEG, *_PREDICTED}
_KINDS = {1: "uint", 2: "int", 3: "float"}
_DTYPES = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"}
_CHUNKY, _PLANAR = 1, 2
_ALPHA = {1, 2}  # of ExtraSamples: associated, unassociated
_BLACK_IS_ZERO, _RGB, _YCBCR = 1, 2, 6
_MOST_BYTES = 8 * 2**20
"""Of a decoded tile: some are in memory at once."""
_WORST = 1.5  # times as large as its pixels is what a codec cannot make smaller: LZW's noise
_SLACK = 2**16  # bytes, of small tiles


@dataclass(frozen=True)
class Layout:
    """How a plain GeoTIFF holds its pixels.

    ``codec`` is a number of the Compression tag; ``tile`` is (h, w); ``planar`` says that a band's
    tiles lie apart; ``alpha`` are the bands (from 1) that say how opaque the others are;
    ``nodata`` is the value of missing pixels.
    """

    height: int
    width: int
    count: int
    dtype: str
    codec: int
    tile: tuple[int, int]
    planar: bool
    alpha: tuple[int, ...]
    nodata: float | None

    @property
    def tile_bytes(self) -> int:
        """Of one decoded tile of all bands."""
        return math.prod(self.tile) * self.count * np.dtype(self.dtype).itemsize

    @property
    def part_bytes(self) -> int:
        """Of what is stored together, decoded: a tile, or one band of it where bands lie apart."""
        return self.tile_bytes // (self.count if self.planar else 1)

    def tiles(self, box: Box) -> list[tuple[int, int]]:
        """Column and row of the tiles that a box touches, row by row."""
        return [(col, row) for row, col in blocks_at(box, self.tile)]


def looks_plain(dataset: DatasetReader, bands: Sequence[int]) -> bool:
    """Whether GDAL's view of a file has nothing that speaks against it.

    Args:
        dataset: the open file.
        bands: those wanted, from 1.
    """
    from rasterio.enums import Interleaving, MaskFlags

    codec = dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION", "NONE").upper()
    known = codec in _LOSSLESS or "JPEG" in codec
    own_mask = any(
        MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        for flags in dataset.mask_flag_enums
    )
    # Of bands that lie apart, all are fetched.
    wasteful = dataset.interleaving is Interleaving.band and len(set(bands)) < dataset.count
    width = dataset.block_shapes[0][1]
    tiled = width != dataset.width or width % 16 == 0  # one tile may be as wide as its scene
    return tiled and known and not own_mask and not wasteful


def layout_of(ifd: ImageFileDirectory) -> Layout | None:
    """The layout of a file by its first directory; None where it is not plain."""
    bits, kinds, count = set(ifd.bits_per_sample), set(ifd.sample_format), ifd.samples_per_pixel
    planar, codec = int(ifd.planar_configuration), int(ifd.compression)
    if (
        not ifd.tile_width
        or not ifd.tile_height
        or len(bits) != 1
        or len(kinds) != 1
        or (kind := _KINDS.get(int(min(kinds)))) is None
        or (dtype := f"{kind}{min(bits)}") not in _DTYPES
        or codec not in _CODECS
        or planar not in {_CHUNKY, _PLANAR}
        or (int(ifd.predictor or 1) > 1 and not _predicts(codec, planar, count))
        or ifd.orientation not in {None, 1}
        or not _shown_as_stored(ifd, planar)
    ):
        return None
    first_extra = count - len(ifd.extra_samples or ())
    layout = Layout(
        height=ifd.image_height,
        width=ifd.image_width,
        count=count,
        dtype=dtype,
        codec=codec,
        tile=(ifd.tile_height, ifd.tile_width),
        planar=planar == _PLANAR,
        alpha=tuple(
            first_extra + i
            for i, kind in enumerate(ifd.extra_samples or (), 1)
            if int(kind) in _ALPHA
        ),
        nodata=_number(ifd.gdal_nodata),
    )
    sound = layout.tile_bytes <= _MOST_BYTES and _all_stored(ifd, layout)
    return layout if sound else None


def agrees(layout: Layout, dataset: DatasetReader, alpha: Sequence[int]) -> bool:
    """Whether GDAL understands a file alike, so that the same pixels are known.

    Args:
        layout: what was understood.
        dataset: the same file, as GDAL has it.
        alpha: its alpha bands.
    """
    same_nodata = all(_same(value, layout.nodata) for value in dataset.nodatavals)
    return (
        (layout.height, layout.width, layout.count) == (*dataset.shape, dataset.count)
        and set(dataset.dtypes) == {layout.dtype}
        and set(dataset.block_shapes) == {layout.tile}
        and tuple(alpha) == layout.alpha
        and same_nodata
    )


def within(layout: Layout, settings: Settings) -> bool:
    """Whether a file keeps to the operator's caps."""
    pixels = layout.height * layout.width
    return pixels <= settings.max_scene_pixels and layout.tile_bytes <= settings.max_block_bytes


def _predicts(codec: int, planar: int, count: int) -> bool:
    """Whether async-tiff 0.7 undoes a predictor as GDAL does, which minds none of other codecs.

    It undoes that of bands that lie apart as if they did not.
    """
    return codec in _PREDICTED and (planar == _CHUNKY or count == 1)


def _shown_as_stored(ifd: ImageFileDirectory, planar: int) -> bool:
    """Whether values are what is decoded; of JPEGs, whether both decoders agree on colours.

    async-tiff 0.7 takes three grey bands for colours, and cannot decode two or four at once.
    """
    shown, count = int(ifd.photometric_interpretation), ifd.samples_per_pixel
    if int(ifd.compression) == JPEG and planar == _CHUNKY and count > 1:
        return count == 3 and shown in {_RGB, _YCBCR}
    return shown in {_BLACK_IS_ZERO, _RGB}


def _all_stored(ifd: ImageFileDirectory, layout: Layout) -> bool:
    """Whether every tile lies somewhere, in as many bytes as its pixels may take."""
    places, sizes = ifd.tile_offsets or [], ifd.tile_byte_counts or []
    tiles = len(layout.tiles((0, 0, layout.height, layout.width)))
    if {len(places), len(sizes)} != {tiles * (layout.count if layout.planar else 1)}:
        return False
    if layout.codec == _STORED:
        return min(places) > 0 and set(sizes) == {layout.part_bytes}
    return min(places) > 0 < min(sizes) and max(sizes) <= layout.part_bytes * _WORST + _SLACK


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text.strip("\0 "))
    except ValueError:
        return None


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (math.isnan(one) and math.isnan(other))
