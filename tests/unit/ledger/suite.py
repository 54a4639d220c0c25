"""What the ledger's suites share. Each runs on SQLite here, and on PostgreSQL in integration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.errors import WorkerLost
from geogaze.grid.rectangles import Division
from geogaze.ledger.claims import Claims
from geogaze.ledger.database import connect
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim
from geogaze.ledger.retries import Patience
from geogaze.ledger.states import UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.submission import PhasePlan, Submission
from geogaze.ledger.tables import Delivery, Job, Phase, Unit, now

LEASE = 30.0
ATTEMPTS = 3
PLAN = {"scene": {"uri": "s3://imagery/port.tif"}, "layers": ["boat"]}


def patience(attempts: int = ATTEMPTS) -> Patience:
    """So many tries, the other numbers as they are unless an operator says otherwise."""
    return Patience.of(Settings(max_attempts=attempts))


def phases(
    explain: int = 1,
    *,
    calibrate: int = 0,
    render: int = 0,
    publish: int = 1,
    grid: Division | None = None,
    skips: bool = False,
) -> tuple[PhasePlan, ...]:
    """The phases of a job of so many units of each, like those of the process ``explain``."""
    grid = grid or Division(1, 10 * explain, 10)
    divided = {"grid": grid, "noun": "tiles", "skips": skips, "shared": True}
    return (
        PhasePlan("explain", explain, 85, "explaining", **divided),  # type: ignore[arg-type]
        PhasePlan("calibrate", calibrate, 5, "blending and calibrating layer"),
        PhasePlan("render", render, 8, "drawing overlay"),
        PhasePlan("publish", publish, 2, "publishing"),
    )


def submission(explain: int = 1, *, skips: bool = False, **changes: Any) -> Submission:
    """A job of so many explain units of ten tiles in a row, unlike any other by its content."""
    plain = Submission(
        request={"scene": "port.tif"},
        plan=PLAN,
        phases=phases(explain, skips=skips),
        content=uuid4().hex,
        process="explain",
    )
    return replace(plain, **changes)


def submit(ledger: Ledger, explain: int = 1, **others: int) -> UUID:
    """A job of so many units; phases not named have none, but publish has one."""
    return ledger.submit(submission(explain, phases=phases(explain, **others)))


class Suite:
    """Fixtures and helpers. Subclasses give the fixture ``engine``, on empty tables."""

    @pytest.fixture
    def ledger(self, engine: Engine) -> Ledger:
        return Ledger(engine)

    @pytest.fixture
    def claims(self, engine: Engine) -> Claims:
        return Claims(engine, lease_seconds=LEASE, patience=patience(ATTEMPTS))

    @pytest.fixture
    def queue(self, engine: Engine) -> Queue:
        return Queue(engine)

    # Looking and meddling, past the ledger.

    def units(self, engine: Engine, job: UUID | None = None) -> list[Unit]:
        with Session(engine) as session:
            query = select(Unit).order_by(Unit.job_id, Unit.phase, Unit.position)
            found = session.scalars(query.where(Unit.job_id == job) if job else query).all()
            session.expunge_all()
            return list(found)

    def unit(self, engine: Engine, unit_id: UUID) -> Unit:
        return next(unit for unit in self.units(engine) if unit.id == unit_id)

    def meddle(self, engine: Engine, unit_id: UUID, **values: Any) -> None:
        with Session(engine) as session, session.begin():
            session.execute(update(Unit).where(Unit.id == unit_id).values(values))

    def make_due(self, engine: Engine) -> None:
        """Wait out every backoff."""
        with Session(engine) as session, session.begin():
            session.execute(update(Unit).values(next_attempt_at=0.0))

    def clock(self, engine: Engine) -> float:
        with Session(engine) as session:
            return session.scalar(select(now())) or 0.0

    def snapshot(self, engine: Engine) -> list[dict[str, Any]]:
        with Session(engine) as session:
            return [
                dict(row)
                for table in (Job, Phase, Unit, Delivery)
                for row in session.execute(
                    select(table.__table__).order_by(*table.__table__.primary_key)
                ).mappings()
            ]

    # Working

    def dispatch(self, engine: Engine, limit: int) -> list[UUID]:
        return [message.unit for message in Queue(engine).dispatch(limit)]

    def sweep(self, engine: Engine, redeliver: float = 60.0) -> int:
        return len(Queue(engine).sweep(redeliver_seconds=redeliver, patience=patience(ATTEMPTS)))

    def take(self, ledger: Ledger, claims: Claims) -> Claim:
        """Claim whatever is due."""
        (unit,) = self.dispatch(ledger.database, 1)
        claim = claims.claim(unit, "worker")
        assert claim is not None
        return claim

    def finish(self, ledger: Ledger, claims: Claims, count: int = 99) -> None:
        """Do so many due units, or all there are; each explains ten tiles, or its window's."""
        for _ in range(count):
            if not (units := self.dispatch(ledger.database, 1)):
                return
            claim = claims.claim(units[0], "worker")
            assert claim is not None
            row0, col0, row1, col1 = claim.rectangle or (0, 0, 1, 10)
            tiles = (row1 - row0) * (col1 - col0) if claim.phase == "explain" else 0
            claims.commit(claim, {"by": str(claim.job_id), "assets": {"files": {}}}, items=tiles)

    def lose_worker(self, engine: Engine, claim: Claim) -> int:
        """The worker of a unit dies, and the sweep finds it."""
        self.meddle(engine, claim.unit_id, lease_until=1.0)
        return self.sweep(engine)

    def poison(self, ledger: Ledger, claims: Claims, job: UUID, bad: set[int]) -> None:
        """Do a job of one row of tiles, some of which kill whoever tries, until it ends."""
        for _ in range(1000):
            self.make_due(ledger.database)
            open_units = [
                u for u in self.units(ledger.database, job) if u.state is UnitState.PENDING
            ]
            claim = claims.claim(open_units[0].id, "worker") if open_units else None
            if claim is None:
                return
            start, end = columns_of(claim)
            if claim.phase == "explain" and bad & set(range(start, end)):
                claims.give_up(claim, WorkerLost("killed"))
            else:
                explained = end - start if claim.phase == "explain" else 0
                claims.commit(claim, {"assets": {"files": {}}}, items=explained)
        raise AssertionError("it does not end")


def columns_of(unit: Any) -> tuple[int, int]:
    """The columns of tiles of a unit, claim or part of a job of one row."""
    if unit.rectangle:
        return unit.rectangle[1], unit.rectangle[3]
    return 10 * unit.root, 10 * unit.root + 10


class OnSqlite:
    """The engine of suites that run here."""

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[Engine]:
        engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
        Ledger(engine).create_tables()
        yield engine
        engine.dispose()
