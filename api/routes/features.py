"""OGC API – Features over the layers of a finished job: a service of its own below each job."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from api import openapi
from api.catalogue import GEOJSON, QUERYABLES_REL, SCHEMA, link
from api.dependencies import JobId, With, base_url, unchanged
from api.features import Collection, Features
from api.problems import documented
from api.selecting import (
    MOST,
    FeatureQuery,
    FeaturesQuery,
    Shown,
    queryables_of,
    selected,
    uri_of,
)
from api.written import Negotiated
from geogaze.errors import GeogazeError
from geogaze.filtering import CLASSES, SPATIAL_CLASSES
from geogaze.gis.frames import CRS84
from geogaze.gis.selection import Feature, Selection
from geogaze.version import VERSION

router = APIRouter(prefix="/jobs/{job}/features", tags=["features"], route_class=Negotiated)

_SPEC = "http://www.opengis.net/spec/ogcapi-features"
CONFORMANCE = [
    *(f"{_SPEC}-1/1.0/conf/{name}" for name in ("core", "geojson", "html", "oas30")),
    f"{_SPEC}-2/1.0/conf/crs",
    *(
        f"{_SPEC}-3/1.0/conf/{name}"
        for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")
    ),
    *(f"http://www.opengis.net/spec/cql2/1.0/conf/{name}" for name in CLASSES + SPATIAL_CLASSES),
]
_FORM = {"in": "query", "required": False, "style": "form", "explode": False}
_BOX = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "limit": {
        **_FORM,
        "name": "limit",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 100},
    },
    "bbox": {**_FORM, "name": "bbox", "schema": _BOX},
    "datetime": {**_FORM, "name": "datetime", "schema": {"type": "string"}},
    **{
        name: {**_FORM, "name": name, "schema": {"type": "string", "format": "uri"}}
        for name in ("crs", "bbox-crs", "filter-crs")
    },
}
"""As the standard writes them."""
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


class GeoJSON(JSONResponse):
    """Features as they are told apart from other JSON."""

    media_type = GEOJSON


class Schema(JSONResponse):
    """A JSON Schema."""

    media_type = SCHEMA


def _features(request: Request) -> Features:
    features: Features = request.app.state.features
    return features


WithFeatures = Annotated[Features, Depends(_features)]
Plain = Annotated[Shown, Query()]


def _collection(job_id: JobId, collection: str, services: With, known: WithFeatures) -> Collection:
    return known.one(services, job_id, collection)


OneCollection = Annotated[Collection, Depends(_collection)]


def _service(request: Request) -> str:
    """The address of the job's service."""
    return f"{base_url(request)}/jobs/{request.path_params['job']}/features"


Service = Annotated[str, Depends(_service)]


@router.get("", responses=documented(404, 410))
def features(query: Plain, job_id: JobId, services: With, here: Service) -> dict[str, Any]:
    """The features of a successful job: its hotspots and tiles, by OGC API – Features."""
    services.ledger.status(job_id)
    return {
        "title": f"Features of job {job_id}",
        "description": "Its hotspots and tiles, as clients of OGC API – Features read them.",
        "links": [
            *_here(here),
            link("service-desc", f"{here}/api", f"{openapi.MEDIA_TYPE}3.0", title="OpenAPI 3.0"),
            link("service-doc", f"{here}/api?f=html", "text/html", title="the same to read"),
            link("conformance", f"{here}/conformance"),
            link("data", f"{here}/collections", title="collections"),
            link("via", here.removesuffix("/features"), title="the job"),
        ],
    }


@router.get("/api", responses=documented(404, 410))
def api(
    request: Request,
    query: Plain,
    job_id: JobId,
    services: With,
    known: WithFeatures,
    here: Service,
) -> JSONResponse:
    """This service's own description, as OpenAPI 3.0."""
    named = {c.name: _parameters(c) for c in known.of(services, job_id)}
    document = openapi.service_30(request.app, router.prefix, here, "collection", named)
    # Some clients look for what a page may have here, and here alone.
    document["components"]["parameters"] = _PARAMETERS
    for operation in (of for path in document["paths"].values() for of in path.values()):
        operation["parameters"] = [
            {"$ref": f"#/components/parameters/{one['name']}"}
            if one["name"] in _PARAMETERS
            else one
            for one in operation["parameters"]
        ]
    return JSONResponse(document, media_type=f"{openapi.MEDIA_TYPE}3.0")


@router.get("/conformance", responses=documented(404, 410))
def conformance(query: Plain, job_id: JobId, services: With) -> dict[str, list[str]]:
    """The parts of OGC API – Features that are implemented."""
    services.ledger.status(job_id)
    return {"conformsTo": CONFORMANCE}


@router.get("/collections", responses=documented(404, 410))
def collections(
    query: Plain, job_id: JobId, services: With, known: WithFeatures, here: Service
) -> dict[str, Any]:
    """The collections of a job, those left out that lie nowhere on the Earth or are too large."""
    return {
        "collections": [_described(one, here) for one in known.of(services, job_id)],
        "links": _here(f"{here}/collections"),
    }


@router.get("/collections/{collection}", responses=documented(404, 410))
def collection(query: Plain, one: OneCollection, here: Service) -> dict[str, Any]:
    """A collection: what it covers, and in which CRSs it is told."""
    return _described(one, here)


