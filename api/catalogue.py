"""Finished jobs as STAC knows them: a catalogue, a collection for each process, an Item a job."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from uuid import UUID

import structlog
from fastapi.responses import JSONResponse

from api.dependencies import Services
from api.documents import FEATURES
from api.results import product_named
from geogaze.errors import GeogazeError, InvalidRequest, ObjectNotFound
from geogaze.filtering import CLASSES
from geogaze.intervals import instant, written
from geogaze.ledger.catalogue import Extent, Layer, NewEntry
from geogaze.models.sureness import sureness_in
from geogaze.processes.bill import Bill
from geogaze.processes.table import Process, all_processes
from geogaze.products.product import GEOPACKAGE
from geogaze.products.table import product_named as product_called

log = structlog.get_logger()

STAC_VERSION = "1.1.0"
GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
_REL = "http://www.opengis.net/def/rel/ogc/1.0"
QUERYABLES_REL, GEODATA_REL = f"{_REL}/queryables", f"{_REL}/geodata"
_STAC, _FEATURES = "https://api.stacspec.org/v1.0.0", "http://www.opengis.net/spec/ogcapi-features"
CONFORMANCE = [
    *(f"{_STAC}/{name}" for name in ("core", "collections", "ogcapi-features", "item-search")),
    *(f"{_STAC}/{name}#filter" for name in ("ogcapi-features", "item-search")),
    *(f"{_FEATURES}-1/1.0/conf/{name}" for name in ("core", "geojson", "oas30")),
    *(f"{_FEATURES}-3/1.0/conf/{name}" for name in ("queryables", "filter", "features-filter")),
    *(f"http://www.opengis.net/spec/cql2/1.0/conf/{name}" for name in CLASSES),
]
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)  # of JSON of another shape
_READERS = 8  # Items that are fetched at once


class GeoJSON(JSONResponse):
    """Features as they are told apart from other JSON."""

    media_type = GEOJSON


class CollectionNotFound(GeogazeError):
    """No collection has this id."""

    status = 404
    slug = "no-such-collection"
    title = "There is no such collection"


class ItemNotFound(GeogazeError):
    """No Item of the collection has this id."""

    status = 404
    slug = "no-such-item"
    title = "There is no such item"


def link(rel: str, href: str, kind: str = "application/json", **more: Any) -> dict[str, Any]:
    """A link, as both standards write it."""
    return {"rel": rel, "href": href, "type": kind, **more}


def catalogued() -> list[Process]:
    """The processes whose jobs are in the catalogue: those that describe what they make."""
    return [process for process in all_processes() if "item" in process.outputs()]


def collection_named(name: str) -> Process:
    """The process that makes a collection's Items.

    Raises:
        CollectionNotFound: none does.
    """
    for process in catalogued():
        if process.id == name:
            return process
    offered = ", ".join(process.id for process in catalogued())
    raise CollectionNotFound(f"There is no collection {name[:80]!r}; there is {offered}.")


def landing(base: str) -> dict[str, Any]:
    """What the landing page says besides, for it to be a STAC catalogue; links are to be added."""
    return {
        "type": "Catalog",
        "id": "geogaze",
        "stac_version": STAC_VERSION,
        "links": [
            link("root", f"{base}/"),
            link("conformance", f"{base}/conformance"),
            link("data", f"{base}/collections", title="finished jobs"),
            link("search", f"{base}/search", GEOJSON, method="GET"),
            link("search", f"{base}/search", GEOJSON, method="POST"),
            link(QUERYABLES_REL, f"{base}/queryables", SCHEMA),
            *(
                link("child", f"{base}/collections/{process.id}", title=process.title)
                for process in catalogued()
            ),
        ],
    }


def collection(process: Process, extent: Extent, base: str) -> dict[str, Any]:
    """The collection of a process's Items."""
    here = f"{base}/collections/{process.id}"
    since, until = (
        None if when is None else written(when) for when in (extent.since, extent.until)
    )
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": process.id,
        "title": process.title,
        "description": process.description,
        "license": "other",
        "itemType": "feature",
        "extent": {
            "spatial": {"bbox": [list(extent.bbox or (-180, -90, 180, 90))]},
            "temporal": {"interval": [[since, until]]},
        },
        **({"summaries": {"geogaze:model": extent.models}} if extent.models else {}),
        "links": [
            link("self", here),
            link("root", f"{base}/"),
            link("parent", f"{base}/"),
            link("items", f"{here}/items", GEOJSON),
            link(QUERYABLES_REL, f"{here}/queryables", SCHEMA),
        ],
    }


