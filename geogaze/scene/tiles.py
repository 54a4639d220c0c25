"""The tiles of a remote GeoTIFF, fetched many at once and decoded on several threads."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from geogaze.errors import SceneAway
from geogaze.grid.lattice import Box
from geogaze.scene.asking import RangeUnread
from geogaze.scene.directories import read_directories
from geogaze.scene.fetching import AT_ONCE, GROUP_BYTES, Ranges, near
from geogaze.scene.inflating import check_frames, decoders
from geogaze.scene.plain import Layout, layout_of
from geogaze.scene.source import Source

if TYPE_CHECKING:
    from async_tiff import ImageFileDirectory, ThreadPool, Tile

_MASK = 4  # of NewSubfileType

Found = TypeVar("Found")


class Tiles:
    """The tiles of a remote GeoTIFF, on an event loop of their own.

    ``layout`` is None where it is not plain.

    Raises:
        SceneAway: its header did not come.
    """

    def __init__(self, source: Source) -> None:
        self._ranges = Ranges(source)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="tiles")
        self._thread.start()
        try:
            ifds = self._wait(_directories(self._ranges))
        except RangeUnread as error:
            self.close()
            raise SceneAway(f"{source.uri!r} could not be opened where it lies: {error}") from error
        except BaseException:
            self.close()
            raise
        self._ifd = ifds[0] if ifds else None
        masked = any((ifd.new_subfile_type or 0) & _MASK for ifd in ifds)
        self.layout: Layout | None = layout_of(ifds[0]) if ifds and not masked else None
        self._decoders = decoders(self.layout) if self.layout else None

    @property
    def requests(self) -> int:
        """How many were made."""
        return self._ranges.requests

    def read(self, box: Box, bands: Sequence[int]) -> NDArray[Any]:
        """The pixels (bands, h, w) of a box inside the scene.

        Args:
            box: in the scene's pixels.
            bands: from 1, each once.

        Raises:
            RangeUnread: a tile did not come, or is damaged.
        """
        return self._wait(self._read(box, bands))

    def close(self) -> None:
        """Hang up."""
        if not self._loop.is_closed():
            self._wait(self._ranges.close())
        self._stop()

    def _wait(self, doing: Coroutine[Any, Any, Found]) -> Found:
        if self._loop.is_closed():
            doing.close()
            raise RuntimeError("The scene is closed.")
        future: Future[Found] = asyncio.run_coroutine_threadsafe(doing, self._loop)
        return future.result()

    def _stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _read(self, box: Box, bands: Sequence[int]) -> NDArray[Any]:
        layout = self.layout
        assert layout is not None
        assert self._ifd is not None
        shape = (len(bands), box[2] - box[0], box[3] - box[1])
        values = np.empty(shape, dtype=layout.dtype)
        room = asyncio.Semaphore(AT_ONCE)  # so many groups are in memory
        groups = _groups(self._ifd, layout.tiles(box))
        doing = [
            asyncio.ensure_future(self._group(group, room, box, bands, values)) for group in groups
        ]
        try:
            await asyncio.gather(*doing)
        finally:
            for task in doing:
                task.cancel()
            await asyncio.gather(*doing, return_exceptions=True)
        return values

    async def _group(
        self,
        group: list[tuple[int, int]],
        room: asyncio.Semaphore,
        box: Box,
        bands: Sequence[int],
        values: NDArray[Any],
    ) -> None:
        """Fetch and decode some tiles, and put them where they belong in ``values``."""
        layout = self.layout
        assert layout is not None
        assert self._ifd is not None
        picked = [band - 1 for band in bands]
        async with room:
            for tile in await self._fetch(group):
                top, left = tile.y * layout.tile[0], tile.x * layout.tile[1]
                pixels = await self._decode(tile, layout)
                first, last = max(top, box[0]), min(top + layout.tile[0], box[2])
                before, behind = max(left, box[1]), min(left + layout.tile[1], box[3])
                part = pixels[:, first - top : last - top, before - left : behind - left]
                if picked != list(range(layout.count)):
                    part = part[picked]
                values[:, first - box[0] : last - box[0], before - box[1] : behind - box[1]] = part

    async def _decode(self, tile: Tile, layout: Layout) -> NDArray[Any]:
        """The pixels (bands, h, w) of a whole tile."""
        assert self._ifd is not None
        try:
            check_frames(layout, self._ifd.jpeg_tables, tile.compressed_bytes)
            array = await tile.decode(decoder_registry=self._decoders, pool=_threads())
        except Exception as error:  # async-tiff has no error of its own
            raise RangeUnread(f"its tile does not decode: {error}") from error
        pixels = np.asarray(array)
        return pixels if layout.planar else pixels.transpose(2, 0, 1)

    async def _fetch(self, group: list[tuple[int, int]]) -> list[Tile]:
        assert self._ifd is not None
        try:
            return await self._ifd.fetch_tiles(group)
        except RangeUnread:
            raise
        except Exception as error:  # as async-tiff passes it on
            raise RangeUnread(str(error)) from error


async def _directories(ranges: Ranges) -> list[ImageFileDirectory]:
    """None where they are not sound, or async-tiff does not understand them."""
    from async_tiff import TIFF

    header = await read_directories(ranges.get)
    if header is None:
        return []
    try:
        tiff = await TIFF.open("scene", store=_Store(header, ranges), prefetch=len(header))
    except Exception:  # it has no error of its own
        return []
    return tiff.ifds


class _Store:
    """What async-tiff asks for bytes: it finds directories in those that were looked through."""

    def __init__(self, header: bytes, ranges: Ranges) -> None:
        self._header, self._ranges = header, ranges

    async def get_range_async(self, path: str, *, start: int, end: int) -> bytes:
        return self._header[start:end]

    async def get_ranges_async(
        self, path: str, *, starts: Sequence[int], ends: Sequence[int]
    ) -> list[bytes]:
        return await self._ranges.get_all(list(zip(starts, ends, strict=True)))


def _groups(
    ifd: ImageFileDirectory, tiles: list[tuple[int, int]]
) -> Iterator[list[tuple[int, int]]]:
    """Tiles that lie close together in the file, as many as are fetched at once."""
    spans = sorted((_spans(ifd.tile_byte_range(*tile)), tile) for tile in tiles)
    group: list[tuple[int, int]] = []
    size, end = 0, 0
    for parts, tile in spans:
        first, last = parts[0]
        more = sum(stop - start for start, stop in parts)
        if group and (not near(end, first) or size + more > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(tile)
        size, end = size + more, last
    if group:
        yield group


def _spans(ranges: tuple[int, int] | list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first and the last byte of a tile; of each of its bands, where they lie apart."""
    return ranges if isinstance(ranges, list) else [ranges]


@cache
def _threads() -> ThreadPool:
    from async_tiff import ThreadPool

    return ThreadPool(len(os.sched_getaffinity(0)))
