"""What clients of the catalogue ask for: STAC's search, by a query or by a body."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import shapely
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from shapely import MultiPoint

from geogaze.errors import InvalidRequest
from geogaze.filtering import geometry_of
from geogaze.intervals import interval
from geogaze.ledger.catalogue import QUERYABLES, Place, Search
from geogaze.processes.limits import check_points, check_values

MOST = 250
"""Items of a page: each is a document in storage."""

_CRS84 = Literal["http://www.opengis.net/def/crs/OGC/1.3/CRS84"]
Language = Literal["cql2-text", "cql2-json"]
Limit = Annotated[int, Field(ge=1, description=f"Most of a page; at most {MOST} are sent.")]
Interval = Annotated[
    str | None,
    Field(description="When the job was accepted: an instant, or START/END, .. for open"),
]
_Points = AfterValidator(check_points)


class ItemsQuery(BaseModel):
    """Items of one collection."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    limit: Limit = 10
    bbox: str | None = Field(None, description="west,south,east,north in degrees")
    datetime: Interval = None
    filter: str | None = Field(None, description="CQL2")
    filter_lang: Language = Field("cql2-text", alias="filter-lang")
    filter_crs: _CRS84 | None = Field(None, alias="filter-crs")
    token: str | None = Field(None, description="of the page, as the link to it has it")

    def search(self) -> Search:
        """What it asks for.

        Raises:
            InvalidRequest: it asks for nothing that can be looked for.
        """
        return _search(self, None if self.bbox is None else numbers(self.bbox), self.filter_lang)


class SearchQuery(ItemsQuery):
    """Items of any collection."""

    intersects: str | None = Field(None, description="GeoJSON geometry, in place of bbox")
    ids: str | None = Field(None, description="of Items, with commas between")
    collections: str | None = Field(None, description="their ids, with commas between")

    def search(self) -> Search:
        """What it asks for. Raises what the others do."""
        return _search(
            self,
            None if self.bbox is None else numbers(self.bbox),
            self.filter_lang,
            intersects=_json(self.intersects),
            ids=self.ids.split(",") if self.ids else None,
            collections=self.collections.split(",") if self.collections else None,
        )


class SearchBody(BaseModel):
    """Items of any collection, asked for by POST."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    limit: Limit = 10
    bbox: list[float] | None = Field(None, description="west, south, east, north in degrees")
    datetime: Interval = None
    intersects: Annotated[dict[str, Any] | None, _Points] = Field(
        None, description="GeoJSON geometry, in place of bbox"
    )
    ids: list[str] | None = None
    collections: list[str] | None = None
    filter: Annotated[dict[str, Any] | str | None, _Points] = Field(None, description="CQL2")
    filter_lang: Language | None = Field(None, alias="filter-lang")
    filter_crs: _CRS84 | None = Field(None, alias="filter-crs")
    token: str | None = Field(None, description="of the page, as the link to it has it")

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: Any) -> Any:
        return check_values(values)

    @model_validator(mode="after")
    def _told(self) -> Self:
        """JSON is JSON, and text is text, unless something else is said."""
        if self.filter_lang is None and self.filter is not None:
            self.filter_lang = "cql2-text" if isinstance(self.filter, str) else "cql2-json"
        return self

    def search(self) -> Search:
        """What it asks for. Raises what the others do."""
        return _search(
            self,
            self.bbox,
            self.filter_lang or "cql2-json",
            intersects=self.intersects,
            ids=self.ids,
            collections=self.collections,
        )


def _search(
    asked: ItemsQuery | SearchBody,
    bbox: list[float] | None,
    language: Language,
    *,
    intersects: Any = None,
    ids: list[str] | None = None,
    collections: list[str] | None = None,
) -> Search:
    if bbox is not None and intersects is not None:
        raise InvalidRequest("bbox and intersects both say where: give one of them.")
    shape = None if intersects is None else geometry_of(intersects, "intersects")
    if bbox is not None:
        shape = area_of(bbox)
    since, until = (None, None) if asked.datetime is None else interval(asked.datetime)
    wanted = asked.filter
    return Search(
        limit=min(asked.limit, MOST),
        processes=collections,
        jobs=None if ids is None else [job for one in ids if (job := _job(one))],
        shape=shape,
        since=since,
        until=until,
        condition=None if wanted is None else QUERYABLES.condition(wanted, language),
        after=None if asked.token is None else _place(asked.token),
    )


def area_of(bbox: list[float]) -> shapely.Geometry:
    """A box in degrees as an area; of two parts where it crosses the 180th meridian.

    Raises:
        InvalidRequest: it is no box on Earth.
    """
    if len(bbox) not in {4, 6}:
        raise InvalidRequest(
            f"bbox: it has {len(bbox)} numbers: write west, south, east, north in degrees."
        )
    west, south, east, north = bbox if len(bbox) == 4 else (*bbox[:2], *bbox[3:5])
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidRequest(
            f"bbox: {west}, {south}, {east}, {north} is not west, south, east, north in degrees."
        )
    if len(bbox) == 6 and not bbox[2] <= bbox[5]:
        raise InvalidRequest(f"bbox: its bottom {bbox[2]} lies above its top {bbox[5]}.")
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    # Boxes without an area are lines and points.
    parts = [MultiPoint([(low, south), (high, north)]).envelope for low, high in spans]
    return shapely.union_all(parts)


def token_of(place: Place) -> str:
    """A place in the order as a word for links."""
    plain = f"{place.datetime!r} {place.job_id}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _place(token: str) -> Place:
    try:
        plain = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        seconds, _, job = plain.partition(" ")
        return Place(float(seconds), UUID(job))
    except ValueError as error:
        raise InvalidRequest(
            f"token: {token[:80]!r} is of no page; follow the links with rel=next."
        ) from error


def _job(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def numbers(text: str) -> list[float]:
    """The numbers of a bbox in an address.

    Raises:
        InvalidRequest: they are none.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InvalidRequest(f"bbox: {text[:80]!r} are not numbers with commas between.") from error


def _json(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return check_points(check_values(json.loads(text)))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"intersects: {text[:80]!r} is no GeoJSON: {error}") from error
