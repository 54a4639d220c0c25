"""Tables of the ledger."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Boolean, Enum, Float, ForeignKey, Index, String, Text, Uuid
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.functions import FunctionElement

from geogaze.grid.rectangles import Division
from geogaze.ledger.states import JobState, UnitState


class Base(DeclarativeBase):
    """Base of the ledger's tables."""


class now(FunctionElement[float]):  # noqa: N801  used like a SQL function
    """The database's clock, seconds since 1970. Leases are judged by it alone."""

    type = Float(53)
    inherit_cache = True


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: Any, **options: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::double precision"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


class new_id(FunctionElement[UUID]):  # noqa: N801  used like a SQL function
    """A fresh random UUID, made by the database."""

    type = Uuid()
    inherit_cache = True


@compiles(new_id, "postgresql")
def _new_id_postgresql(element: new_id, compiler: Any, **options: Any) -> str:
    return "gen_random_uuid()"


@compiles(new_id, "sqlite")
def _new_id_sqlite(element: new_id, compiler: Any, **options: Any) -> str:
    return "lower(hex(randomblob(16)))"  # how SQLAlchemy keeps UUIDs there


PHASE_NAME = String(64)


def _enum(kind: type) -> Enum:
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


class Job(Base):
    """A request, its plan and its fate. Times are seconds since 1970, by the database.

    ``served`` is when a unit of the job was last dispatched: jobs take turns by it. Jobs of equal
    ``content`` do the same in their shared phase. ``released`` is when the objects of a
    dismissed job were removed. ``warnings`` are the plan's, for the user.
    ``size`` is the bytes of its products, ``request_id`` what logs call the request it came by,
    ``retried`` when it last began anew.
    ``request``, ``plan`` and ``assets`` grow with the classes asked for, so they are fetched only
    where they are looked at.
    """

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(255))
    process: Mapped[str] = mapped_column(String(64))
    state: Mapped[JobState] = mapped_column(_enum(JobState), default=JobState.ACCEPTED)
    phase: Mapped[str] = mapped_column(PHASE_NAME)
    request: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    priority: Mapped[int]
    content: Mapped[str] = mapped_column(String(64))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    subscriber: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    warnings: Mapped[list[str] | None] = mapped_column(JSON)
    message: Mapped[str] = mapped_column(Text, default="")
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    assets: Mapped[dict[str, Any] | None] = mapped_column(JSON, deferred=True)
    size: Mapped[int | None] = mapped_column(BigInteger, deferred=True)
    request_id: Mapped[str | None] = mapped_column(String(64), deferred=True)
    last_error: Mapped[str | None] = mapped_column(Text)
    served: Mapped[float] = mapped_column(Float(53), default=0.0)
    created: Mapped[float] = mapped_column(Float(53))
    updated: Mapped[float] = mapped_column(Float(53))
    started: Mapped[float | None] = mapped_column(Float(53))
    finished: Mapped[float | None] = mapped_column(Float(53))
    retried: Mapped[float | None] = mapped_column(Float(53), deferred=True)
    released: Mapped[float | None] = mapped_column(Float(53))

    __table_args__ = (
        Index("jobs_created", "created", "id"),
        Index("jobs_of_tenant", "tenant", "created", "id"),
        Index("jobs_state", "state", "created"),
        Index("jobs_content", "content"),
        Index("jobs_idempotency_key", "tenant", "idempotency_key", unique=True),
    )


class Phase(Base):
    """A phase of a job: what was planned of it, and how much is left.

    Whoever lowers ``remaining`` to 0 opens the next phase, by ``position``. What the columns of the
    plan mean, see :class:`geogaze.ledger.submission.PhasePlan`; ``items`` is how many it has and
    ``noun`` what they are. ``items_reused`` of the ``items_done`` were done by an earlier job.
    ``items_before`` of them were done when the job began anew within a day, for its tenant's quota.
    ``items_seen`` is the most that was told, units at work included, and ``pace`` holds the marks
    of how it went of late (see :mod:`geogaze.ledger.pace`).

    The columns of counts have the names of before, when all items were tiles: so processes of
    before and of now count in the same place while a new release is rolled out.
    """

    __tablename__ = "phases"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column("phase", PHASE_NAME, primary_key=True)
    position: Mapped[int]
    share: Mapped[int]
    doing: Mapped[str] = mapped_column(String(255))
    items: Mapped[int]
    noun: Mapped[str] = mapped_column(String(32))
    rows: Mapped[int | None]
    cols: Mapped[int | None]
    side: Mapped[int | None]
    skips: Mapped[bool] = mapped_column(Boolean)
    shared: Mapped[bool] = mapped_column(Boolean)
    total: Mapped[int]
    remaining: Mapped[int]
    items_done: Mapped[int] = mapped_column("tiles_done", default=0)
    items_reused: Mapped[int] = mapped_column("tiles_reused", default=0)
    items_before: Mapped[int | None] = mapped_column(deferred=True)
    items_seen: Mapped[int] = mapped_column("tiles_seen", default=0, server_default="0")
    pace: Mapped[list[list[float]] | None] = mapped_column(JSON(none_as_null=True))

    @property
    def grid(self) -> Division | None:
        """How its items are divided into units, if they are."""
        if self.rows is None or self.cols is None or self.side is None:
            return None
        return Division(self.rows, self.cols, self.side)


