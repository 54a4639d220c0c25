"""What clients of features ask for, and how that is looked for in a layer."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import shapely
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, literal, true

from api.searching import Interval, Language, area_of, numbers
from geogaze.errors import InvalidRequest
from geogaze.filtering import Queryables
from geogaze.gis.frames import CRS84, Frame
from geogaze.gis.selection import Selection
from geogaze.intervals import interval

MOST = 10_000
"""Features of a page."""

_Crs = Annotated[str | None, Field(description="URI of one that the collection lists")]


class Shown(BaseModel):
    """What every document of the service may be asked with: nothing else is taken."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    f: Literal["json", "html"] | None = Field(None, description="which of both, whatever Accept")


class FeatureQuery(Shown):
    """One feature."""

    crs: _Crs = None


class FeaturesQuery(FeatureQuery):
    """Features of a collection. Further members are what its properties shall be."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    limit: int = Field(100, ge=1, description=f"Most of a page; at most {MOST} are sent.")
    bbox: str | None = Field(None, description="in degrees west,south,east,north")
    bbox_crs: _Crs = Field(None, alias="bbox-crs")
    datetime: Interval = None
    filter: str | None = Field(None, description="CQL2")
    filter_lang: Language = Field("cql2-text", alias="filter-lang")
    filter_crs: _Crs = Field(None, alias="filter-crs")
    after: int = Field(0, ge=0, lt=2**63, description="as the link to the next page has it")


def uri_of(frame: Frame, asked: str | None, named: str = "crs") -> str:
    """The CRS that is asked for.

    Raises:
        InvalidRequest: the collection has no such one.
    """
    if asked is None:
        return CRS84
    if asked not in frame.uris:
        raise InvalidRequest(f"{named}: {asked[:200]!r} is none of {', '.join(frame.uris)}.")
    return asked


def _queryables(frame: Frame, selection: Selection, uri: str) -> Queryables:
    """What filters on a layer may name; shapes are told in a CRS."""

    def meets(shape: shapely.Geometry) -> ColumnElement[bool]:
        if uri == CRS84:
            _check_degrees(shape)
        area = frame.area(shape, uri)
        return true() if area is None else selection.meeting(area)

    return Queryables(frame.layer.queryables, (frame.layer.geometry, meets))


def selected(frame: Frame, query: FeaturesQuery) -> Selection:
    """How to find what is asked for.

    Raises:
        InvalidRequest: it asks for nothing that can be looked for.
    """
    selection = Selection(frame.layer)
    if query.bbox is not None:
        uri = uri_of(frame, query.bbox_crs, "bbox-crs")
        area = frame.area(_box(query.bbox, uri), uri)
        if area is not None:
            selection.want_in(area)
    if query.datetime is not None:
        interval(query.datetime)  # features have no time: any time has all of them
    if query.filter is not None:
        uri = uri_of(frame, query.filter_crs, "filter-crs")
        known = _queryables(frame, selection, uri)
        selection.want(known.condition(query.filter, query.filter_lang))
    for name, value in (query.model_extra or {}).items():
        selection.want(_equal(frame, name, value))
    return selection


def _box(text: str, uri: str) -> shapely.Geometry:
    given = numbers(text)
    if uri == CRS84:
        return area_of(given)
    there = len(given) == 4 and all(map(math.isfinite, given))
    if not there or given[0] > given[2] or given[1] > given[3]:
        raise InvalidRequest(
            f"bbox: {text[:80]!r} is not both axes' least and both axes' greatest values."
        )
    return shapely.MultiPoint([given[:2], given[2:]]).envelope


def _check_degrees(shape: shapely.Geometry) -> None:
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise InvalidRequest(
            f"filter: a shape reaches from {west}, {south} to {east}, {north}, which is not on the "
            "Earth in degrees: say its CRS by filter-crs."
        )


def _equal(frame: Frame, name: str, value: Any) -> ColumnElement[bool]:
    found = frame.layer.queryables.get(name)
    if found is None:
        raise InvalidRequest(
            f"There is no parameter {name[:80]!r}; besides those of the service there are the "
            f"properties {', '.join(frame.layer.queryables)[:500]}."
        )
    if not isinstance(value, str):
        raise InvalidRequest(f"{name}: it is said more than once.")
    if found.kind != "number":
        return found.column == literal(value)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidRequest(f"{name}: {value[:80]!r} is no number.")
    return found.column == literal(number)
