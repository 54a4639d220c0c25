"""Sending a product: as a file, as a link to where it lies, or brought here from there."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from api.dependencies import Services, unchanged
from api.middleware import ASKED_HEAD
from geogaze.errors import ObjectNotFound

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_CARRIED = 8 * 2**20  # most bytes of one answer that come through here from a bucket


def sent(
    request: Request,
    services: Services,
    made: dict[str, Any],
    *,
    by_page: bool = False,
    carried: bool = False,
) -> Response:
    """A product, a link to it, or its head.

    Args:
        request: what is answered.
        services: the process's.
        made: the product.
        by_page: whether a job's page asks, which is not led elsewhere unless it asks for too much.
        carried: whether nobody is led elsewhere.
    """
    tag = f'"{made["sha256"]}"'  # products never change, and are the same wherever they lie
    name = made["file"].rpartition("/")[2]
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    if (path := services.storage.file(made["key"])) is not None:
        if not path.is_file():
            raise ObjectNotFound(f"{name} is gone from storage; submit the job again.")
        return FileResponse(
            path,
            media_type=made["type"],
            headers=headers,
            filename=name,
            content_disposition_type="inline",
        )
    if request.scope.get(ASKED_HEAD):  # links are signed for GET
        size = {"Content-Length": str(made["size"]), "Accept-Ranges": "bytes"}
        return Response(media_type=made["type"], headers={**headers, **size})
    if made["type"].startswith("text/html"):  # what it links to lies here, as it must itself
        return Response(services.storage.get(made["key"]), media_type=made["type"], headers=headers)
    if carried:
        return Response(services.storage.get(made["key"]), media_type=made["type"], headers=headers)
    if by_page and (some := _some(request, services, made, headers)):
        return some
    seconds = services.settings.presign_seconds
    again = {"Cache-Control": f"private, max-age={seconds // 2}", "Vary": "Referer"}
    return RedirectResponse(services.storage.link(made["key"], seconds), headers=again)


def _some(
    request: Request, services: Services, made: dict[str, Any], headers: dict[str, str]
) -> Response | None:
    """A product in a bucket, or a range of it, brought here; None where that is too much."""
    size, tag = made["size"], headers["ETag"]
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if request.headers.get("if-range", tag) != tag or not (asked and any(asked.groups())):
        asked = None
    start, stop = 0, size
    if asked:
        first, last = asked.groups()
        start = int(first) if first else max(0, size - int(last))
        stop = min(size, int(last) + 1) if first and last else size
        if first and last and int(last) < int(first):  # is no range, and so not asked for
            asked, start, stop = None, 0, size
    headers = {**headers, "Accept-Ranges": "bytes", "Vary": "Referer"}
    if asked and start >= stop:
        beyond = {**headers, "Content-Range": f"bytes */{size}"}
        return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=beyond)
    if stop - start > _CARRIED:
        return None
    data = services.storage.get(made["key"], start, stop)
    if not asked:
        return Response(data, media_type=made["type"], headers=headers)
    span = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return Response(data, HTTPStatus.PARTIAL_CONTENT, {**headers, **span}, made["type"])
