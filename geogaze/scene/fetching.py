"""Byte ranges of a remote scene, several at once, from where it may come from and nowhere else.

Written on httpx, because object stores' clients follow redirects without asking.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from http import HTTPStatus

import httpx

from geogaze.s3 import presigned_url
from geogaze.scene.asking import RangeUnread
from geogaze.scene.source import Source
from geogaze.scene.version import version_of

AT_ONCE = 16
"""Requests in flight for one open scene."""

_GAP_BYTES = 2**16
_HOPS = 5
_AGAIN_SECONDS = 0.5
_AS_IT_IS = {"Accept-Encoding": "identity"}
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class Ranges:
    """Ranges of one scene's file. Of one event loop; ``close`` it there.

    Args:
        source: the scene.
        longest: no more bytes are asked for at once.
    """

    def __init__(self, source: Source, longest: int) -> None:
        self._source = source
        self._settings = settings = source.settings
        self._path = source.gdal_path
        self._longest = longest
        self._led_to: str | None = None
        self._room = asyncio.Semaphore(AT_ONCE)
        self.requests = 0
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        timeout = httpx.Timeout(settings.silence_seconds, connect=settings.connect_seconds)
        self._client = httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=False)

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def get_range_async(
        self, path: str, *, start: int, end: int | None = None, length: int | None = None
    ) -> bytes:
        """The bytes from ``start`` to ``end``, or so many; fewer at the file's end.

        Raises:
            RangeUnread: they did not come, or are of another version.
        """
        stop = end if end is not None else start + (length or 0)
        if stop - start > self._longest:
            raise RangeUnread(f"{stop - start:,} bytes at once are too many")
        for last in (False, True):
            try:
                async with self._room, asyncio.timeout(self._settings.request_seconds):
                    return await self._ask(start, stop)
            except _Passing as error:
                if last:
                    raise RangeUnread(str(error)) from error
            except TimeoutError as error:
                raise RangeUnread("its host took too long") from error
            except httpx.TimeoutException as error:
                raise RangeUnread("its host is silent") from error
            except httpx.HTTPError as error:
                if last:
                    raise RangeUnread(str(error) or type(error).__name__) from error
            await asyncio.sleep(_AGAIN_SECONDS)
        raise AssertionError("the last try ends in bytes or an error")

    async def get_ranges_async(
        self,
        path: str,
        *,
        starts: Sequence[int],
        ends: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> list[bytes]:
        """Several ranges; of those that lie close together by one request.

        Raises:
            RangeUnread: as of one.
        """
        stops = ends or [a + n for a, n in zip(starts, lengths or (), strict=True)]
        whole = _merged(sorted(zip(starts, stops, strict=True)))
        came = await asyncio.gather(*(self.get_range_async(path, start=a, end=b) for a, b in whole))
        firsts = [start for start, _ in whole]
        found = []
        for start, stop in zip(starts, stops, strict=True):
            at = bisect_right(firsts, start) - 1
            found.append(came[at][start - firsts[at] : stop - firsts[at]])
        return found

    def _address(self) -> str:
        if self._led_to:
            return self._led_to
        if self._path.startswith("/vsis3/"):
            bucket, _, key = self._path.removeprefix("/vsis3/").partition("/")
            return presigned_url(self._settings, bucket, key)
        return self._path.removeprefix("/vsicurl/")

    async def _ask(self, start: int, stop: int) -> bytes:
        url, wanted = self._address(), {"Range": f"bytes={start}-{stop - 1}", **_AS_IT_IS}
        for _ in range(_HOPS):
            self.requests += 1
            async with self._client.stream("GET", url, headers=wanted) as answer:
                if answer.next_request is None:
                    return await self._bytes(answer, start, stop)
                url = str(answer.next_request.url)
            if self._path.startswith("/vsis3/"):
                raise RangeUnread("its store sends elsewhere")
            # Only to where it may be sent to directly.
            self._source.allow(url)
            self._led_to = url
        raise RangeUnread("its address leads round in circles")

    async def _bytes(self, answer: httpx.Response, start: int, stop: int) -> bytes:
        status = answer.status_code
        if status != HTTPStatus.PARTIAL_CONTENT:
            led, self._led_to = self._led_to, None  # a signed address may have run out
            if led or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
                raise _Passing(f"its host answered {status}")
            raise RangeUnread(f"its host answered {status} to a request for a part of it")
        seen = self._source.seen.version
        if seen and version_of(answer.headers) != seen:
            raise RangeUnread("it was replaced meanwhile")
        if not answer.headers.get("content-range", "").startswith(f"bytes {start}-"):
            raise RangeUnread("its host sent another part than was asked for")
        data = bytearray()
        async for piece in answer.aiter_raw():
            data += piece
            if len(data) > stop - start:
                raise RangeUnread("its host sent more than was asked for")
        return bytes(data)


def near(end: int, start: int) -> bool:
    """Whether what lies between two ranges is rather thrown away than left to another request."""
    return start - end <= _GAP_BYTES


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that lie close together as one."""
    whole: list[tuple[int, int]] = []
    for start, stop in spans:
        if whole and near(whole[-1][1], start):
            whole[-1] = whole[-1][0], max(whole[-1][1], stop)
        else:
            whole.append((start, stop))
    return whole


class _Passing(Exception):
    """What the next try may not meet."""
