"""Small rasters, each of another kind, and what a plain reading says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp as C
from rasterio.enums import Resampling

HEIGHT, WIDTH = 100, 150
UTM = Affine(0.5, 0, 430_000, 0, -0.5, 5_410_000)
RED, GREEN, BLUE, GREY, ALPHA = C.red, C.green, C.blue, C.gray, C.alpha


def texture(
    count: int = 3, dtype: str = "uint8", shape: tuple[int, int] = (HEIGHT, WIDTH)
) -> NDArray[Any]:
    """Patches of 12 pixels and noise (count, h, w); integers over 1..their maximum - 1."""
    rng = np.random.default_rng(count + shape[0])
    coarse = rng.random((count, shape[0] // 12 + 1, shape[1] // 12 + 1))
    fine = coarse.repeat(12, axis=1).repeat(12, axis=2)[:, : shape[0], : shape[1]]
    unit = 0.8 * fine + 0.2 * rng.random((count, *shape))
    if np.dtype(dtype).kind == "f":
        return unit.astype(dtype)
    top = min(np.iinfo(dtype).max, 2**40)
    return (1 + unit * (top - 2)).astype(dtype)


@dataclass
class Kind:
    """How to write a raster, and what must be seen of it.

    ``known`` (bands, h, w) or (h, w) says where the chosen bands hold data; ``rescale`` is None
    where it is each band's percentiles 2 and 98.
    """

    values: NDArray[Any]
    known: NDArray[np.bool_] | None = None
    bands: tuple[int, ...] = (1, 2, 3)
    rescale: tuple[float, float] | None = None
    transform: Affine = UTM
    crs: str = "EPSG:32631"
    colours: tuple[C, ...] | None = None
    descriptions: tuple[str, ...] | None = None
    mask: NDArray[np.bool_] | None = None
    overviews: tuple[int, ...] = ()
    warned: str = ""
    profile: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """Write it as it says."""
        count, height, width = self.values.shape
        options = {
            "driver": "GTiff",
            "count": count,
            "height": height,
            "width": width,
            "dtype": self.values.dtype,
            "crs": self.crs,
            "transform": self.transform,
            **self.profile,
        }
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(path, "w", **options) as dataset,
        ):
            if self.colours:
                dataset.colorinterp = self.colours
            if self.descriptions:
                dataset.descriptions = self.descriptions
            if options.get("sparse_ok"):
                blocks = [(w.row_off, w.col_off, w) for _, w in dataset.block_windows(1)]
                for row, col, window in blocks:
                    part = self.values[:, row : row + window.height, col : col + window.width]
                    if part.any():
                        dataset.write(part, window=window)
            else:
                dataset.write(self.values)
            if self.mask is not None:
                dataset.write_mask(self.mask)
        if self.overviews:
            with rasterio.open(path, "r+") as dataset:
                dataset.build_overviews(self.overviews, Resampling.average)
        return path


LEFT = np.broadcast_to(np.arange(WIDTH) < 77, (HEIGHT, WIDTH))
TOP = np.broadcast_to((np.arange(HEIGHT) < 41)[:, None], (HEIGHT, WIDTH))
SPECKLED = np.random.default_rng(8).random((HEIGHT, WIDTH)) < 0.55


def without(values: NDArray[Any], known: NDArray[np.bool_], nodata: float) -> NDArray[Any]:
    """Values with nodata in them."""
    return np.where(known, values, np.asarray(nodata, dtype=values.dtype))


def one_band(known: NDArray[np.bool_], band: int) -> NDArray[np.bool_]:
    """Three bands of which one is known in part."""
    return np.stack([known if i == band else np.ones_like(known) for i in (1, 2, 3)])


def opaque(count: int, *places: int, **options: Any) -> Kind:
    """Bands of which some (from 1) are alpha: the first is opaque left, another one above."""
    values, masks = texture(count), dict(zip(places, (LEFT, TOP), strict=False))
    for place, mask in masks.items():
        values[place - 1] = np.where(mask, 200, 0)
    plain = [i for i in range(1, count + 1) if i not in places]
    return Kind(
        values,
        known=np.logical_and.reduce(list(masks.values())),
        bands=tuple(plain[:3]),
        rescale=(0, 255),
        colours=tuple(ALPHA if i in places else GREY for i in range(1, count + 1)),
        profile={"photometric": "minisblack", **options},
    )


def few_bits(count: int) -> Kind:
    values = np.random.default_rng(1).integers(0, 2**count, (3, HEIGHT, WIDTH), dtype=np.uint8)
    return Kind(values, rescale=(0, 2**count - 1), profile={"nbits": count})


def plain(dtype: str = "uint8", **profile: Any) -> Kind:
    return Kind(
        texture(dtype=dtype), rescale=(0, 255) if dtype == "uint8" else None, profile=profile
    )


def placed(crs: str, transform: Affine, warned: str = "", dtype: str = "uint8") -> Kind:
    kind = plain(dtype)
    kind.crs, kind.transform, kind.warned = crs, transform, warned
    return kind


def shaped(height: int, width: int) -> Kind:
    return Kind(texture(shape=(height, width)), rescale=(0, 255))


def degrees(lon: float, lat: float, size: float = 5e-6) -> Affine:
    return Affine(size, 0, lon, 0, -size, lat)


def _nodata(dtype: str, value: float, known: NDArray[np.bool_], **more: Any) -> Kind:
    values = without(texture(dtype=dtype), known, value)
    rescale = (0, 255) if dtype == "uint8" else None
    return Kind(values, known=known, rescale=rescale, profile={"nodata": value}, **more)  # type: ignore[arg-type]


def _sparse(**profile: Any) -> Kind:
    values = texture(dtype="uint16")
    values[:, 64:, :64] = 0
    known = np.ones((HEIGHT, WIDTH), dtype=bool)
    known[64:, :64] = "nodata" not in profile
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64, "sparse_ok": True}
    return Kind(values, known=known, profile={**tiles, **profile})


def _dark() -> Kind:
    """0 is nodata, and a dark green is not."""
    values = texture()
    values[1, 10:20] = 0
    values[:, 50:, :70] = 0
    known = np.ones((HEIGHT, WIDTH), dtype=bool)
    known[50:, :70] = False
    return Kind(values, known=known, rescale=(0, 255), profile={"nodata": 0})


def _masked_beside_nodata() -> Kind:
    kind = _nodata("uint16", 0, TOP)
    kind.mask, kind.known = np.array(LEFT), LEFT & TOP
    return kind


def _named(*descriptions: str, bands: tuple[int, ...], **more: Any) -> Kind:
    return Kind(
        texture(len(descriptions)),
        bands=bands,
        rescale=(0, 255),
        descriptions=descriptions,
        **more,
    )


def _coloured(*colours: C, bands: tuple[int, ...]) -> Kind:
    return Kind(
        texture(len(colours)),
        bands=bands,
        rescale=(0, 255),
        colours=colours,
        profile={"photometric": "minisblack"},
    )


MOON = "+proj=eqc +lat_ts=0 +lon_0=0 +R=1737400 +units=m +no_defs"
MARS = "+proj=longlat +R=3396190 +no_defs"
OWN = "+proj=laea +lat_0=48 +lon_0=2 +x_0=0 +y_0=0 +datum=WGS84 +units=m"
METRE = Affine(0.5, 0, 1000, 0, -0.5, 2000)
LERC = {"compress": "lerc", "max_z_error": 0}

KINDS: dict[str, Callable[[], Kind]] = {
    # Data types
    "uint8": plain,
    "int8": lambda: plain("int8"),
    "uint16": lambda: plain("uint16"),
    "int16": lambda: plain("int16"),
    "uint32": lambda: plain("uint32"),
    "int32": lambda: plain("int32"),
    "uint64": lambda: plain("uint64"),
    "int64": lambda: plain("int64"),
    "float32": lambda: plain("float32"),
    "float64": lambda: plain("float64"),
    "uint32 near 4e9": lambda: Kind(np.uint32(4_000_000_000) + texture().astype(np.uint32)),
    "float64 near 1e9": lambda: Kind(1e9 + texture(dtype="float64")),
    # Bits
    "1 bit": lambda: few_bits(1),
    "2 bits": lambda: few_bits(2),
    "4 bits": lambda: few_bits(4),
    "12 bits": lambda: Kind(texture(dtype="uint16") // 16, profile={"nbits": 12}),
    # Interleave and blocks
    "band by band": lambda: plain(interleave="band"),
    "pixel by pixel, tiled": lambda: plain(
        interleave="pixel", tiled=True, blockxsize=64, blockysize=64
    ),
    "one strip": lambda: plain("uint16", blockysize=HEIGHT),
    "strips of a row": lambda: plain("uint16", blockysize=1, interleave="band"),
    "tiles of 16": lambda: plain("int16", tiled=True, blockxsize=16, blockysize=16),
    "130 bands": lambda: Kind(
        texture(130), rescale=(0, 255), profile={"interleave": "band", "photometric": "minisblack"}
    ),
    # Bands
    "blue, green, red": lambda: _coloured(BLUE, GREEN, RED, bands=(3, 2, 1)),
    "colours twice": lambda: _coloured(RED, GREEN, BLUE, RED, GREEN, BLUE, bands=(1, 2, 3)),
    "described": lambda: _named("blue", "green", "red", "nir", bands=(3, 2, 1)),
    "Sentinel-2": lambda: _named("B02", "B03", "B04", bands=(3, 2, 1)),
    # Alpha
    "alpha last of four": lambda: opaque(4, 4),
    "alpha first of four": lambda: opaque(4, 1),
    "alpha in the middle": lambda: opaque(5, 3),
    "alpha last of six": lambda: opaque(6, 6),
    "two alphas": lambda: opaque(6, 2, 5),
    "alpha beside nodata": lambda: opaque(4, 4, nodata=255),
    # Nodata
    "nodata 0": _dark,
    "nodata 65535": lambda: _nodata("uint16", 65535, SPECKLED),
    "nodata of floats": lambda: _nodata("float32", float(np.finfo("float32").min), LEFT),
    "nodata in one band": lambda: _nodata("int16", -9999, one_band(LEFT, 2)),
    "NaN": lambda: Kind(without(texture(dtype="float32"), TOP, np.nan), known=TOP),
    "NaN in one band": lambda: _nodata("float32", np.nan, one_band(SPECKLED, 3)),
    "internal mask": lambda: Kind(texture(), known=LEFT, mask=np.array(LEFT), rescale=(0, 255)),
    "internal mask beside nodata": _masked_beside_nodata,
    # Place
    "south up": lambda: placed("EPSG:32631", Affine(0.5, 0, 430_000, 0, 0.5, 5_400_000)),
    "mirrored": lambda: placed("EPSG:32631", Affine(-0.5, 0, 430_000, 0, -0.5, 5_400_000)),
    "rotated": lambda: placed("EPSG:32631", UTM @ Affine.rotation(17)),
    "sheared": lambda: placed("EPSG:32631", UTM @ Affine.shear(15)),
    "degrees": lambda: placed("EPSG:4326", degrees(2.3, 0.1)),
    "degrees far north": lambda: placed("EPSG:4326", degrees(25, 65.0), "too wide"),
    "Web Mercator": lambda: placed("EPSG:3857", Affine(0.7, 0, 256_000, 0, -0.7, 6_250_000)),
    "polar stereographic": lambda: placed("EPSG:3413", Affine(0.5, 0, -30, 0, -0.5, 20)),
    "US feet": lambda: placed("EPSG:2229", Affine(1.5, 0, 6_400_000, 0, -1.5, 1_900_000)),
    "date line": lambda: placed("EPSG:4326", degrees(179.9998, 0.1)),
    "a CRS of its own": lambda: placed(OWN, METRE, dtype="int16"),
    "the Moon": lambda: placed(MOON, METRE),
    "Mars": lambda: placed(MARS, degrees(10, 0.1, 1e-5)),
    # Sparse
    "sparse": lambda: _sparse(nodata=0),
    "sparse without nodata": _sparse,
    # Codecs
    "deflate": lambda: plain("uint16", compress="deflate", predictor=2),
    "deflate, floats": lambda: plain("float32", compress="deflate", predictor=3),
    "LZW": lambda: plain("int16", compress="lzw", predictor=2),
    "Zstandard": lambda: plain("int32", compress="zstd"),
    "LERC": lambda: plain("float32", **LERC),
    "JPEG": lambda: plain(compress="jpeg", photometric="ycbcr", tiled=True),
    "WebP": lambda: plain(compress="webp", webp_lossless=True),
    "PackBits, big endian": lambda: plain("uint16", compress="packbits", endianness="big"),
    "BigTIFF": lambda: plain("uint16", bigtiff="yes"),
    "COG": lambda: plain("uint16", driver="COG", compress="deflate"),
    "overviews": lambda: Kind(texture(dtype="uint16"), overviews=(2, 4)),
    # Sizes
    "one pixel": lambda: shaped(1, 1),
    "7 by 5": lambda: shaped(7, 5),
    "thin": lambda: shaped(3, 400),
    "tall": lambda: shaped(400, 2),
}
