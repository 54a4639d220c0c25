"""Ranges of a remote file: whole, of one version, and no more of them at once than fit."""

from __future__ import annotations

import asyncio

import pytest

from geogaze.scene.asking import RangeUnread
from geogaze.scene.fetching import GROUP_BYTES, Ranges
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.source import Source
from tests.factories import make_scene
from tests.hosts import Host
from tests.unit.scene.test_tiled import ASYNC, QUICK

MIB = 2**20


def get(host: Host, *spans: tuple[int, int]) -> list[bytes]:
    ranges = Ranges(Source(host.uri("a.tif"), SourcePolicy.local(), QUICK))

    async def ask() -> list[bytes]:
        try:
            return await ranges.get_all(spans)
        finally:
            await ranges.close()

    return asyncio.run(ask())


def test_ranges_come_in_the_order_asked_for_and_only_so_much_at_once(host: Host) -> None:
    data = bytes(range(256)) * (4 * MIB // 256)
    (host.folder / "a.tif").write_bytes(data)
    parts = [(at, at + MIB // 4) for at in range(0, 4 * MIB, MIB // 4)]
    overlapping = [(5, 2 * MIB), (5, 50), (MIB, MIB + 9), (4 * MIB - 3, 4 * MIB + 70)]
    spans = [*parts[::-1], *overlapping]
    assert get(host, *spans) == [data[start:stop] for start, stop in spans]
    before = len(host.asked)
    assert GROUP_BYTES == MIB
    get(host, *parts)
    assert len(host.asked) - before == 4 + 1, "and one look for the version"


@pytest.mark.parametrize("mood", ["short", "hangs up", "all of it", "elsewhere"])
def test_less_or_other_bytes_than_were_asked_for_are_none(host: Host, mood: str) -> None:
    (host.folder / "a.tif").write_bytes(bytes(range(200)))
    host.mood, host.after = mood, 1
    with pytest.raises(RangeUnread):
        get(host, (10, 100))


def test_an_answer_cut_short_is_asked_for_once_more(host: Host) -> None:
    data = bytes(range(200))
    (host.folder / "a.tif").write_bytes(data)
    host.mood, host.after, host.until = "short", 1, 2
    assert get(host, (10, 100)) == [data[10:100]]


def test_tiles_of_many_bands_that_lie_apart_are_no_single_request(host: Host) -> None:
    """Which would be refused, or all of a file at once."""
    make_scene(host.folder / "a.tif", 256, 256, bands=70, interleave="band")
    bands = tuple(range(1, 71))
    with open_reader(host.uri("a.tif"), SourcePolicy.local(), QUICK, decoder=ASYNC) as reader:
        before = len(host.asked)
        reader.pixels(bands, (0, 0, 256, 256), (256, 256))
        assert len(host.asked) - before >= 70 * 256 * 256 / GROUP_BYTES


def test_what_lies_behind_the_end_is_not_asked_for(host: Host) -> None:
    """A damaged header would look like an outage, as hosts refuse such ranges."""
    (host.folder / "a.tif").write_bytes(bytes(range(100)))
    assert get(host, (90, 120)) == [bytes(range(90, 100))]

    ranges = Ranges(Source(host.uri("a.tif"), SourcePolicy.local(), QUICK))

    async def ask() -> list[bytes]:
        try:
            return [await ranges.get(0, 2), await ranges.get(100, 120)]
        finally:
            await ranges.close()

    before = len(host.asked)
    assert asyncio.run(ask()) == [b"\0\1", b""]
    assert len(host.asked) - before == 1
