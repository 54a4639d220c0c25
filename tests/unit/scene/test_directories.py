"""Headers that async-tiff would hang or die of: GDAL reads such files, or refuses them."""

from __future__ import annotations

import asyncio
import random
import struct
from pathlib import Path

import pytest

from geogaze.scene.decoders import gdal_decoder, ranged_decoder
from geogaze.scene.directories import read_directories
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.source import Source
from geogaze.scene.tiles import Tiles
from tests.factories import make_scene
from tests.hosts import Host
from tests.unit.scene.tags import COUNTS, OFFSETS, Tags
from tests.unit.scene.test_tiled import QUICK, facts

BYTE = 1


def directories(data: bytes, most: int = 3) -> bytes | None:
    """What is taken of a file, by so many requests."""
    asked = []

    async def get(start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return data[start:stop]

    found = asyncio.run(read_directories(get))
    assert len(asked) <= most
    return found


@pytest.fixture
def port(host: Host) -> Path:
    return make_scene(host.folder / "a.tif", 64, 64, compress="deflate")


@pytest.mark.parametrize("big", ["YES", "NO"])
@pytest.mark.parametrize("order", ["BIG", "LITTLE"])
def test_sound_directories_are_taken_as_far_as_they_reach(
    tmp_path: Path, big: str, order: str
) -> None:
    file = make_scene(tmp_path / "a.tif", 200, 200, BIGTIFF=big, ENDIANNESS=order)
    data = file.read_bytes()
    assert directories(data) == data[: 2**16]


def test_values_behind_a_directory_belong_to_it() -> None:
    """Those of 160,000 tiles do not fit into the first request."""
    values = 4 * 160_000
    start = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, OFFSETS, 4, 160_000, 100, 0)
    data = start.ljust(100, b"\0") + bytes(values)
    found = directories(data + bytes(2**20))
    assert found is not None
    assert data == found[: len(data)]
    assert directories(data[:-1]) is None


def test_directories_that_never_end_are_left_to_gdal(host: Host, port: Path) -> None:
    Tags.of(port).write(port)
    assert facts(host, "a.tif").decoder == ranged_decoder()
    Tags.of(port).write(port, then=-1)
    assert facts(host, "a.tif").decoder == gdal_decoder()


def test_a_directory_at_the_end_of_a_large_file_is_left_to_gdal(host: Host, port: Path) -> None:
    """As async-tiff would fetch all that lies in front of it, for each unit of a job."""
    Tags.of(port).write(port, far=2**25)
    before = len(host.asked)
    assert facts(host, "a.tif").decoder == gdal_decoder()
    assert len(host.asked) - before < 10


def test_more_entries_or_values_than_there_can_be_are_not_waited_for(port: Path) -> None:
    for kind, count in ((BYTE, 2**22), (BYTE, 2**32 - 1), (99, 1)):
        tags = Tags.of(port)
        tags.entries[65000] = kind, count, 8
        tags.write(port)
        assert directories(port.read_bytes(), 1 if count > 2**22 else 2) is None
    tags = Tags.of(make_scene(port, 64, 64))
    tags.entries |= {65000 + n: (BYTE, 2**19, 8) for n in range(5)}
    tags.write(port, far=2**19)
    assert directories(port.read_bytes()) is None, "the same values, again and again"
    big = struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 2**60)
    assert directories(big + bytes(100), 1) is None
    assert directories(struct.pack("<2sHI", b"II", 42, 2**25) + bytes(100), 1) is None
    assert directories(b"") is None
    assert directories(port.read_bytes()[:-3]) is None


def test_lists_of_tiles_that_are_too_short_are_no_plain_files(host: Host, port: Path) -> None:
    """async-tiff looks for a tile behind their end."""
    for tag in (OFFSETS, COUNTS):
        tags = Tags.of(make_scene(port, 200, 200))
        kind, _, held = tags.entries[tag]
        tags.entries[tag] = kind, 2, held
        tags.write(port)
        assert layout(host) is None
    tags = Tags.of(make_scene(port, 200, 200, compress="deflate"))
    assert layout(host) is not None
    kind, _, held = tags.entries[COUNTS]
    struct.pack_into({3: "<H", 4: "<I"}[kind], tags.body, held, 0)
    port.write_bytes(tags.body)
    assert layout(host) is None, "and one tile has no bytes"


def test_damaged_headers_are_understood_or_not_but_no_more(host: Host, port: Path) -> None:
    """Bytes drawn by chance: nothing hangs, dies, or is fetched without end."""
    drawn = random.Random(7)
    Tags.of(make_scene(port, 96, 96, compress="lzw")).write(port)
    sound = port.read_bytes()
    (start,) = struct.unpack_from("<I", sound, 4)
    plain = 0
    for _ in range(150):
        data = bytearray(sound)
        for _ in range(drawn.randint(1, 3)):
            data[drawn.randrange(start, len(data))] = drawn.randrange(256)
        port.write_bytes(data)
        before = len(host.asked)
        plain += layout(host) is not None
        assert len(host.asked) - before <= 2, "the file is shorter than a first request"
    assert 0 < plain < 150


def layout(host: Host) -> object:
    tiles = Tiles(Source(host.uri("a.tif"), SourcePolicy.local(), QUICK))
    tiles.close()
    return tiles.layout
