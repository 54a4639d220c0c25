"""OGC API – Features over the layers of a finished job: a service of its own below each job."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from api import openapi
from api.catalogue import GEOJSON, QUERYABLES_REL, SCHEMA, GeoJSON, link
from api.dependencies import JobId, With, base_url, unchanged
from api.feature_documents import CONFORMANCE, PARAMETERS, described, itself, parameters, told
from api.features import Collection, Features
from api.problems import documented
from api.selecting import (
    MOST,
    FeatureQuery,
    FeaturesQuery,
    Shown,
    selected,
    uri_of,
)
from api.written import Negotiated
from geogaze.errors import GeogazeError
from geogaze.gis.selection import Selection
from geogaze.version import VERSION

router = APIRouter(prefix="/jobs/{job}/features", tags=["features"], route_class=Negotiated)

_KEPT = "private, max-age=3600"  # products never change, but a job may be removed
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {GEOJSON: {}, "text/html": {}}, "description": "GeoJSON, or a page of it."},
    304: {"description": "The same as before."},
    **documented(404, 410),
}


class FeatureNotFound(GeogazeError):
    """A collection has no feature of this number."""

    status = HTTPStatus.NOT_FOUND
    slug = "no-such-feature"
    title = "There is no such feature"


class Schema(JSONResponse):
    """A JSON Schema."""

    media_type = SCHEMA


class OpenAPI(JSONResponse):
    """A description of an API."""

    media_type = f"{openapi.MEDIA_TYPE}3.0"


class Service:
    """The service of one job's features; what it has is looked up when it is asked for, after
    everything else of a request was found to be right.
    """

    def __init__(self, request: Request, job_id: JobId, services: With) -> None:
        self.job_id, self._services = job_id, services
        self._known: Features = request.app.state.features
        self.address = f"{base_url(request)}/jobs/{request.path_params['job']}/features"

    def check(self) -> None:
        """See whether there is such a job. Raises JobNotFound."""
        self._services.ledger.status(self.job_id)

    def all(self) -> list[Collection]:
        """The job's collections. Raises what :meth:`Features.of` does."""
        return self._known.of(self._services, self.job_id)

    def one(self, name: str) -> Collection:
        """A collection. Raises what :meth:`Features.one` does."""
        return self._known.one(self._services, self.job_id, name)


Here = Annotated[Service, Depends()]
Plain = Annotated[Shown, Query()]


@router.get("", responses=documented(404, 410))
def features(query: Plain, service: Here) -> dict[str, Any]:
    """The features of a successful job: its hotspots and tiles, by OGC API – Features."""
    service.check()
    here = service.address
    return {
        "title": f"Features of job {service.job_id}",
        "description": "Its hotspots and tiles, as clients of OGC API – Features read them.",
        "links": [
            *itself(here),
            link("service-desc", f"{here}/api", f"{openapi.MEDIA_TYPE}3.0", title="OpenAPI 3.0"),
            link("service-doc", f"{here}/api?f=html", "text/html", title="the same to read"),
            link("conformance", f"{here}/conformance"),
            link("data", f"{here}/collections", title="collections"),
            link("via", here.removesuffix("/features"), title="the job"),
        ],
    }


@router.get("/api", response_class=OpenAPI, responses=documented(404, 410))
def api(request: Request, query: Plain, service: Here) -> OpenAPI:
    """This service's own description, as OpenAPI 3.0."""
    named = {one.name: parameters(one) for one in service.all()}
    document = openapi.service_30(request.app, router.prefix, service.address, "collection", named)
    # Some clients look for what a page may have here, and here alone.
    document["components"]["parameters"] = PARAMETERS
    for operation in (of for path in document["paths"].values() for of in path.values()):
        operation["parameters"] = [
            {"$ref": f"#/components/parameters/{one['name']}"} if one["name"] in PARAMETERS else one
            for one in operation["parameters"]
        ]
    return OpenAPI(document)


@router.get("/conformance", responses=documented(404, 410))
def conformance(query: Plain, service: Here) -> dict[str, list[str]]:
    """The parts of OGC API – Features that are implemented."""
    service.check()
    return {"conformsTo": CONFORMANCE}


