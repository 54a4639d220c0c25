"""What must hold once everything has ended."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from geogaze.ledger.collection import Collection
from geogaze.ledger.database import connect
from geogaze.ledger.records import attempt_of
from geogaze.ledger.states import SETTLED_UNIT, JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Phase, Unit
from geogaze.ledger.transitions import rectangle_of
from infra.stack import Stack
from tests.chaos.proxy import FaultyS3
from tests.chaos.traffic import POISON

_SWEPT_WITHIN = 60.0


def check(stack: Stack, jobs: list[str], s3: FaultyS3) -> dict[str, Any]:
    """Counts for the report; those of losses are 0 in a system that loses nothing."""
    engine = connect(stack.postgres.url)
    try:
        lost, doubled = _tiles(engine, [UUID(job) for job in jobs])
        skipped, innocent = _skipped(engine)
        with Session(engine) as session:
            units = session.scalar(select(func.count()).select_from(Unit)) or 0
            again = session.scalar(select(func.sum(Unit.attempt - 1)).where(Unit.attempt > 1))
            split = session.scalar(
                select(func.count()).select_from(Unit).where(Unit.state == UnitState.SPLIT)
            )
        logs = "".join(worker.log_path.read_text(errors="replace") for worker in stack.workers)
        return {
            "units": units,
            "duplicate_executions": int(again or 0),
            "stale_refused": logs.count("unit dropped"),
            "units_split": split,
            "tiles_lost": lost,
            "tiles_doubled": doubled,
            "tiles_skipped": skipped,
            "tiles_skipped_without_need": innocent,
            "objects_orphaned": _orphans(engine, stack),
        }
    finally:
        engine.dispose()


def _tiles(engine: Engine, jobs: list[UUID]) -> tuple[int, int]:
    """Tiles of successful jobs without a visible result, and with several."""
    lost = doubled = 0
    with Session(engine) as session:
        for job in session.scalars(select(Job).where(Job.id.in_(jobs))):
            if job.state is not JobState.SUCCESSFUL:
                continue
            seen: Counter[tuple[int, int]] = Counter()
            units = session.scalars(select(Unit).where(Unit.job_id == job.id)).all()
            phases = _phases(session, job)
            for unit in units:
                tiles = rectangle_of(phases[unit.phase], unit)
                if tiles is None or unit.state not in {UnitState.DONE, UnitState.SKIPPED}:
                    continue
                row0, col0, row1, col1 = tiles
                seen.update((r, c) for r in range(row0, row1) for c in range(col0, col1))
            grid = phases["explain"].grid
            assert grid is not None
            every = {(r, c) for r in range(grid.rows) for c in range(grid.cols)}
            lost += len(every - set(seen))
            doubled += sum(count > 1 for count in seen.values())
            assert set(seen) <= every
            _assert_counts(session, job, units)
    return lost, doubled


def _skipped(engine: Engine) -> tuple[int, int]:
    """Tiles that jobs went on without, and those of them that are not the poisoned one."""
    ledger, found = Ledger(engine), []
    for job in ledger.jobs(limit=10_000, states=[JobState.SUCCESSFUL]):
        with Session(engine) as session:
            row = session.get_one(Job, job.id)
            poisoned = row.plan["scene"]["uri"].endswith(POISON["scene"])
            units = session.scalars(select(Unit).where(Unit.job_id == job.id)).all()
            phases = _phases(session, row)
            left_out = [unit for unit in units if unit.state is UnitState.SKIPPED]
            gone = [rectangle_of(phases[unit.phase], unit) for unit in left_out]
        assert bool(gone) == poisoned, (job.id, gone)
        row_, col = POISON["tile"]
        found += [tiles == (row_, col, row_ + 1, col + 1) for tiles in gone]
    return len(found), found.count(False)


def _phases(session: Session, job: Job) -> dict[str, Phase]:
    rows = session.scalars(select(Phase).where(Phase.job_id == job.id))
    return {phase.name: phase for phase in rows}


def _assert_counts(session: Session, job: Job, units: Any) -> None:
    for count in _phases(session, job).values():
        open_units = sum(u.phase == count.name and u.state not in SETTLED_UNIT for u in units)
        assert count.remaining == open_units == 0, (job.id, count.name)
        assert count.items_done == count.items, (job.id, count.items_done, count.items)


def _orphans(engine: Engine, stack: Stack) -> int:
    """Objects that nothing refers to and that the sweeper has left for longer than it should."""
    client = stack.s3.connection.client()
    collection = Collection(engine)
    deadline = time.monotonic() + _SWEPT_WITHIN
    while True:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=stack.s3.bucket)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        living = collection.living({attempt_of(key) for key in keys})
        orphans = [key for key in keys if attempt_of(key) not in living]
        if not orphans or time.monotonic() > deadline:
            return len(orphans)
        time.sleep(2)
