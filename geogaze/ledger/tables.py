"""Tables of the ledger."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Enum, Float, ForeignKey, Index, String, Text, Uuid
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.functions import FunctionElement

from geogaze.ledger.states import JobState, Phase, UnitState


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

    ``served`` is when a unit of the job was last dispatched: jobs take turns by it.
    """

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    process: Mapped[str] = mapped_column(String(64))
    state: Mapped[JobState] = mapped_column(_enum(JobState))
    phase: Mapped[Phase] = mapped_column(_enum(Phase))
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    tiles: Mapped[int]
    message: Mapped[str] = mapped_column(Text, default="")
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    assets: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    served: Mapped[float] = mapped_column(Float(53), default=0.0)
    created: Mapped[float] = mapped_column(Float(53))
    updated: Mapped[float] = mapped_column(Float(53))
    started: Mapped[float | None] = mapped_column(Float(53))
    finished: Mapped[float | None] = mapped_column(Float(53))

    __table_args__ = (
        Index("jobs_created", "created", "id"),
        Index("jobs_state", "state", "created"),
    )


class PhaseCount(Base):
    """How much of a phase is left. Whoever lowers ``remaining`` to 0 opens the next phase."""

    __tablename__ = "phases"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    phase: Mapped[Phase] = mapped_column(_enum(Phase), primary_key=True)
    total: Mapped[int]
    remaining: Mapped[int]
    tiles_done: Mapped[int] = mapped_column(default=0)


class Unit(Base):
    """One piece of work of one phase. ``token`` fences off whoever lost the lease."""

    __tablename__ = "units"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    phase: Mapped[Phase] = mapped_column(_enum(Phase))
    position: Mapped[int]
    state: Mapped[UnitState] = mapped_column(_enum(UnitState))
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[float | None] = mapped_column(Float(53))
    next_attempt_at: Mapped[float] = mapped_column(Float(53), default=0.0)
    dispatched_at: Mapped[float | None] = mapped_column(Float(53))
    worker: Mapped[str | None] = mapped_column(String(255))
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    __table_args__ = (
        Index("units_of_phase", "job_id", "phase", "position", unique=True),
        Index("units_due", "state", "next_attempt_at"),
    )