class Unit(Base):
    """One piece of work of one phase. ``token`` fences off whoever lost the lease.

    ``root`` is the position that the plan gave this work: a unit that keeps failing is split into
    units of new positions and the same root, whose ``rectangle`` says which items are theirs.
    ``attempt`` counts claims and never repeats, ``failures`` counts those that spent a try,
    ``outages`` those that an outage ended. ``items_done`` are those of the current attempt, while
    the unit is running: once it is done, its phase counts them.
    ``prefix`` is where the current attempt writes; what lies there is visible once it is done.
    """

    __tablename__ = "units"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    phase: Mapped[str] = mapped_column(PHASE_NAME)
    position: Mapped[int]
    root: Mapped[int]
    rectangle: Mapped[list[int] | None] = mapped_column("window", JSON(none_as_null=True))
    state: Mapped[UnitState] = mapped_column(_enum(UnitState), default=UnitState.PENDING)
    attempt: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    outages: Mapped[int] = mapped_column(default=0)
    items_done: Mapped[int] = mapped_column("tiles_done", default=0, server_default="0")
    prefix: Mapped[str | None] = mapped_column(String(255))
    token: Mapped[UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[float | None] = mapped_column(Float(53))
    next_attempt_at: Mapped[float] = mapped_column(Float(53), default=0.0)
    dispatched_at: Mapped[float | None] = mapped_column(Float(53))
    worker: Mapped[str | None] = mapped_column(String(255))
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    __table_args__ = (
        Index("units_of_phase", "job_id", "phase", "position", unique=True),
        Index("units_due", "job_id", "state", "next_attempt_at"),
        Index("units_state", "state", "lease_until"),
        Index("units_prefix", "prefix"),
    )


class Usage(Base):
    """What workers on one kind of device spent on a phase of a job (see
    :mod:`geogaze.ledger.usage`); ``items`` are those that came of it.
    """

    __tablename__ = "usage"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    phase: Mapped[str] = mapped_column(PHASE_NAME, primary_key=True)
    device: Mapped[str] = mapped_column(String(255), primary_key=True)
    items: Mapped[int]
    seconds: Mapped[float] = mapped_column(Float(53))
    core_seconds: Mapped[float] = mapped_column(Float(53))


class Lead(Base):
    """Who does a job that only one process may do at a time."""

    __tablename__ = "leads"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(255))
    until: Mapped[float] = mapped_column(Float(53))


class WorkerSeen(Base):
    """A worker process, how many units it may have in hand, and what it says of itself.

    What older releases do not tell is null.
    """

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    slots: Mapped[int]
    seen: Mapped[float] = mapped_column(Float(53))
    device: Mapped[str | None] = mapped_column(String(255))
    model: Mapped[str | None] = mapped_column(String(255))
    version: Mapped[str | None] = mapped_column(String(64))
    started: Mapped[float | None] = mapped_column(Float(53))


class Key(Base):
    """A key of the API, of which only the digest of its secret is kept."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    created: Mapped[float] = mapped_column(Float(53))
    expires: Mapped[float | None] = mapped_column(Float(53))
    revoked: Mapped[float | None] = mapped_column(Float(53))
    last_used: Mapped[float | None] = mapped_column(Float(53))


class Delivery(Base):
    """A message that a job's subscriber is yet to get, or got."""

    __tablename__ = "deliveries"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(16))
    uri: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[float] = mapped_column(Float(53), default=0.0)
    delivered: Mapped[float | None] = mapped_column(Float(53))
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("deliveries_due", "delivered", "next_attempt_at"),)


class Entry(Base):
    """A finished job in the catalogue: what is searched of its STAC Item, which lies in storage.

    ``datetime`` is the Item's, None where the job has no Item; ``west`` to ``north`` are its box
    in degrees, west beyond east where it crosses the 180th meridian, and ``geometry`` is GeoJSON;
    None where it has no place on Earth.
    """

    __tablename__ = "entries"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    datetime: Mapped[float | None] = mapped_column(Float(53))
    model: Mapped[str | None] = mapped_column(Text)
    west: Mapped[float | None] = mapped_column(Float(53))
    south: Mapped[float | None] = mapped_column(Float(53))
    east: Mapped[float | None] = mapped_column(Float(53))
    north: Mapped[float | None] = mapped_column(Float(53))
    geometry: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)

    __table_args__ = (Index("entries_datetime", "datetime", "job_id"),)


class EntryLayer(Base):
    """A heat layer of a job in the catalogue: its class, and in how many tiles and how surely the
    model sees it; None where it does not say.
    """

    __tablename__ = "entry_layers"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("entries.job_id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column("class", Text)
    probability: Mapped[float | None] = mapped_column(Float(53))
    tiles: Mapped[int | None]
