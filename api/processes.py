"""The service's face and its one process, ``explain``."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import text

from api.dependencies import With, WithAll, tenant_of
from api.documents import Execute, Link, StatusInfo, status_info
from geogaze import __version__
from geogaze.bundles import list_bundles
from geogaze.config import Settings
from geogaze.errors import InvalidRequest, ProcessNotFound
from geogaze.ledger.submission import PROCESS, known
from geogaze.planning.request import ExplainRequest
from geogaze.planning.submit import submit

router = APIRouter()

_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_CONF = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
CONFORMANCE = [
    f"{_CONF}/{name}"
    for name in ("core", "ogc-process-description", "json", "job-list", "dismiss", "callback")
]


def base_url(request: Request) -> str:
    """The API's address as the client sees it."""
    return str(request.base_url).rstrip("/")


@router.get("/", tags=["service"], summary="Landing page")
def landing_page(request: Request) -> dict[str, Any]:
    """Where everything is."""
    base = base_url(request)
    openapi = "application/vnd.oai.openapi+json;version=3.1"
    links = [
        Link(href=f"{base}/", title="this page"),
        Link(href=f"{base}/openapi.json", rel="service-desc", type=openapi),
        Link(href=f"{base}/docs", rel="service-doc", type="text/html"),
        Link(href=f"{base}/conformance", rel=f"{_REL}/conformance"),
        Link(href=f"{base}/processes", rel=f"{_REL}/processes"),
        Link(href=f"{base}/jobs", rel=f"{_REL}/job-list"),
    ]
    return {
        "title": "geogaze",
        "description": "Where on the map does a neural network look?",
        "links": [link.model_dump(exclude_none=True) for link in links],
    }


@router.get("/conformance", tags=["service"])
def conformance() -> dict[str, list[str]]:
    """The parts of the standard that this service implements."""
    return {"conformsTo": CONFORMANCE}


@router.get("/health", tags=["service"])
def health(services: WithAll) -> dict[str, str]:
    """Whether the service and its database answer."""
    with services.ledger.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    return {"status": "ok"}


@router.get("/models", tags=["service"])
def models(services: WithAll) -> dict[str, Any]:
    """Bundles that jobs may name, with their classes."""
    bundles = list_bundles(services.settings.model_folders)
    return {
        "models": [
            bundle.model_dump(mode="json", exclude={"folder"}, exclude_none=True)
            for bundle in bundles
        ]
    }


@router.get("/processes", tags=["processes"])
def processes(request: Request) -> dict[str, Any]:
    """The processes of this service: one."""
    return {
        "processes": [_summary(request)],
        "links": [Link(href=f"{base_url(request)}/processes").model_dump(exclude_none=True)],
    }


@router.get("/processes/{process}", tags=["processes"])
def process(request: Request, process: str) -> dict[str, Any]:
    """Inputs and outputs of a process."""
    _check(process)
    schema = ExplainRequest.model_json_schema()
    required = set(schema.get("required", []))
    inputs = {}
    for name, field in schema["properties"].items():
        described = {key: value for key, value in field.items() if key in {"title", "description"}}
        inputs[name] = {
            **described,
            "minOccurs": 1 if name in required else 0,
            "maxOccurs": 1,
            "schema": {k: v for k, v in field.items() if k not in described},
        }
    heat = {"type": "string", "contentMediaType": "image/tiff; application=geotiff"}
    return {
        **_summary(request),
        "inputs": inputs,
        "outputs": {
            "heat-{class}": {"title": "Heat of a class, COG", "schema": heat},
            "overlay-{class}": {"title": "Heat over the scene, COG", "schema": heat},
            "tiles": {
                "title": "Predictions per tile, GeoParquet",
                "schema": {
                    "type": "string",
                    "contentMediaType": "application/vnd.apache.parquet",
                },
            },
            "preview": {
                "title": "Contact sheet",
                "schema": {"type": "string", "contentMediaType": "image/png"},
            },
            "item": {
                "title": "STAC Item",
                "schema": {"type": "string", "contentMediaType": "application/geo+json"},
            },
        },
    }


@router.post(
    "/processes/{process}/execution",
    tags=["processes"],
    status_code=201,
    response_model=StatusInfo,
    response_model_exclude_none=True,
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}},
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
) -> Any:
    """Start a job. Always asynchronous: poll the ``Location`` until it ends.

    The job is in the database before this answers.
    """
    _check(process)
    if any(
        isinstance(wanted, dict) and wanted.get("transmissionMode") == "value"
        for wanted in (body.outputs or {}).values()
    ):
        raise InvalidRequest("Products are large and come by reference, never by value.")
    inputs = dict(body.inputs)
    if isinstance(inputs.get("scene"), dict):
        inputs["scene"] = inputs["scene"].get("href")
    asked = ExplainRequest.parse(inputs)
    subscriber = _subscriber(body, request, services.settings)
    tenant = tenant_of(request, services.settings)
    # Before planning: what was accepted once stays accepted, also where the scene is gone by now.
    engine, document = services.ledger.engine, asked.model_dump(mode="json")
    job = await run_in_threadpool(known, engine, tenant, idempotency_key, document, subscriber)
    if job is None:
        plan = await services.planner.plan(asked)  # on threads that nobody else waits for
        job = await run_in_threadpool(
            submit,
            services.ledger,
            asked,
            plan,
            tenant=tenant,
            idempotency_key=idempotency_key,
            subscriber=subscriber,
        )
    status = await run_in_threadpool(services.ledger.status, job)
    response.headers["Location"] = f"{base_url(request)}/jobs/{status.id}"
    return status_info(status, base_url(request))


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


def _check(process: str) -> None:
    if process != PROCESS:
        raise ProcessNotFound(f"There is no process {process!r}; there is {PROCESS!r}.")


def _summary(request: Request) -> dict[str, Any]:
    link = Link(href=f"{base_url(request)}/processes/{PROCESS}", title="its description")
    return {
        "id": PROCESS,
        "title": "Explain a scene",
        "description": "Grad-CAM heat of every class of an image classifier over a whole scene.",
        "version": __version__,
        "jobControlOptions": ["async-execute", "dismiss"],
        "outputTransmission": ["reference"],
        "links": [link.model_dump(exclude_none=True)],
    }
