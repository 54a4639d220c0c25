"""The files of a job, under addresses that stay: what readers of COGs and pages go by."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from api.dependencies import JobId, Services, With, unchanged
from api.middleware import ASKED_HEAD
from api.problems import documented
from api.results import product_named, product_of_file
from geogaze.errors import ObjectNotFound
from geogaze.products.page.assembling import PAGE

router = APIRouter(prefix="/jobs", tags=["jobs"])

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_CARRIED = 8 * 2**20  # most bytes of one answer that come through here from a bucket

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file."},
    206: {"description": "The range of it that was asked for."},
    304: {"description": "The same as before."},
    307: {"description": "Where the file lies; the address works for a while, this one stays."},
    416: {"description": "It has no such range."},
    **documented(404, 410),
}


@router.get("/{job}/assets/{file:path}", response_class=Response, responses=_ANSWERS)
def asset(request: Request, job_id: JobId, file: str, services: With) -> Response:
    """A file of a successful job, whole or by ranges.

    It is sent, or where objects lie in a bucket a fresh link to it there. The job's page is sent
    always, and so is what it reads of the files beside it: browsers follow links from page to
    bucket only where the bucket allows it.
    """
    made = product_of_file(services, job_id, file)
    page = f"/jobs/{request.path_params['job']}/assets/{PAGE}"
    by_page = request.headers.get("referer", "").partition("?")[0].endswith(page)
    return _sent(request, services, made, by_page=by_page)


@router.get("/{job}/results/{output:path}", response_class=Response, responses=_ANSWERS)
def result(request: Request, job_id: JobId, output: str, services: With) -> Response:
    """A product of a successful job by its name in the results, as its file is."""
    return _sent(request, services, product_named(services, job_id, output))


def _sent(
    request: Request, services: Services, made: dict[str, Any], *, by_page: bool = False
) -> Response:
    """A product, a link to it, or its head."""
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
    if by_page and (carried := _carried(request, services, made, headers)):
        return carried
    seconds = services.settings.presign_seconds
    again = {"Cache-Control": f"private, max-age={seconds // 2}", "Vary": "Referer"}
    return RedirectResponse(services.storage.link(made["key"], seconds), headers=again)


def _carried(
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
