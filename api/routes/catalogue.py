"""STAC API over finished jobs: collections, their Items, search."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from api import catalogue
from api.access import Need, needs
from api.catalogue import GEOJSON, GeoJSON, ItemNotFound, catalogued, collection_named, link
from api.dependencies import Services, With, base_url
from api.problems import documented
from api.searching import ItemsQuery, SearchBody, SearchQuery, token_of
from geogaze.ledger.catalogue import QUERYABLES, Search

router = APIRouter(tags=["catalogue"])


class Schema(JSONResponse):
    """A JSON Schema."""

    media_type = catalogue.SCHEMA


def _all_entered(services: With) -> Services:
    """The services, once every finished job is in the catalogue."""
    catalogue.enter_missing(services)
    return services


WithAllEntered = Annotated[Services, Depends(_all_entered)]


@router.get("/collections", responses=documented())
def collections(request: Request, services: WithAllEntered) -> dict[str, Any]:
    """The collections of finished jobs: one for each process that describes what it makes."""
    base = base_url(request)
    return {
        "collections": [
            catalogue.collection(process, services.ledger.catalogue.extent(process.id), base)
            for process in catalogued()
        ],
        "links": [
            link("self", f"{base}/collections"),
            link("root", f"{base}/"),
            link("parent", f"{base}/"),
        ],
    }


@router.get("/collections/{collection}", responses=documented(404))
def collection(request: Request, collection: str, services: WithAllEntered) -> dict[str, Any]:
    """A collection, with what its Items cover."""
    process = collection_named(collection)
    extent = services.ledger.catalogue.extent(process.id)
    return catalogue.collection(process, extent, base_url(request))


@router.get("/collections/{collection}/items", response_class=GeoJSON, responses=documented(404))
def items(
    request: Request,
    collection: str,
    services: WithAllEntered,
    query: Annotated[ItemsQuery, Query()],
) -> GeoJSON:
    """Items of a collection, newest first."""
    process = collection_named(collection)
    asked = replace(query.search(), processes=[process.id])
    page = _page(request, services, f"/collections/{process.id}/items", asked)
    page["links"] += [
        link("collection", f"{base_url(request)}/collections/{process.id}"),
        link("parent", f"{base_url(request)}/collections/{process.id}"),
    ]
    return GeoJSON(page)


@router.get(
    "/collections/{collection}/items/{item}", response_class=GeoJSON, responses=documented(404)
)
def item(request: Request, collection: str, item: str, services: WithAllEntered) -> GeoJSON:
    """The Item of a finished job."""
    process = collection_named(collection)
    absent = ItemNotFound(f"There is no item {item[:80]!r} in {process.id!r}.")
    try:
        job_id = UUID(item)
    except ValueError as error:
        raise absent from error
    if not services.ledger.catalogue.search(Search(1, [process.id], [job_id])).jobs:
        raise absent
    return GeoJSON(catalogue.item(services, job_id, process.id, base_url(request)))


@router.get("/search", response_class=GeoJSON, responses=documented())
def search(
    request: Request, services: WithAllEntered, query: Annotated[SearchQuery, Query()]
) -> GeoJSON:
    """Items by place, time, id and filter, newest first."""
    return GeoJSON(_page(request, services, "/search", query.search()))


@router.post("/search", response_class=GeoJSON, responses=documented(413))
@needs(Need.READ)
def search_by_body(request: Request, services: WithAllEntered, body: SearchBody) -> GeoJSON:
    """The same, for shapes and filters that are too long for an address."""
    return GeoJSON(_page(request, services, "/search", body.search(), body))


@router.get("/queryables", response_class=Schema, responses=documented())
def queryables(request: Request) -> Schema:
    """What filters may name, as JSON Schema."""
    return _queryables(f"{base_url(request)}/queryables")


@router.get(
    "/collections/{collection}/queryables", response_class=Schema, responses=documented(404)
)
def queryables_of(request: Request, collection: str) -> Schema:
    """What filters may name, as JSON Schema; the same for all collections."""
    process = collection_named(collection)
    return _queryables(f"{base_url(request)}/collections/{process.id}/queryables")


def _queryables(here: str) -> Schema:
    return Schema(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": here,
            "type": "object",
            "title": "Items",
            "properties": {name: one.schema for name, one in QUERYABLES.named.items()},
            "additionalProperties": False,
        }
    )


def _page(
    request: Request, services: Services, path: str, asked: Search, body: SearchBody | None = None
) -> dict[str, Any]:
    """A page of Items, with the link to the next."""
    base = base_url(request)
    found = services.ledger.catalogue.search(asked)
    features = catalogue.items(services, found.jobs, base)
    here, query = f"{base}{path}", list(request.query_params.multi_items())
    links = [
        link("root", f"{base}/"),
        link("self", f"{here}?{urlencode(query)}" if query else here, GEOJSON),
    ]
    if found.next:
        token = token_of(found.next)
        if body is None:
            following = [(name, value) for name, value in query if name != "token"]
            again = urlencode([*following, ("token", token)])
            links.append(link("next", f"{here}?{again}", GEOJSON, method="GET"))
        else:
            given = body.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
            following_body = {**given, "token": token}
            links.append(link("next", here, GEOJSON, method="POST", body=following_body))
    return {
        "type": "FeatureCollection",
        "features": features,
        "numberMatched": found.matched,
        "numberReturned": len(features),
        "links": links,
    }
