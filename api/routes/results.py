"""What came of a job: its products, and what it went on without."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.dependencies import JobId, With, base_url, unchanged
from api.problems import documented
from api.results import key_tag, preview_key, result_links
from geogaze.errors import ResultNotReady

router = APIRouter(prefix="/jobs", tags=["jobs"])

_RESULTS = {
    "heat-airplane": {
        "href": "https://heat.example.org/jobs/…/assets/heat-airplane.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": "heat-airplane.tif",
    }
}


@router.get(
    "/{job}/results",
    responses={
        200: {"content": {"application/json": {"example": _RESULTS}}},
        **documented(404, 410),
    },
)
def results(request: Request, job_id: JobId, services: With) -> dict[str, dict[str, Any]]:
    """Links to a successful job's products; they work for as long as the job is kept."""
    return result_links(services, job_id, base_url(request))


@router.get(
    "/{job}/preview",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": "A PNG; it grows while the job runs."},
        304: {"description": "The same as before."},
        **documented(404, 410),
    },
)
def preview(request: Request, job_id: JobId, services: With) -> Response:
    """Heat of every class as far as the job is, coarse; the contact sheet once it has succeeded."""
    key = preview_key(services, job_id)
    headers = {"Cache-Control": "no-cache", "ETag": f'"{key_tag(key)}"'}
    if unchanged(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(services.storage.get(key), media_type="image/png", headers=headers)


@router.get("/{job}/skipped", responses=documented(404))
def skipped(job_id: JobId, services: With) -> dict[str, list[dict[str, Any]]]:
    """Tiles that a successful job went on without: why, how many, and where it went wrong which."""
    status = services.ledger.status(job_id)
    assets = services.ledger.assets(job_id)
    if assets is None:
        raise ResultNotReady(f"Job {job_id} is {status.state.value}; ask again once it succeeded.")
    return {"skipped": assets["skipped"]}
