"""What came of a job: its products, and what it went on without."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from api.dependencies import JobId, With, base_url, unchanged
from api.problems import documented
from api.results import key_tag, preview_key, result_links
from api.transmission import results as results_as_wished
from api.written import Negotiated
from geogaze.errors import ResultNotReady

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=Negotiated)

RESULTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A document, or raw: one product, or several as multipart/related.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "additionalProperties": True},
                "example": {
                    "heat-airplane": {
                        "href": "https://heat.example.org/jobs/…/assets/heat-airplane.tif",
                        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                        "title": "heat-airplane.tif",
                        "length": 250811,
                    }
                },
            },
            "multipart/related": {},
            "application/octet-stream": {},
        },
    },
    204: {"description": "Raw, by reference: the links are headers."},
}
"""Answers with what came of a job."""


@router.get(
    "/{job}/results",
    response_class=Response,
    responses={
        **RESULTS,
        304: {"description": "The same as before."},
        307: {"description": "Where one raw product lies that is too large to be sent from here."},
        **documented(404, 410),
    },
)
def results(
    request: Request,
    job_id: JobId,
    services: With,
    mode: Annotated[
        Literal["reference"] | None,
        Query(alias="transmissionMode", description="Links, whatever was asked for at execution."),
    ] = None,
) -> Response:
    """A successful job's products, as the execution asked for them: most as links, which work for
    as long as the job is kept.
    """
    base = base_url(request)
    if mode == "reference":
        return JSONResponse(result_links(services, job_id, base))
    return results_as_wished(request, services, job_id, base)


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
