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
from geogaze.scene.fetching import AT_ONCE, Ranges, near
from geogaze.scene.plain import Layout, layout_of
from geogaze.scene.source import Source

if TYPE_CHECKING:
    from async_tiff import ImageFileDirectory, ThreadPool

_GROUP_BYTES = 2**20  # of one request
_HEADER_BYTES = 2**16  # of the first request; async-tiff asks for more where that is not all
_MASK = 4  # of NewSubfileType
_LONGEST = 64 * 2**20

Found = TypeVar("Found")


class Tiles:
    """The tiles of a remote GeoTIFF, on an event loop of their own.

    ``layout`` is None where it is not plain.

    Raises:
        SceneAway: its header did not come.
    """

    def __init__(self, source: Source) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="tiles")
        self._thread.start()
        try:
            self._ranges, ifds = self._wait(_open(source))
        except RangeUnread as error:
            self._stop()
            raise SceneAway(f"{source.uri!r} could not be opened where it lies: {error}") from error
        except BaseException:
            self._stop()
            raise
        self._ifd = ifds[0] if ifds else None
        masked = any((ifd.new_subfile_type or 0) & _MASK for ifd in ifds)
        self.layout: Layout | None = layout_of(ifds[0]) if ifds and not masked else None

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
                col, row = tile.x, tile.y
                try:
                    pixels = np.asarray(await tile.decode(pool=_threads()))
                except Exception as error:  # async-tiff has no error of its own
                    raise RangeUnread(f"its tile does not decode: {error}") from error
                if not layout.planar:
                    pixels = pixels.transpose(2, 0, 1)
                top, left = row * layout.tile[0], col * layout.tile[1]
                first, last = max(top, box[0]), min(top + layout.tile[0], box[2])
                before, behind = max(left, box[1]), min(left + layout.tile[1], box[3])
                part = pixels[:, first - top : last - top, before - left : behind - left]
                if picked != list(range(layout.count)):
                    part = part[picked]
                values[:, first - box[0] : last - box[0], before - box[1] : behind - box[1]] = part

    async def _fetch(self, group: list[tuple[int, int]]) -> list[Any]:
        assert self._ifd is not None
        try:
            return await self._ifd.fetch_tiles(group)
        except RangeUnread:
            raise
        except Exception as error:  # as async-tiff passes it on
            raise RangeUnread(str(error)) from error


async def _open(source: Source) -> tuple[Ranges, list[ImageFileDirectory]]:
    from async_tiff import TIFF

    ranges = Ranges(source, _LONGEST)
    failed: list[RangeUnread] = []

    class Told:
        """Remembers why a range did not come, which async-tiff may word otherwise."""

        async def get_range_async(self, path: str, **which: Any) -> bytes:
            try:
                return await ranges.get_range_async(path, **which)
            except RangeUnread as error:
                failed.append(error)
                raise

        async def get_ranges_async(self, path: str, **which: Any) -> list[bytes]:
            return await ranges.get_ranges_async(path, **which)

    try:
        tiff = await TIFF.open("scene", store=Told(), prefetch=_HEADER_BYTES)
    except Exception:  # async-tiff has no error of its own
        if failed:
            await ranges.close()
            raise failed[0] from None
        return ranges, []  # no header that it understands
    return ranges, tiff.ifds


def _groups(
    ifd: ImageFileDirectory, tiles: list[tuple[int, int]]
) -> Iterator[list[tuple[int, int]]]:
    """Tiles that lie close together in the file, as one request may fetch them."""
    spans = sorted((*_span(ifd.tile_byte_range(*tile)), tile) for tile in tiles)
    group: list[tuple[int, int]] = []
    start = end = 0
    for first, last, tile in spans:
        if group and (not near(end, first) or max(last, end) - start > _GROUP_BYTES):
            yield group
            group = []
        if not group:
            start, end = first, last
        group.append(tile)
        end = max(end, last)
    if group:
        yield group


def _span(ranges: tuple[int, int] | list[tuple[int, int]]) -> tuple[int, int]:
    """The first and the last byte of a tile; of its first band, where bands lie apart."""
    return ranges if isinstance(ranges, tuple) else ranges[0]


@cache
def _threads() -> ThreadPool:
    from async_tiff import ThreadPool

    return ThreadPool(len(os.sched_getaffinity(0)))
