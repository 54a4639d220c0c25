"""The catalogue of finished jobs: their STAC Items by place, time, model and class.

A job is entered when somebody first asks after it has finished: so jobs of before the catalogue
are there too, and workers know nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import shapely
from shapely.geometry import shape
from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geogaze.filtering import Queryable, Queryables
from geogaze.ledger.database import Database
from geogaze.ledger.states import JobState
from geogaze.ledger.tables import Entry, EntryLayer, Job

_ORDER = (Entry.datetime.desc(), Entry.job_id.desc())
_AT_ONCE = 500

QUERYABLES = Queryables(
    {
        "id": Queryable(Job.id.expression, "id", "the Item's, which is the job's"),
        "collection": Queryable(Job.process.expression, "text", "the process that made it"),
        "datetime": Queryable(Entry.datetime.expression, "time", "when the job was accepted"),
        "model": Queryable(Entry.model.expression, "text", "the model's name"),
        "class": Queryable(EntryLayer.name.expression, "text", "the class of a heat layer"),
        "probability": Queryable(
            EntryLayer.probability.expression,
            "number",
            "the highest that the model gives the class in a tile, 0 to 1",
        ),
        "tiles": Queryable(
            EntryLayer.tiles.expression, "number", "in how many tiles the class is best, or present"
        ),
    }
)
"""What filters name. Of ``class``, ``probability`` and ``tiles`` a filter is true where one of the
Item's layers makes it true, all three of the same layer."""


class Layer(NamedTuple):
    """A heat layer, as :class:`~geogaze.ledger.tables.EntryLayer` has it."""

    name: str
    probability: float | None
    tiles: int | None


@dataclass(frozen=True)
class NewEntry:
    """What is searched of a job's Item, as :class:`~geogaze.ledger.tables.Entry` has it."""

    job_id: UUID
    datetime: float | None = None
    model: str | None = None
    bbox: tuple[float, float, float, float] | None = None
    geometry: dict[str, Any] | None = None
    layers: tuple[Layer, ...] = ()


class Place(NamedTuple):
    """Where an entry stands in the order, newest first."""

    datetime: float
    job_id: UUID


@dataclass(frozen=True)
class Search:
    """What is looked for. ``None`` and empty shapes are no condition.

    Attributes:
        limit: most entries of a page.
        processes: ids of processes.
        jobs: ids of jobs.
        shape: in degrees, within -180..180; entries meet it.
        since: from when, in seconds since 1970 …
        until: … until when, both included.
        condition: of :data:`QUERYABLES`.
        after: the last one of the page before.
    """

    limit: int
    processes: Sequence[str] | None = None
    jobs: Sequence[UUID] | None = None
    shape: shapely.Geometry | None = None
    since: float | None = None
    until: float | None = None
    condition: ColumnElement[bool] | None = None
    after: Place | None = None


@dataclass(frozen=True)
class Found:
    """A page: its jobs with their processes, newest first, how many there are on all pages, and
    where the next one goes on, if there is one.
    """

    jobs: list[tuple[UUID, str]]
    matched: int
    next: Place | None = None


@dataclass(frozen=True)
class Extent:
    """What all Items of a process cover; None where there is none."""

    bbox: tuple[float, float, float, float] | None = None
    since: float | None = None
    until: float | None = None
    models: list[str] = field(default_factory=list)


class _Row(NamedTuple):
    job_id: UUID
    datetime: Any  # of entries that are found there is one
    process: str


