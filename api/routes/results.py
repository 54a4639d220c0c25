"""What came of a job: its products, and what it went on without."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.dependencies import JobId, With
from api.problems import documented
from api.results import result_links
from geogaze.errors import ResultNotReady

router = APIRouter(prefix="/jobs", tags=["jobs"])

_RESULTS = {
    "heat-airplane": {
        "href": "https://s3.example/geogaze/jobs/…/heat-airplane.tif?X-Amz-Signature=…",
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
def results(job_id: JobId, services: With) -> dict[str, dict[str, Any]]:
    """Links to a successful job's products; they work for a while without further credentials."""
    return result_links(services, job_id)


@router.get("/{job}/skipped", responses=documented(404))
def skipped(job_id: JobId, services: With) -> dict[str, list[dict[str, Any]]]:
    """Tiles that a successful job went on without: why, how many, and where it went wrong which."""
    status = services.ledger.status(job_id)
    assets = services.ledger.assets(job_id)
    if assets is None:
        raise ResultNotReady(f"Job {job_id} is {status.state.value}; ask again once it succeeded.")
    return {"skipped": assets["skipped"]}
