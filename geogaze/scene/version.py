"""Which version of a scene lies at its place, and how its file starts, without its being read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from geogaze.config import Settings
from geogaze.errors import SceneAway, SceneUnreadable
from geogaze.s3 import s3_client, s3_errors
from geogaze.scene.hrefs import check_public
from geogaze.scene.policy import SourcePolicy

if TYPE_CHECKING:
    import httpx
    from mypy_boto3_s3 import S3Client

_START = 100  # bytes
_PIECE = 2**16
_HOPS = 5
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True)
class Look:
    """A look at a scene's file. ``version`` changes with the content: modification time and size
    of a file, ETag and size of what is remote; None where the store does not tell. ``start`` has
    the first bytes, a hundred unless more were asked for.
    """

    version: str | None
    start: bytes


def look(uri: str, policy: SourcePolicy, settings: Settings, most: int = _START) -> Look:
    """Look at a scene where it lies.

    Args:
        uri: its address.
        policy: where it may lie.
        settings: how long its host may take.
        most: so many bytes of its start are wanted.

    Raises:
        SceneUnreadable: the source is not allowed, not there, or its store refuses to show it.
        SceneAway: its host or store does not answer, or cannot now.
    """
    path = policy.gdal_path(uri)
    if path.startswith("/vsis3/"):
        return _at_object(path.removeprefix("/vsis3/"), uri, settings, most)
    if path.startswith("/vsicurl/"):
        return _at_page(path.removeprefix("/vsicurl/"), uri, policy, settings, most)
    try:
        status = Path(path).stat()
        with Path(path).open("rb") as file:
            return Look(f"{status.st_mtime_ns}-{status.st_size}", file.read(most))
    except OSError as error:
        raise SceneUnreadable(f"{uri!r} cannot be read: {error.strerror}.") from error


@lru_cache(maxsize=4)
def _client(settings: Settings) -> S3Client:
    return s3_client(
        settings,
        connect_seconds=settings.connect_seconds,
        read_seconds=settings.silence_seconds,
        attempts=1,
    )


def _at_object(path: str, uri: str, settings: Settings, most: int) -> Look:
    away, refused = s3_errors()
    bucket, _, key = path.partition("/")
    try:
        answer = _client(settings).get_object(Bucket=bucket, Key=key, Range=_range(most))
        start = answer["Body"].read(most)
    except refused as error:
        raise _judged(error.response["ResponseMetadata"]["HTTPStatusCode"], uri) from error
    except away as error:
        raise SceneAway(f"S3 did not answer for {uri!r}: {error}") from error
    return Look(f"{answer['ETag']}-{_size(answer.get('ContentRange', ''))}", start)


def _range(most: int) -> str:
    return f"bytes=0-{most - 1}"


def _at_page(url: str, uri: str, policy: SourcePolicy, settings: Settings, most: int) -> Look:
    import httpx

    try:
        # A limit for all of it, whatever drips in between.
        asked = _ask(url, uri, policy, settings, most)
        return asyncio.run(asyncio.wait_for(asked, _whole(settings)))
    except (httpx.HTTPError, TimeoutError) as error:
        why = str(error) or "it took too long"
        raise SceneAway(f"The host of {uri!r} did not answer: {why}") from error


def _whole(settings: Settings) -> float:
    return max(settings.connect_seconds, settings.silence_seconds)


async def _ask(url: str, uri: str, policy: SourcePolicy, settings: Settings, most: int) -> Look:
    import httpx

    from geogaze.scene.reaching import reaching

    headers = {"Range": _range(most), "Accept-Encoding": "identity"}

    # By GET: signed links are often for nothing else.
    way = reaching(settings, anywhere=policy.hosts is None, limits=httpx.Limits())
    async with httpx.AsyncClient(
        timeout=_whole(settings), headers=headers, transport=way
    ) as client:
        for _ in range(_HOPS):
            async with client.stream("GET", url) as answer:
                if answer.next_request is None:
                    return await _seen(answer, uri, most)
                url = str(answer.next_request.url)
            # GDAL will follow: only to where it may be sent to directly.
            policy.gdal_path(url)
            check_public(uri, url, policy)
    raise SceneUnreadable(f"The address {uri!r} leads round in circles.")


async def _seen(answer: httpx.Response, uri: str, most: int) -> Look:
    if not answer.is_success:
        raise _judged(answer.status_code, uri)
    start = b""
    async for piece in answer.aiter_raw(_PIECE):
        start += piece
        if len(start) >= most:  # a host without ranges sends all of it
            break
    return Look(version_of(answer.headers), start[:most])


def version_of(headers: Mapping[str, str]) -> str | None:
    """The version of a file by an answer's headers, whose names are in lower case or any."""
    tag = headers.get("etag") or headers.get("last-modified")
    size = _size(headers.get("content-range", "")) or headers.get("content-length")
    return f"{tag}-{size}" if tag else None


def _size(content_range: str) -> str:
    """What follows the slash of ``bytes 0-99/1234``."""
    return content_range.rpartition("/")[2]


def _judged(status: int, uri: str) -> SceneUnreadable | SceneAway:
    """What it means that a store answers so, if not with the scene."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
        return SceneAway(f"The host or store of {uri!r} answered {status}; try again later.")
    if status in _GONE:
        return SceneUnreadable(f"There is no {uri!r}: its host or store answered {status}.")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return SceneUnreadable(f"{uri!r} cannot be opened as a GeoTIFF. It is empty.")
    return SceneUnreadable(
        f"The host or store of {uri!r} refuses to show it ({status}). May geogaze read it, and "
        "with which keys?"
    )
