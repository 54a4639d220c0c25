"""Jobs: list, status, dismissal, retry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import JobId, With, base_url
from api.documents import JobList, Link, StatusInfo, status_info
from api.problems import documented
from api.written import Negotiated
from geogaze.errors import IllegalTransition, InvalidRequest
from geogaze.ledger.states import JobState
from geogaze.processes.wanted import inputs_of

_TOLD = 1e-6  # seconds that documents tell times to: a job is found by the time that it tells

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=Negotiated)


@router.get("", response_model=JobList, response_model_exclude_none=True, responses=documented())
def jobs(
    request: Request,
    services: With,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    status: Annotated[list[JobState] | None, Query()] = None,
    process: Annotated[list[str] | None, Query(alias="processID")] = None,
    kind: Annotated[list[Literal["process"]] | None, Query(alias="type")] = None,
    min_duration: Annotated[
        float | None, Query(alias="minDuration", ge=0, allow_inf_nan=False)
    ] = None,
    max_duration: Annotated[
        float | None, Query(alias="maxDuration", ge=0, allow_inf_nan=False)
    ] = None,
    interval: Annotated[
        str | None,
        Query(alias="datetime", description="When created: an instant, or START/END, .. for open"),
    ] = None,
) -> Any:
    """Jobs, newest first."""
    since, until = _interval(interval)
    statuses = services.ledger.jobs(
        limit=limit + 1,
        offset=offset,
        states=status or (),
        processes=process or (),
        created_from=since and since - _TOLD,
        created_to=until and until + _TOLD,
        min_seconds=min_duration,
        max_seconds=max_duration,
    )
    base = base_url(request)
    here = urlencode(request.query_params.multi_items())
    links = [Link(href=f"{base}/jobs{'?' if here else ''}{here}", title="this page")]
    if len(statuses) > limit:
        following = [(k, v) for k, v in request.query_params.multi_items() if k != "offset"]
        query = urlencode([*following, ("offset", offset + limit)])
        links.append(Link(href=f"{base}/jobs?{query}", rel="next", title="next page"))
    if offset:
        preceding = [(k, v) for k, v in request.query_params.multi_items() if k != "offset"]
        query = urlencode([*preceding, ("offset", max(0, offset - limit))])
        links.append(Link(href=f"{base}/jobs?{query}", rel="prev", title="previous page"))
    return JobList(
        jobs=[status_info(status, base, services.settings) for status in statuses[:limit]],
        links=links,
    )


@router.get(
    "/{job}",
    response_model=StatusInfo,
    response_model_exclude_none=True,
    responses=documented(404),
)
def job(request: Request, response: Response, job_id: JobId, services: With) -> Any:
    """Where a job stands. Browsers get a page that shows it, unless `f=json` is said."""
    response.headers["Vary"] = "Accept"
    return status_info(services.ledger.status(job_id), base_url(request), services.settings)


@router.get("/{job}/inputs", responses=documented(404))
def inputs(response: Response, job_id: JobId, services: With) -> dict[str, Any]:
    """What was asked for: the inputs of a job, complete. Submitted again they make the same."""
    response.headers["Cache-Control"] = "private, max-age=3600"  # they never change
    asked = inputs_of(services.ledger.request(job_id))
    return {name: value for name, value in asked.items() if value is not None}


@router.delete(
    "/{job}",
    response_model=StatusInfo,
    response_model_exclude_none=True,
    responses=documented(404),
)
def dismiss(request: Request, job_id: JobId, services: With) -> Any:
    """Cancel a job, or remove a finished one. A second time changes nothing.

    Workers leave it with their next batch; its parts and products are removed soon after.
    """
    try:
        status = services.ledger.dismiss(job_id)
    except IllegalTransition:
        status = services.ledger.status(job_id)
    return status_info(status, base_url(request), services.settings)


@router.post(
    "/{job}/retry",
    response_model=StatusInfo,
    response_model_exclude_none=True,
    responses=documented(404, 409),
)
def retry(request: Request, job_id: JobId, services: With) -> Any:
    """Go on with a failed job: what it has done stays, only the rest is tried again."""
    return status_info(services.ledger.retry(job_id), base_url(request), services.settings)


def _interval(text: str | None) -> tuple[float | None, float | None]:
    if text is None:
        return None, None
    start, separator, end = text.partition("/")
    if not separator:
        end = start
    return _instant(start), _instant(end)


def _instant(text: str) -> float | None:
    if text in {"", ".."}:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(
            f"datetime: {text[:80]!r} is not an RFC 3339 date and time."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
