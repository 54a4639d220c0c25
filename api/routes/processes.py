"""Processes: list, description, execution, quote."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from api.access import Need, needs
from api.dependencies import With, base_url, tenant_of
from api.descriptions import check_outputs, description, plain_inputs, summary
from api.documents import Execute, Link, StatusInfo, status_info
from api.middleware import REQUEST_NAME
from api.problems import documented
from api.results import Finished
from api.routes.results import RESULTS
from api.transmission import MOST_LINKS, results
from api.watching import Watching
from api.written import Negotiated
from geogaze.config import Settings
from geogaze.doors import resolve
from geogaze.errors import InvalidRequest, NoQuote
from geogaze.ledger.submission import known
from geogaze.processes.explain.quote import Quote
from geogaze.processes.plan import ProcessPlan
from geogaze.processes.request import ProcessRequest
from geogaze.processes.submit import asked_for, submit
from geogaze.processes.table import Process, all_processes, find_process
from geogaze.tracing import tell_job

log = structlog.get_logger()

router = APIRouter(route_class=Negotiated)


@router.get("/processes", tags=["processes"], responses=documented())
@needs(Need.NOTHING)
def processes(
    request: Request, limit: Annotated[int, Query(ge=1, le=10_000)] = 10
) -> dict[str, Any]:
    """The processes of this service."""
    base = base_url(request)
    return {
        "processes": [summary(process, base) for process in all_processes()[:limit]],
        "links": [Link(href=f"{base}/processes").model_dump(exclude_none=True)],
    }


@router.get("/processes/{process}", tags=["processes"], responses=documented(404))
@needs(Need.NOTHING)
def process(request: Request, process: str) -> dict[str, Any]:
    """Inputs and outputs of a process."""
    return description(find_process(process), base_url(request))


@router.post(
    "/processes/{process}/execution",
    tags=["processes"],
    status_code=201,
    response_model=StatusInfo,
    response_model_exclude_none=True,
    responses={
        **RESULTS,
        201: {
            "description": "A job that goes on; its status.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **documented(404, 409, 413, 422),
    },
)
async def execute(
    request: Request,
    response: Response,
    process: str,
    body: Execute,
    services: With,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="A word of your own: asked again with it, you get the same job.",
        ),
    ] = None,
    prefer: Annotated[
        str | None, Header(description="`respond-async`: do not wait, where the process lets wait.")
    ] = None,
) -> Any:
    """Start a job: poll the ``Location`` until it ends.

    The job is in the database before this answers. Where the process lists ``sync-execute`` and
    ``respond-async`` is not preferred, the answer are its results, or the job where it takes
    longer than this server lets wait.
    """
    wanted = find_process(process)
    asked = _asked(wanted, body)
    subscriber = _subscriber(body, request, services.settings)
    tenant = tenant_of(request)
    # Before planning: what was accepted once stays accepted, also where the scene is gone by now.
    database, document = services.ledger.database, asked_for(asked, body.wanted)
    job = await run_in_threadpool(
        known, database, tenant, idempotency_key, wanted.id, document, subscriber
    )
    if job is None:
        complete = await run_in_threadpool(asked.with_results, Finished(services))
        plan = await services.planner.plan(wanted, complete)  # on threads nobody else waits for
        check_outputs(wanted, body.outputs or {}, plan.products)
        _check_links(body, plan)
        job = await run_in_threadpool(
            submit,
            services.ledger,
            asked,
            plan,
            tenant=tenant,
            idempotency_key=idempotency_key,
            subscriber=subscriber,
            wanted=body.wanted,
            request_id=request.scope.get(REQUEST_NAME),
        )
        tell_job(job, wanted.id, tenant)
        log.info("job accepted", job=str(job), process=wanted.id, **plan.logged())
    base = base_url(request)
    watching: Watching = request.app.state.watching
    waits = "sync-execute" in wanted.job_control and not _prefers_async(prefer)
    if waits and await watching.ended(job, services.settings.sync_seconds):
        answer = await run_in_threadpool(results, request, services, job, base)
        answer.headers.append("Link", f'<{base}/jobs/{job}>; rel="monitor"')
        return answer
    status = await run_in_threadpool(services.ledger.status, job)
    response.headers["Location"] = f"{base}/jobs/{status.id}"
    if _prefers_async(prefer):
        response.headers["Preference-Applied"] = "respond-async"
    return status_info(status, base, services.settings)


@router.post(
    "/processes/{process}/quote",
    tags=["processes"],
    responses={200: {"model": Quote}, **documented(404, 413)},
)
@needs(Need.READ)
async def quote(process: str, body: Execute, services: With) -> dict[str, Any]:
    """What a job would take: tiles, layers, bytes; time and money once you had one like it.

    The body is that of an execution, and is planned and refused as one. Nothing is started,
    nothing stored.
    """
    wanted = find_process(process)
    if wanted.quote is None:
        raise NoQuote(f"Nobody can tell what a job of {process!r} would take: just run it.")
    asked = _asked(wanted, body)
    complete = await run_in_threadpool(asked.with_results, Finished(services))
    plan = await services.planner.plan(wanted, complete)
    check_outputs(wanted, body.outputs or {}, plan.products)
    alike = {name: getattr(asked, name) for name in wanted.alike}
    earlier = await run_in_threadpool(services.ledger.earlier, wanted.id, alike)
    answer: BaseModel = resolve(wanted.quote)(plan, services.settings, earlier)
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)


def _asked(process: Process, body: Execute) -> ProcessRequest:
    """What a body asks for, without what makes only products that it does not name."""
    request = process.request.parse(plain_inputs(process.request, body.inputs))
    return request.narrowed(body.outputs or {})


def _check_links(body: Execute, plan: ProcessPlan) -> None:
    """Refuse more products by raw reference than the head of an answer holds."""
    named = [name for name in plan.products if "{class}" not in name]
    if body.response == "raw" and sum(map(body.wanted.includes, named)) > MOST_LINKS:
        raise InvalidRequest(
            f"response: at most {MOST_LINKS} products come raw; name some in outputs, or ask for "
            "a document."
        )


def _prefers_async(prefer: str | None) -> bool:
    """Whether a header ``Prefer`` (RFC 7240) asks for what is done anyway."""
    return "respond-async" in {
        wish.partition(";")[0].strip().casefold() for wish in (prefer or "").split(",")
    }


def _subscriber(body: Execute, request: Request, settings: Settings) -> dict[str, str] | None:
    """Where to tell what, and the API's address as this client sees it."""
    if body.subscriber is None:
        return None
    uris = body.subscriber.model_dump(mode="json", exclude_none=True)
    for name, uri in uris.items():
        host = urlsplit(uri).hostname
        if host not in settings.callback_hosts:
            raise InvalidRequest(
                f"{name}: this server may not call {host!r} (GEOGAZE_CALLBACK_HOSTS)."
            )
    return {**uris, "base": base_url(request)}