@router.get("/collections", responses=documented(404, 410))
def collections(query: Plain, service: Here) -> dict[str, Any]:
    """The collections of a job, those left out that lie nowhere on the Earth or are too large."""
    return {
        "collections": [described(one, service.address) for one in service.all()],
        "links": itself(f"{service.address}/collections"),
    }


@router.get("/collections/{collection}", responses=documented(404, 410))
def collection(query: Plain, service: Here, collection: str) -> dict[str, Any]:
    """A collection: what it covers, and in which CRSs it is told."""
    return described(service.one(collection), service.address)


@router.get(
    "/collections/{collection}/queryables", response_class=Schema, responses=documented(404, 410)
)
def queryables(query: Plain, service: Here, collection: str) -> Schema:
    """What filters may name, as JSON Schema."""
    one = service.one(collection)
    layer = one.frame.layer
    place = {"title": "its outline", "format": "geometry-polygon"}
    return Schema(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"{service.address}/collections/{quote(one.name)}/queryables",
            "type": "object",
            "title": layer.title,
            "properties": {
                layer.geometry: {**place, "x-ogc-role": "primary-geometry"},
                **{name: known.schema for name, known in layer.queryables.items()},
            },
            "additionalProperties": False,
        }
    )


@router.get("/collections/{collection}/items", response_class=GeoJSON, responses=_ANSWERS)
def items(
    request: Request,
    query: Annotated[FeaturesQuery, Query()],
    service: Here,
    collection: str,
) -> Response:
    """Features of a collection, in the order of the file."""
    one = service.one(collection)
    uri = uri_of(one.frame, query.crs)
    selection = selected(one.frame, query)
    address = f"{service.address}/collections/{quote(one.name)}"
    headers = _headers(one, uri, f"{service.address} {request.url}") | {
        "Link": f'<{address}/queryables>; rel="{QUERYABLES_REL}"; type="{SCHEMA}"'
    }
    if unchanged(request, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    page = selection.page(one.file, min(query.limit, MOST), query.after)
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "f"]
    links = itself(f"{address}/items", GEOJSON, asked)
    if page.more:
        rest = [(name, value) for name, value in asked if name != "after"]
        rest.append(("after", str(page.features[-1].number)))
        links.append(link("next", f"{address}/items?{urlencode(rest)}", GEOJSON))
    document = {
        "type": "FeatureCollection",
        "features": told(one, page.features, uri),
        **({} if page.matched is None else {"numberMatched": page.matched}),
        "numberReturned": len(page.features),
        "links": [*links, link("collection", address)],
    }
    return GeoJSON(document, headers=headers)


@router.get("/collections/{collection}/items/{feature}", response_class=GeoJSON, responses=_ANSWERS)
def item(
    request: Request,
    query: Annotated[FeatureQuery, Query()],
    service: Here,
    collection: str,
    feature: str,
) -> Response:
    """A feature by its number in the file."""
    one = service.one(collection)
    uri = uri_of(one.frame, query.crs)
    headers = _headers(one, uri, f"{service.address} {request.url}")
    number = int(feature) if feature.isascii() and feature.isdecimal() and len(feature) < 19 else 0
    found = Selection(one.frame.layer).page(one.file, 1, number - 1).features if number else ()
    if not found or found[0].number != number:
        raise FeatureNotFound(f"There is no feature {feature[:80]!r} in {one.name!r}.")
    if unchanged(request, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    address = f"{service.address}/collections/{quote(one.name)}"
    asked = [("crs", query.crs)] if query.crs else []
    (document,) = told(one, found, uri)
    document["links"] = [
        *itself(f"{address}/items/{number}", GEOJSON, asked),
        link("collection", address),
    ]
    return GeoJSON(document, headers=headers)


def _headers(one: Collection, uri: str, asked: str) -> dict[str, str]:
    told = f"{one.made['sha256']} {asked} {VERSION}"
    tag = hashlib.sha256(told.encode()).hexdigest()[:32]
    return {"Content-Crs": f"<{uri}>", "ETag": f'"{tag}"', "Cache-Control": _KEPT}