def items(services: Services, jobs: Iterable[tuple[UUID, str]], base: str) -> list[dict[str, Any]]:
    """The Items of some jobs, given with their processes; without those whose files were lost."""

    def read(job: tuple[UUID, str]) -> dict[str, Any] | None:
        try:
            return item(services, *job, base)
        except GeogazeError as error:
            if error.status >= 500:  # it may be there the next time
                raise
            log.warning("item lost", job=str(job[0]), error=str(error))
            return None

    with ThreadPoolExecutor(_READERS) as readers:
        return [found for found in readers.map(read, jobs) if found]


def _bill(services: Services, job_id: UUID) -> dict[str, Any]:
    """What the job took. Its files do not say: they are the same whatever their making took."""
    status = services.ledger.status(job_id)
    if not status.spent:
        return {}
    told = Bill.of(status.spent, status.size or 0, services.settings)
    return {f"geogaze:{name}": value for name, value in told.model_dump(exclude_none=True).items()}


def item(services: Services, job_id: UUID, process: str, base: str) -> dict[str, Any]:
    """The Item of a finished job, with links that stay.

    Raises:
        ObjectNotFound: it is gone from storage.
    """
    made = product_named(services, job_id, "item")
    document: dict[str, Any] = json.loads(services.storage.get(made["key"]))
    has_features = any(asset.get("type") == GEOPACKAGE for asset in document["assets"].values())
    for asset in document["assets"].values():
        asset["href"] = f"{base}/jobs/{job_id}/assets/{quote(asset['href'].removeprefix('./'))}"
    document["properties"] |= _bill(services, job_id)
    document["collection"] = process
    here = f"{base}/collections/{process}"
    document["links"] = [
        link("self", f"{here}/items/{job_id}", GEOJSON),
        link("root", f"{base}/"),
        link("parent", here),
        link("collection", here),
        link("via", f"{base}/jobs/{job_id}", title="the job"),
        link(GEODATA_REL, f"{base}/jobs/{job_id}/layers", title="its layers, as maps"),
        *([link("service", f"{base}/jobs/{job_id}/features", title=FEATURES)] * has_features),
        *document["links"],
    ]
    return document


def enter_missing(services: Services) -> None:
    """Enter the finished jobs that are not in the catalogue yet."""
    catalogue = services.ledger.catalogue
    while missing := catalogue.missing():
        for job_id, assets in missing:
            catalogue.enter(_entry(services, job_id, assets))


def _entry(services: Services, job_id: UUID, assets: dict[str, Any]) -> NewEntry:
    """What is searched of a job's Item; nothing where it has none, or none that can be read, so
    that one such does not close the catalogue.
    """
    made = assets.get("files", {}).get("item")
    if made is None:
        return NewEntry(job_id)
    try:
        return _searched(job_id, json.loads(services.storage.get(made["key"])))
    except (ObjectNotFound, InvalidRequest, *_UNREADABLE) as error:
        log.warning("item lost", job=str(job_id), key=made["key"], error=repr(error))
        return NewEntry(job_id)


def _searched(job_id: UUID, document: dict[str, Any]) -> NewEntry:
    bbox, about = document.get("bbox"), document["properties"]
    return NewEntry(
        job_id,
        datetime=instant(about["datetime"]),
        model=about.get("geogaze:model"),
        bbox=tuple(bbox) if bbox else None,
        geometry=document["geometry"],
        layers=tuple(_layers(document["assets"])),
    )


def _layers(assets: dict[str, dict[str, Any]]) -> Iterable[Layer]:
    """The heat layers, and what ``top`` is made of, with what the model says of each."""
    said = sureness_in(assets.values()).name
    for name, about in assets.items():
        product, layer = product_called(name)
        if product.name != "heat-{class}":
            continue
        won = about.get("geogaze:best_of_tiles", about.get("geogaze:in_tiles"))
        yield Layer(layer, about.get(f"geogaze:highest_{said}"), won)
        surest = about.get(f"geogaze:classes_{said}", {})
        for found, tiles in about.get("geogaze:classes", {}).items():
            yield Layer(found, surest.get(found), tiles)
