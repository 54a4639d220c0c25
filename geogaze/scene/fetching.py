"""Byte ranges of a remote scene, several at once, from where it may come from and nowhere else.

Written on httpx, because object stores' clients follow redirects without asking.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import Sequence
from http import HTTPStatus

import httpx

from geogaze.s3 import presigned_url
from geogaze.scene.asking import RangeUnread
from geogaze.scene.reaching import reaching
from geogaze.scene.source import Source
from geogaze.scene.version import version_of

AT_ONCE = 16
"""Requests in flight for one open scene."""

GROUP_BYTES = 2**20
"""Of one request; more only where a single tile has more."""

_GAP_BYTES = 2**16
_HOPS = 5
_AGAIN_SECONDS = 0.5
_AS_IT_IS = {"Accept-Encoding": "identity"}
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class Ranges:
    """Ranges of one scene's file. Made outside the event loop, then of one; ``close`` it there.

    Args:
        source: the scene.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._settings = settings = source.settings
        self._path = source.gdal_path
        self._version = source.seen.version  # a look, which waits: not on the event loop
        self._led_to: str | None = None
        self._size: int | None = None
        self._room = asyncio.Semaphore(AT_ONCE)
        self.requests = 0
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        timeout = httpx.Timeout(settings.silence_seconds, connect=settings.connect_seconds)
        # A store's endpoint is the operator's own word; hosts are others'.
        own = source.policy.hosts is None or self._path.startswith("/vsis3/")
        self._client = httpx.AsyncClient(
            timeout=timeout,
            limits=limits,
            follow_redirects=False,
            transport=reaching(settings, anywhere=own, limits=limits),
        )

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def get(self, start: int, stop: int) -> bytes:
        """The bytes from one place to another; fewer at the file's end alone.

        Raises:
            RangeUnread: they did not come, or are of another version.
            SceneUnreadable: its host sends to where scenes may not come from.
        """
        if self._size is not None and start >= self._size:
            return b""  # asked for, it would be a refusal
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

    async def get_all(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several ranges; of those that lie close together by one request.

        Raises:
            RangeUnread: as of one.
            SceneUnreadable: likewise.
        """
        whole = _merged(sorted(spans))
        came = await asyncio.gather(*(self.get(*span) for span in whole))
        firsts = [start for start, _ in whole]
        found = []
        for start, stop in spans:
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
        if self._version and version_of(answer.headers) != self._version:
            raise RangeUnread("it was replaced meanwhile")
        sent = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if not sent or int(sent[1]) != start:
            raise RangeUnread("its host sent another part than was asked for")
        self._size = int(sent[3]) if sent[3].isdigit() else None
        size = int(sent[2]) + 1 if self._size is None else self._size
        data = bytearray()
        async for piece in answer.aiter_raw():
            data += piece
            if len(data) > stop - start:
                raise RangeUnread("its host sent more than was asked for")
        if len(data) < min(stop, size) - start:
            raise _Passing("its host sent less than was asked for")
        return bytes(data)


def near(end: int, start: int) -> bool:
    """Whether what lies between two ranges is rather thrown away than left to another request."""
    return start - end <= _GAP_BYTES


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that lie close together as one of up to ``GROUP_BYTES``."""
    whole: list[tuple[int, int]] = []
    for start, stop in spans:
        end = max(whole[-1][1], stop) if whole else stop
        if whole and near(whole[-1][1], start) and end - whole[-1][0] <= GROUP_BYTES:
            whole[-1] = whole[-1][0], end
        else:
            whole.append((start, stop))
    return whole


class _Passing(Exception):
    """What the next try may not meet."""
