"""What is stored of a tile is decoded to a tile and no more, and of JPEGs to what GDAL has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from geogaze.scene.decoders import gdal_decoder, ranged_decoder
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import PartUnread
from geogaze.scene.readers import open_reader
from tests.factories import make_scene, make_values, write_scene
from tests.hosts import Host
from tests.unit.scene.tags import COUNTS, PREDICTOR, Tags
from tests.unit.scene.test_tiled import ASYNC, QUICK, facts

LOSSLESS = ["deflate", "lzw", "zstd"]


def read(host: Host, decoder: str | None, bands: int = 1, side: int = 64) -> NDArray[Any]:
    with open_reader(host.uri("a.tif"), SourcePolicy.local(), QUICK, decoder=decoder) as reader:
        wanted = tuple(range(1, bands + 1))
        return reader.pixels(wanted, (0, 0, side, side), (side, side)).values


def tile(path: Path, side: int, compress: str | None, value: int = 5, bands: int = 1) -> Tags:
    """A file of one tile of one value."""
    sizes = {"blockxsize": side, "blockysize": side}
    values = np.full((bands, side, side), value, dtype="uint8")
    return Tags.of(write_scene(path, values, compress=compress or "none", **sizes))


@pytest.mark.parametrize("compress", LOSSLESS)
def test_a_tile_that_would_inflate_to_far_more_ends_where_it_must(
    host: Host, tmp_path: Path, compress: str
) -> None:
    """A few kilobytes for 16 MiB: the first bytes of them are the tile."""
    bomb = tile(tmp_path / "bomb.tif", 4096, compress).stored()
    tags = tile(host.folder / "a.tif", 64, compress, value=7)
    assert facts(host, "a.tif").decoder == ranged_decoder()
    assert (read(host, ASYNC) == 7).all()
    assert len(bomb) < 64 * 64 + 2**16
    tags.one_tile(bomb)
    tags.write(host.folder / "a.tif")
    assert facts(host, "a.tif").decoder == ranged_decoder()
    assert (read(host, ASYNC) == 5).all()


@pytest.mark.parametrize("compress", LOSSLESS)
@pytest.mark.parametrize("how", ["short", "damaged"])
def test_a_tile_that_is_not_all_there_is_damaged(host: Host, compress: str, how: str) -> None:
    path = make_scene(host.folder / "a.tif", 64, 64, bands=1, compress=compress)
    tags = Tags.of(path)
    data = bytearray(tags.stored())
    if how == "short":
        del data[len(data) // 2 :]
    else:
        data[:8] = b"\xff" * 8
    tags.one_tile(bytes(data))
    tags.write(path)
    assert facts(host, "a.tif").decoder == ranged_decoder()
    with pytest.raises(PartUnread, match="does not decode"):
        read(host, ASYNC)


def test_more_bytes_than_a_tile_may_take_are_left_to_gdal(host: Host) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1, 512, 512), dtype="uint8")
    sizes = {"blockxsize": 512, "blockysize": 512}
    path = write_scene(host.folder / "a.tif", noise, compress="lzw", **sizes)
    tags = Tags.of(path)
    assert tags.entries[COUNTS][2] > noise.size * 1.2, "what LZW makes of noise is still plain"
    assert facts(host, "a.tif").decoder == ASYNC
    tags.one_tile(tags.stored() + bytes(2 * noise.size))
    tags.write(path)
    assert facts(host, "a.tif").decoder == gdal_decoder()
    tags = Tags.of(write_scene(path, noise, **sizes))
    assert facts(host, "a.tif").decoder == ASYNC
    tags.one_tile(tags.stored() + bytes(1))
    tags.write(path)
    assert facts(host, "a.tif").decoder == gdal_decoder(), "uncompressed, and yet not of its size"


@pytest.mark.parametrize("compress", [None, "jpeg", *LOSSLESS])
def test_a_predictor_counts_where_gdal_minds_it(host: Host, compress: str | None) -> None:
    """Files say so of codecs that have none; async-tiff would undo it all the same."""
    path = make_scene(host.folder / "a.tif", 64, 64, bands=1, compress=compress or "none")
    tags = Tags.of(path)
    tags.one(PREDICTOR, 2)
    tags.write(path)
    decoder = facts(host, "a.tif").decoder
    assert decoder == (ranged_decoder() if compress in LOSSLESS else gdal_decoder())
    assert (read(host, decoder) == read(host, gdal_decoder())).all()


@pytest.mark.parametrize(
    ("bands", "options"),
    [
        (1, {"photometric": "minisblack"}),
        (3, {"photometric": "rgb"}),
        (3, {"photometric": "ycbcr"}),
        (3, {"photometric": "rgb", "interleave": "band"}),
        (4, {"photometric": "rgb", "interleave": "band", "ALPHA": "YES"}),
    ],
    ids=str,
)
def test_a_jpeg_differs_a_little(host: Host, bands: int, options: dict[str, str]) -> None:
    """Which is why the decoder is part of what a job is."""
    ramp = np.linspace(0, 255, 256 * 256).reshape(256, 256)
    values = np.stack([ramp, ramp.T, 255 - ramp, np.maximum(ramp, 9)])[:bands].astype("uint8")
    write_scene(host.folder / "a.tif", values, compress="jpeg", **options)
    assert facts(host, "a.tif", bands=tuple(range(1, bands + 1))).decoder == ASYNC
    ours, gdals = (read(host, how, bands, side=256).astype(int) for how in (ASYNC, gdal_decoder()))
    assert abs(ours - gdals).mean(axis=(1, 2)).max() < 1.5, "and bands keep their order"


def test_a_jpeg_of_another_size_is_refused_before_it_is_decoded(host: Host, tmp_path: Path) -> None:
    path = host.folder / "a.tif"
    large = tile(tmp_path / "large.tif", 1024, "jpeg").stored()
    three = tile(tmp_path / "three.tif", 64, "jpeg", bands=3).stored()
    for data in (large, three, b"\xff\xd8\xff", make_values(64, 64).tobytes()[:2000]):
        tags = tile(path, 64, "jpeg")
        tags.one_tile(data)
        tags.write(path)
        with pytest.raises(PartUnread, match="another size than a tile"):
            read(host, ASYNC)
