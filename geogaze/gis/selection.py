"""Features of a layer by conditions, a page at a time.

What a page takes is bounded: features, bytes, and steps of SQLite's machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import shapely
from sqlalchemy import ColumnElement, FromClause, Select, and_, false, func, or_, select
from sqlalchemy.dialects import sqlite

from geogaze.errors import InvalidRequest
from geogaze.gis.geopackage import Bounds, Layer, geometry_of, opened

_STEPS = 10_000  # between two looks at how many are left
_CALL = 50  # steps that looking at one geometry counts for
_MOST_STEPS = 40_000_000  # of a page: some three seconds …
_COUNTING = 20_000_000  # … and of counting all that match: half of that
_MOST_BYTES = 4 * 2**20  # of a page
_BROAD = 0.2  # of what a layer covers
_VALUE = 16  # bytes that a value counts for
_DIALECT = sqlite.dialect(paramstyle="qmark")  # names of columns make no names of values


class Feature(NamedTuple):
    """A feature: its number in the file, its geometry, and its values by the layer's columns."""

    number: int
    geometry: shapely.Geometry
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Page:
    """Features by number, how many match on all pages, and whether more follow. ``matched`` is
    told with the first page alone; None also where counting takes too long.
    """

    features: Sequence[Feature]
    matched: int | None
    more: bool


class Area(NamedTuple):
    """Where features are looked for, in the layer's CRS.

    ``within`` is a box that lies in the shape, which spares looking at what lies in that; None
    where none is known.
    """

    shape: shapely.Geometry
    within: Bounds | None = None


class Selection:
    """Conditions of one request on a layer's features, and the way to those that meet them."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._shapes: list[shapely.Geometry] = []
        self._wanted: list[ColumnElement[bool]] = []
        self._box: ColumnElement[bool] | None = None
        self._broad = False

    def want(self, condition: ColumnElement[bool]) -> None:
        """Add a condition, which all features must meet."""
        self._wanted.append(condition)

    def want_in(self, area: Area) -> None:
        """Add the area that all features must meet: one alone."""
        if area.shape.is_empty or not self._layer.indexed:
            self.want(self.meeting(area))
            return
        boxes, exact = self._layer.boxes, self._exactly(area)
        inside = area.within and _span(boxes, area.within, inside=True)
        met = exact if inside is None else or_(inside, exact)
        self._box = and_(_span(boxes, area.shape.bounds), met)
        whole = shapely.box(*self._layer.bounds) if self._layer.bounds else area.shape
        self._broad = area.shape.envelope.area >= _BROAD * whole.area

    def meeting(self, area: Area) -> ColumnElement[bool]:
        """That a feature meets an area: a condition that may be part of others."""
        if area.shape.is_empty:
            return false()
        exact = self._exactly(area)
        if not self._layer.indexed:
            return exact
        boxes = self._layer.boxes.alias()
        near = select(boxes.c.id).where(_span(boxes, area.shape.bounds))
        return and_(self._layer.rows.c.fid.in_(near), exact)

    def page(self, path: Path, limit: int, after: int = 0) -> Page:
        """At most so many features whose number is higher, lowest first.

        Raises:
            InvalidRequest: they would take too long to find.
            StorageUnavailable: the file cannot be read.
        """
        rows = self._layer.rows
        # Of a broad area more are near the last one: the index need not be gone through again.
        query = self._query(*rows.c, by_row=self._broad and after > 0)
        query = query.where(rows.c.fid > after).order_by(rows.c.fid).limit(limit + 1)
        features: list[Feature] = []
        taken, more = 0, False
        with self._counted(path, _MOST_STEPS) as file:
            for number, blob, *values in _rows(file, query):
                taken += len(blob) + _VALUE * len(values)
                if features and (len(features) == limit or taken > _MOST_BYTES):
                    more = True
                    break
                features.append(Feature(number, geometry_of(blob), tuple(values)))
        return Page(features, None if after else self._matched(path), more)

    def _matched(self, path: Path) -> int | None:
        if not self._wanted and self._box is None:
            return self._layer.count
        try:
            with self._counted(path, _COUNTING) as file:
                ((count,),) = _rows(file, self._query(func.count()))
        except InvalidRequest:
            return None
        return int(count)

    def _query(self, *told: ColumnElement[Any], by_row: bool = False) -> Select[Any]:
        """What all conditions let pass: boxes first, or ``by_row``, each with its box."""
        rows, boxes = self._layer.rows, self._layer.boxes
        query = select(*told).select_from(rows).where(*self._wanted)
        if self._box is None:
            return query
        met = and_(rows.c.fid == boxes.c.id, self._box)
        if by_row:
            return query.where(select(boxes.c.id).where(met).correlate(rows).exists())
        return query.select_from(boxes).where(met)

    def _exactly(self, area: Area) -> ColumnElement[bool]:
        shapely.prepare(area.shape)
        self._shapes.append(area.shape)
        geometry = self._layer.rows.c[self._layer.geometry]
        return func.meets(len(self._shapes) - 1, geometry) == 1

    @contextmanager
    def _counted(self, path: Path, steps: int) -> Iterator[sqlite3.Connection]:
        left = steps

        def meets(number: int, blob: bytes) -> bool:
            nonlocal left
            left -= _CALL
            return bool(self._shapes[number].intersects(geometry_of(blob)))

        def tired() -> bool:
            nonlocal left
            left -= _STEPS
            return left < 0

        with opened(path) as file:
            file.create_function("meets", 2, meets, deterministic=True)
            # Its own knows the letters of ASCII alone.
            file.create_function("lower", 1, _lower, deterministic=True)
            file.set_progress_handler(tired, _STEPS)
            try:
                yield file
            except sqlite3.OperationalError as error:
                if left >= 0:
                    raise
                raise InvalidRequest(
                    "Too many features have to be looked at for that: say a smaller bbox, or a "
                    "simpler filter."
                ) from error


def _lower(text: str | None) -> str | None:
    return text if text is None else text.lower()


def _span(boxes: FromClause, bounds: Bounds, *, inside: bool = False) -> ColumnElement[bool]:
    """Whether a feature's box meets bounds, or lies inside them."""
    west, south, east, north = bounds
    low, high = (boxes.c.minx, boxes.c.miny), (boxes.c.maxx, boxes.c.maxy)
    if not inside:
        low, high = high, low
    return and_(
        *(edge >= end for edge, end in zip(low, (west, south), strict=True)),
        *(edge <= end for edge, end in zip(high, (east, north), strict=True)),
    )


def _rows(file: sqlite3.Connection, query: Select[Any]) -> sqlite3.Cursor:
    made = query.compile(dialect=_DIALECT)
    return file.execute(str(made), [made.params[name] for name in made.positiontup or ()])