@router.get(
    "/collections/{collection}/queryables", response_class=Schema, responses=documented(404, 410)
)
def queryables(query: Plain, one: OneCollection, here: Service) -> Schema:
    """What filters may name, as JSON Schema."""
    layer = one.frame.layer
    place = {"title": "its outline", "format": "geometry-polygon"}
    return Schema(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"{here}/collections/{quote(one.name)}/queryables",
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
    one: OneCollection,
    here: Service,
) -> Response:
    """Features of a collection, in the order of the file."""
    uri = uri_of(one.frame, query.crs)
    selection = selected(one.frame, query)
    address = f"{here}/collections/{quote(one.name)}"
    headers = _headers(one, uri, f"{request.url}") | {
        "Link": f'<{address}/queryables>; rel="{QUERYABLES_REL}"; type="{SCHEMA}"'
    }
    if unchanged(request, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    page = selection.page(one.file, min(query.limit, MOST), query.after)
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "f"]
    links = _here(f"{address}/items", GEOJSON, asked)
    if page.more:
        rest = [(name, value) for name, value in asked if name != "after"]
        rest.append(("after", str(page.features[-1].number)))
        links.append(link("next", f"{address}/items?{urlencode(rest)}", GEOJSON))
    document = {
        "type": "FeatureCollection",
        "features": _told(one, page.features, uri),
        **({} if page.matched is None else {"numberMatched": page.matched}),
        "numberReturned": len(page.features),
        "links": [*links, link("collection", address)],
    }
    return GeoJSON(document, headers=headers)


@router.get("/collections/{collection}/items/{feature}", response_class=GeoJSON, responses=_ANSWERS)
def item(
    request: Request,
    query: Annotated[FeatureQuery, Query()],
    one: OneCollection,
    feature: str,
    here: Service,
) -> Response:
    """A feature by its number in the file."""
    uri = uri_of(one.frame, query.crs)
    headers = _headers(one, uri, f"{request.url}")
    number = int(feature) if feature.isascii() and feature.isdecimal() and len(feature) < 19 else 0
    found = Selection(one.frame.layer).page(one.file, 1, number - 1).features if number else ()
    if not found or found[0].number != number:
        raise FeatureNotFound(f"There is no feature {feature[:80]!r} in {one.name!r}.")
    if unchanged(request, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    address = f"{here}/collections/{quote(one.name)}"
    asked = [("crs", query.crs)] if query.crs else []
    (document,) = _told(one, found, uri)
    document["links"] = [
        *_here(f"{address}/items/{number}", GEOJSON, asked),
        link("collection", address),
    ]
    return GeoJSON(document, headers=headers)


def _described(one: Collection, here: str) -> dict[str, Any]:
    """A collection as clients are told of it."""
    frame, address = one.frame, f"{here}/collections/{quote(one.name)}"
    bbox = frame.bbox
    return {
        "id": one.name,
        "title": frame.layer.title,
        "itemType": "feature",
        **({"extent": {"spatial": {"bbox": [bbox], "crs": CRS84}}} if bbox else {}),
        "crs": frame.uris,
        **({"storageCrs": frame.own_uri} if frame.own_uri else {}),
        "links": [
            *_here(address),
            link("items", f"{address}/items", GEOJSON, title="its features"),
            link("items", f"{address}/items?f=html", "text/html", title="the same as a page"),
            link(QUERYABLES_REL, f"{address}/queryables", SCHEMA, title="what filters may name"),
            link(
                "enclosure",
                f"{here.removesuffix('/features')}/assets/{quote(one.made['file'])}",
                one.made["type"],
                title="all of it, as a file",
            ),
        ],
    }


def _told(one: Collection, found: Any, uri: str) -> list[dict[str, Any]]:
    """Features as GeoJSON, in a CRS."""
    features: list[Feature] = list(found)
    shapes = np.array([feature.geometry for feature in features], dtype=object)
    columns = tuple(one.frame.layer.columns)
    return [
        {
            "type": "Feature",
            "id": feature.number,
            "geometry": geometry,
            "properties": dict(zip(columns, feature.values, strict=True)),
        }
        for feature, geometry in zip(features, one.frame.told(shapes, uri), strict=True)
    ]


def _here(
    address: str, kind: str = "application/json", asked: list[tuple[str, str]] | None = None
) -> list[dict[str, Any]]:
    """Links of a document to itself, and to its page."""
    query = f"?{urlencode(asked)}" if asked else ""
    page = urlencode([*(asked or ()), ("f", "html")])
    return [
        link("self", f"{address}{query}", kind, title="this document"),
        link("alternate", f"{address}?{page}", "text/html", title="as a page"),
    ]


def _headers(one: Collection, uri: str, asked: str) -> dict[str, str]:
    told = f"{one.made['sha256']} {asked} {VERSION}"
    tag = hashlib.sha256(told.encode()).hexdigest()[:32]
    return {"Content-Crs": f"<{uri}>", "ETag": f'"{tag}"', "Cache-Control": _KEPT}


def _parameters(one: Collection) -> list[dict[str, Any]]:
    """What may be asked of a collection's features besides: what their properties shall be."""
    known = queryables_of(one.frame, Selection(one.frame.layer)).named
    return [{"name": name, "in": "query", "schema": q.schema} for name, q in known.items()]