class Catalogue:
    """Finished jobs by what their Items say. Each method is one transaction.

    Args:
        database: where the ledger is.
        tenant: whose jobs are seen; None for all.
    """

    def __init__(self, database: Database, tenant: str | None) -> None:
        self._database = database
        self._ours = () if tenant is None else (Job.tenant == tenant,)

    def missing(self) -> list[tuple[UUID, dict[str, Any]]]:
        """Some finished jobs that are not entered yet, with their assets."""
        with Session(self._database) as session:
            rows = session.execute(
                select(Job.id, Job.assets)
                .outerjoin(Entry)
                .where(Job.state == JobState.SUCCESSFUL, Entry.job_id.is_(None), *self._ours)
                .limit(_AT_ONCE)
            )
            return [(row.id, row.assets or {}) for row in rows]

    def enter(self, entry: NewEntry) -> None:
        """Enter a job, unless somebody else just did, or it is gone."""
        west, south, east, north = entry.bbox or (None,) * 4
        row = Entry(
            job_id=entry.job_id,
            datetime=entry.datetime,
            model=entry.model,
            west=west,
            south=south,
            east=east,
            north=north,
            geometry=entry.geometry,
        )
        layers = [
            EntryLayer(job_id=entry.job_id, position=i, **layer._asdict())
            for i, layer in enumerate(entry.layers)
        ]
        try:
            with Session(self._database) as session, session.begin():
                session.add(row)
                session.flush()  # layers refer to it
                session.add_all(layers)
        except IntegrityError:
            return

    def search(self, asked: Search) -> Found:
        """Entries that meet all conditions, a page of them."""
        wanted = self._wanted(asked)
        with Session(self._database) as session:
            if asked.shape is None:
                count = select(func.count()).select_from(Entry).join(Job).where(*wanted)
                matched = session.scalar(count) or 0
                page = _page(session, wanted, asked)
            else:
                page, matched = _page_of_shape(session, wanted, asked, asked.shape)
        more = len(page) > asked.limit
        jobs = [(row.job_id, row.process) for row in page[: asked.limit]]
        last = page[asked.limit - 1] if more else None
        return Found(jobs, matched, last and Place(last.datetime, last.job_id))

    def extent(self, process: str) -> Extent:
        """What a process's Items cover."""
        wanted = self._wanted(Search(1, processes=[process]))
        with Session(self._database) as session:
            row = session.execute(
                select(
                    func.min(Entry.west),
                    func.min(Entry.south),
                    func.max(Entry.east),
                    func.max(Entry.north),
                    func.min(Entry.datetime),
                    func.max(Entry.datetime),
                )
                .select_from(Entry)
                .join(Job)
                .where(*wanted)
            ).one()
            crossing = session.scalar(
                select(func.count())
                .select_from(Entry)
                .join(Job)
                .where(*wanted, Entry.west > Entry.east)
            )
            models = session.scalars(
                select(Entry.model).join(Job).where(*wanted).distinct().order_by(Entry.model)
            ).all()
        west, south, east, north, since, until = row
        bbox: Any = None if west is None else (west, south, east, north)
        if bbox and crossing:
            bbox = (-180.0, south, 180.0, north)
        return Extent(bbox, since, until, [model for model in models if model is not None])

    def _wanted(self, asked: Search) -> list[ColumnElement[bool]]:
        wanted = [Job.state == JobState.SUCCESSFUL, Entry.datetime.is_not(None), *self._ours]
        if asked.processes is not None:
            wanted.append(Job.process.in_(asked.processes))
        if asked.jobs is not None:
            wanted.append(Job.id.in_(asked.jobs))
        if asked.since is not None:
            wanted.append(Entry.datetime >= asked.since)
        if asked.until is not None:
            wanted.append(Entry.datetime <= asked.until)
        if asked.shape is not None:
            wanted.append(_box_meets(asked.shape))
        if asked.condition is not None:
            meeting = select(Entry.job_id).join(Job).outerjoin(EntryLayer).where(asked.condition)
            wanted.append(Entry.job_id.in_(meeting.correlate(None)))
        return wanted


def _page(session: Session, wanted: list[ColumnElement[bool]], asked: Search) -> list[_Row]:
    """One entry more than are asked for, where there are so many."""
    query = select(Entry.job_id, Entry.datetime, Job.process).join(Job).where(*wanted)
    if asked.after is not None:
        query = query.where(tuple_(Entry.datetime, Entry.job_id) < asked.after)
    return [_Row(*row) for row in session.execute(query.order_by(*_ORDER).limit(asked.limit + 1))]


def _page_of_shape(
    session: Session, wanted: list[ColumnElement[bool]], asked: Search, area: shapely.Geometry
) -> tuple[list[_Row], int]:
    """The same among those that truly meet a shape, and how many do: the database knows boxes."""
    rows = session.execute(
        select(Entry.job_id, Entry.datetime, Job.process, Entry.geometry)
        .join(Job)
        .where(*wanted)
        .order_by(*_ORDER)
    ).all()
    shapely.prepare(area)
    meeting = shapely.intersects(area, [shape(row.geometry) for row in rows])
    found = [_Row(*row[:3]) for row, meets in zip(rows, meeting, strict=True) if meets]
    start = 0
    if (after := asked.after) is not None:
        start = sum((row.datetime, row.job_id) >= after for row in found)
    return found[start : start + asked.limit + 1], len(found)


def _box_meets(area: shapely.Geometry) -> ColumnElement[bool]:
    """Whether an entry's box meets that of a shape."""
    west, south, east, north = area.bounds
    turned = Entry.west > Entry.east
    return and_(
        Entry.south <= north,
        Entry.north >= south,
        or_(
            and_(~turned, Entry.west <= east, Entry.east >= west),
            and_(turned, or_(Entry.west <= east, Entry.east >= west)),
        ),
    )
