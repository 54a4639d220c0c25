"""The landing page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api import catalogue, openapi, tilesets
from api.access import Need, needs
from api.dependencies import base_url
from api.documents import Link
from api.problems import documented
from api.routes.conformance import CONFORMANCE

router = APIRouter()

_REL = "http://www.opengis.net/def/rel/ogc/1.0"


@router.get("/", tags=["service"], summary="Landing page", responses=documented())
@needs(Need.NOTHING)
def landing_page(request: Request, response: Response) -> dict[str, Any]:
    """Where everything is. Browsers get a page of the jobs, unless `f=json` is said."""
    response.headers["Vary"] = "Accept"
    base = base_url(request)
    links = [
        Link(href=f"{base}/", title="this page"),
        *(
            Link(
                href=f"{base}/{file}",
                rel="service-desc",
                type=f"{openapi.MEDIA_TYPE}{version}",
                title=f"OpenAPI {version}",
            )
            for file, version in (("openapi-3.0.json", "3.0"), ("openapi.json", "3.1"))
        ),
        Link(href=f"{base}/?f=html", rel="alternate", type="text/html", title="as a page"),
        Link(href=f"{base}/docs", rel="service-doc", type="text/html"),
        Link(href=f"{base}/conformance", rel=f"{_REL}/conformance"),
        Link(href=f"{base}/processes", rel=f"{_REL}/processes"),
        Link(href=f"{base}/jobs", rel=f"{_REL}/job-list"),
        Link(href=f"{base}/tileMatrixSets", rel=tilesets.SCHEMES),
    ]
    stac = catalogue.landing(base)
    return {
        **stac,
        "title": "geogaze",
        "description": "Where on the map does a neural network look?",
        "conformsTo": CONFORMANCE,
        "links": [*(link.model_dump(exclude_none=True) for link in links), *stac["links"]],
    }
