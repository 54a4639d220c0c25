"""The files of a job, under addresses that stay: what readers of COGs and pages go by."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.dependencies import JobId, With
from api.problems import documented
from api.results import product_named, product_of_file
from api.sending import sent
from geogaze.products.page.assembling import PAGE

router = APIRouter(prefix="/jobs", tags=["jobs"])

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
    return sent(request, services, made, by_page=by_page)


@router.get("/{job}/results/{output:path}", response_class=Response, responses=_ANSWERS)
def result(request: Request, job_id: JobId, output: str, services: With) -> Response:
    """A product of a successful job by its name in the results, as its file is."""
    return sent(request, services, product_named(services, job_id, output))
