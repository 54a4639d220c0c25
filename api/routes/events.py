"""A job as it goes, pushed: Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import JobId, With, base_url, seen_by
from api.documents import status_info
from api.problems import documented
from api.results import key_tag
from api.so_far import at_work
from api.watching import Watching

router = APIRouter(prefix="/jobs", tags=["jobs"])


def _known(job_id: JobId, services: With) -> None:
    """Refuse who may not see the job, before anything is sent."""
    services.ledger.status(job_id)


@router.get(
    "/{job}/events",
    response_class=EventSourceResponse,
    responses=documented(404),
    dependencies=[Depends(_known)],
)
async def events(request: Request, job_id: JobId) -> AsyncIterator[ServerSentEvent]:
    """A job's status whenever it changes, until it has ended; and that there is more to see.

    `status` events carry the job's document, `preview` events the link of its picture so far, and
    `heat` events that of its heat so far, each time that more units are done. Each says all there
    is, so that whoever comes back has missed nothing.
    """
    watching: Watching = request.app.state.watching
    settings = seen_by(request).settings
    base, shown, done = base_url(request), "", 0
    async for seen in watching.changes(job_id):
        told = status_info(seen.status, base, settings)
        status = told.model_dump(mode="json", by_alias=True, exclude_none=True)
        yield ServerSentEvent(event="status", data=status)
        if seen.picture and (tag := key_tag(seen.picture.key)) != shown:
            shown = tag
            link = f"{base}/jobs/{job_id}/preview"
            yield ServerSentEvent(
                event="preview", data={"href": link, "tag": tag, "tiles": seen.picture.tiles}
            )
        if at_work(seen.status) and seen.status.items_done > done:
            done = seen.status.items_done
            link = f"{base}/jobs/{job_id}/so-far"
            yield ServerSentEvent(event="heat", data={"href": link, "tiles": done})
