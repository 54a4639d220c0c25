"""Rasters that are almost right: small ones of many kinds, and a copy of one for each seed."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import rasterio
from rasterio.shutil import copy

from tests.factories import make_scene

_TELLING = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
_BASES = {
    "deflated.tif": {"compress": "deflate", "predictor": 2},
    "lzw.tif": {"compress": "lzw"},
    "zstd.tif": {"compress": "zstd"},
    "packed.tif": {"compress": "packbits"},
    "plain.tif": {},
    "jpeg.tif": {"compress": "jpeg"},
    "planes.tif": {"interleave": "band", "compress": "deflate"},
    "strips.tif": {"tiled": False, "compress": "deflate"},
    "big.tif": {"BIGTIFF": "YES"},
    "floats.tif": {"dtype": "float32", "compress": "deflate", "predictor": 3},
    "words.tif": {"dtype": "uint16", "nodata": 0},
}


def bases(folder: Path) -> list[Path]:
    """One small raster of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, options in _BASES.items():
        sizes = {} if options.get("tiled") is False else {"blockxsize": 32, "blockysize": 32}
        made.append(make_scene(folder / name, 64, 64, **{**sizes, **options}))
    copy(made[4], folder / "cog.tif", driver="COG", blocksize=128)
    copy(made[4], folder / "wave.jp2", driver="JP2OpenJPEG")
    copy(made[4], folder / "mosaic.vrt", driver="VRT")
    with rasterio.open(folder / "masked.tif", "w", **_masked()) as dataset:
        dataset.write(np.ones((1, 64, 64), np.uint8))
        dataset.write_mask(np.eye(64, dtype=bool))
    return [*made, *(folder / n for n in ("cog.tif", "wave.jp2", "mosaic.vrt", "masked.tif"))]


def _masked() -> dict[str, object]:
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(1, 0, 9, 0, -1, 9)}
    return {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint8", **place}


def mutated(data: bytes, seed: int) -> bytes:
    """A copy that differs in a few places, most of them where the file says what it is."""
    dice = random.Random(seed)
    body = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        if not body:
            break
        at = _somewhere(dice, len(body))
        match dice.randrange(7):
            case 0:
                body[at] ^= 1 << dice.randrange(8)
            case 1:
                body[at] = dice.randrange(256)
            case 2 | 3:
                size, code = dice.choice(((2, "<H"), (4, "<I"), (8, "<Q")))
                value = dice.choice((*_TELLING, at, len(body), dice.getrandbits(32)))
                body[at : at + size] = struct.pack(code, value % 2 ** (8 * size))
            case 4:
                del body[at : at + dice.choice((1, 2, 12, 100))]
            case 5:
                body[at:at] = body[at : at + dice.choice((2, 12, 100))]
            case 6:
                del body[max(at, 8) :]
    return bytes(body)


def _somewhere(dice: random.Random, size: int) -> int:
    """Half of the time in the header's 600 bytes, else at the end or anywhere."""
    match dice.randrange(4):
        case 0 | 1:
            return dice.randrange(min(size, 600))
        case 2:
            return dice.randrange(max(0, size - 600), size)
    return dice.randrange(size)
