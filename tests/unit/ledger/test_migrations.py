"""Alembic's way to the tables, on SQLite. The integration tests go the same way on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Engine, MetaData, Uuid, inspect, literal, select
from sqlalchemy.orm import Session

from geogaze.config import get_settings
from geogaze.errors import UnitBroke
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.database import connect
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim, Part
from geogaze.ledger.states import OPEN_JOB, JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Base, Phase, Unit
from tests.unit.ledger.suite import patience, submission, submit

ROOT = Path(__file__).parents[3]
FIRST = "8853cb49145e"
BEFORE_NAMES = "5d0c3b7f2a91"
EXPANDED = "c81f5e27a604"
LATER = ("request_id VARCHAR(64)", "size BIGINT")


def alembic_config() -> Config:
    return Config(toml_file=str(ROOT / "pyproject.toml"))


def migrate(engine: Engine, revision: str, *, down: bool = False) -> None:
    """Go up to a revision, or down to it, as to ``base``."""
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down or revision == "base" else command.upgrade)(config, revision)
        connection.commit()


def differences(engine: Engine) -> list[Any]:
    """What the tables of the code have and the database has not, and the other way round."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return compare_metadata(context, Base.metadata)


def check_migrations(engine: Engine) -> None:
    """Up, used, down and up again, on an empty database."""
    migrate(engine, "head")
    assert differences(engine) == []
    job = submit(Ledger(engine), 2)
    assert Ledger(engine).status(job).phases
    migrate(engine, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    migrate(engine, "head")
    assert differences(engine) == []
    assert Ledger(engine).jobs(limit=9) == []


class OldTables:
    """The tables of a revision, to be written to as the code of then did."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tables = MetaData()
        self._tables.reflect(engine, only=["jobs", "phases", "units"])

    def put(self, table: str, **row: Any) -> None:
        values = [_literal(value).label(name) for name, value in row.items()]
        statement = self._tables.tables[table].insert().from_select(list(row), select(*values))
        with self._engine.begin() as connection:
            connection.execute(statement)

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """All there is, by table."""
        with self._engine.connect() as connection:
            return {
                name: sorted(
                    (dict(row) for row in connection.execute(select(table)).mappings()), key=repr
                )
                for name, table in self._tables.tables.items()
            }


def _literal(value: Any) -> Any:
    # Reflected, SQLite's types know neither UUIDs nor JSON.
    if isinstance(value, UUID):
        return literal(value, Uuid())
    return literal(value, JSON()) if isinstance(value, dict | list) else literal(value)


JOB: dict[str, Any] = {
    "process": "explain",
    "phase": "explain",
    "request": {},
    "plan": {},
    "tiles": 20,
    "message": "",
    **dict.fromkeys(["served", "created", "updated", "started"], 1.0),
}
LATER_JOB = {**JOB, "tenant": "default", "priority": 0, "content": "", "chunk_side": 10}


def check_jobs_outlive_migration(engine: Engine) -> None:
    """A job of the first release, with one unit done, goes on; on an empty database."""
    if inspect(engine).has_table("alembic_version"):
        migrate(engine, "base")
    migrate(engine, FIRST)
    job, done, open_ = uuid4(), uuid4(), uuid4()
    old = OldTables(engine)
    counts = {"phase": "explain", "total": 2, "remaining": 1, "tiles_done": 10}
    unit = {"phase": "explain", "next_attempt_at": 0.0}
    old.put("jobs", id=job, state="running", **JOB)
    old.put("phases", job_id=job, **counts)
    old.put("phases", job_id=job, **{**counts, "phase": "publish", "total": 1})
    old.put("units", id=done, job_id=job, position=0, state="done", attempt=2, result={}, **unit)
    old.put("units", id=open_, job_id=job, position=1, state="pending", attempt=0, **unit)
    migrate(engine, "head")
    ledger = Ledger(engine)
    prefix = f"jobs/{job}/explain/0/2/"
    assert ledger.parts(job, "explain") == [Part(0, None, prefix, {})]
    assert Collection(engine).living({prefix}) == {prefix}
    claim = Claims(engine, lease_seconds=30, patience=patience(3)).claim(open_, "worker")
    assert claim is not None
    assert (claim.root, claim.attempt) == (1, 1)
    Claims(engine, lease_seconds=30, patience=patience(3)).commit(claim, {}, items=10)
    assert ledger.status(job).phase == "publish"
    migrate(engine, "base")


def put_old_job(old: OldTables, state: str, **changes: Any) -> UUID:
    """A job as the code wrote it before phases had names: one chunk split, one of its tiles left
    out, one chunk still to be done where the state lets it."""
    job = uuid4()
    over = state == "successful"
    kept = {**LATER_JOB, "tile_rows": 1, "tile_cols": 20, "plan": {"on_error": "skip"}, **changes}
    old.put("jobs", id=job, state=state, **{**kept, "phase": "publish" if over else "explain"})
    left = 0 if over else 1
    counts = {"tiles_reused": 2, "tiles_seen": 11}
    done = 20 if over else 10
    old.put(
        "phases", job_id=job, phase="explain", total=3, remaining=left, tiles_done=done, **counts
    )
    for phase, total in {"calibrate": 0, "render": 0, "publish": 1}.items():
        old.put(
            *["phases"],
            job_id=job,
            phase=phase,
            total=total,
            remaining=0 if over else total,
            tiles_done=0,
            tiles_reused=0,
        )
    unit = {"job_id": job, "phase": "explain", "next_attempt_at": 0.0, "failures": 0, "outages": 0}
    done_unit = {**unit, "attempt": 1, "result": {}}
    places: list[tuple[int, str, dict[str, Any]]] = [
        (0, "split", {}),
        (1, "done" if over else "pending", {}),
        (2, "done", {"window": [0, 0, 1, 9], "root": 0}),
        (3, "skipped", {"window": [0, 9, 1, 10], "root": 0, "error": "broke"}),
    ]
    for position, unit_state, more in places:
        at = {"id": uuid4(), "position": position, "root": position, "prefix": f"{job}/{position}/"}
        row = done_unit if unit_state == "done" else {**unit, "attempt": 0}
        old.put("units", **{**row, **at, **more}, state=unit_state)
    return job


def check_phases_by_name(engine: Engine) -> None:
    """Jobs in every state, up and down with nothing lost, and on to their end; on an empty
    database."""
    if inspect(engine).has_table("alembic_version"):
        migrate(engine, "base")
    migrate(engine, BEFORE_NAMES)
    old = OldTables(engine)
    jobs = {state: put_old_job(old, state.value) for state in JobState}
    failing = put_old_job(old, "accepted", plan={"on_error": "fail"}, tenant="other")
    before = old.rows()

    for revision in ("head", EXPANDED):
        migrate(engine, revision)
        migrate(engine, BEFORE_NAMES, down=True)
        assert old.rows() == before

    migrate(engine, EXPANDED)
    for column in LATER:  # and the table below: later code needs them
        execute(engine, f"ALTER TABLE jobs ADD COLUMN {column}")
    Base.metadata.create_all(engine, [Base.metadata.tables["usage"]])
    ledger, claims = Ledger(engine), Claims(engine, lease_seconds=30, patience=patience(1))
    check_described(ledger, jobs, failing)
    # While both are at work: one accepts a job, and the other does it.
    late = put_old_job(old, "accepted")
    new = ledger.submit(submission(2, content="new"))
    (row,) = [row for row in old.rows()["jobs"] if UUID(str(row["id"])) == new]
    assert [row[name] for name in ("tiles", "tile_rows", "tile_cols", "chunk_side")] == [
        *(20, 1, 20, 10)
    ]
    assert ledger.status(late).items == 20
    # A chunk that keeps breaking is split by what its phase says, as it was by what its job said.
    running = jobs[JobState.RUNNING]
    claims.give_up(claim_next(engine, claims, running), UnitBroke("broke"))
    halves = {claim_next(engine, claims, running).rectangle for _ in range(2)}
    assert halves == {(0, 10, 1, 15), (0, 15, 1, 20)}
    for column in LATER:
        execute(engine, f"ALTER TABLE jobs DROP COLUMN {column.split()[0]}")
    execute(engine, "DROP TABLE usage")

    migrate(engine, "head")
    assert differences(engine) == []
    Queue(engine).take_back(patience=patience(5))
    check_described(ledger, jobs, failing)
    for job in (running, jobs[JobState.ACCEPTED], late, new, failing):
        finish(engine, claims, job)
        status = ledger.status(job)
        assert (status.state, status.items_done) == (JobState.SUCCESSFUL, 20)
    migrate(engine, BEFORE_NAMES, down=True)
    after = {row["id"]: row for row in old.rows()["jobs"]}
    for row in before["jobs"]:
        assert (after[row["id"]]["tiles"], after[row["id"]]["tile_cols"]) == (20, 20)
    migrate(engine, "base")


def execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def claim_next(engine: Engine, claims: Claims, job: UUID) -> Claim:
    with engine.connect() as connection:
        unit = connection.scalar(
            select(Unit.id).where(Unit.job_id == job, Unit.state == "pending").limit(1)
        )
    assert unit is not None
    claim = claims.claim(unit, "worker")
    assert claim is not None
    return claim


def finish(engine: Engine, claims: Claims, job: UUID) -> None:
    while Ledger(engine).status(job).state in OPEN_JOB:
        claim = claim_next(engine, claims, job)
        assert claim.prefix.startswith("parts/") == (claim.phase == "explain")
        row0, col0, row1, col1 = claim.rectangle or (0, 0, 1, 10)
        items = (row1 - row0) * (col1 - col0) if claim.phase == "explain" else 0
        claims.commit(claim, {"assets": {}}, items=items)


def check_described(ledger: Ledger, jobs: dict[JobState, UUID], failing: UUID) -> None:
    """What polls say of jobs that the code of before wrote."""
    for state, job in jobs.items():
        status = ledger.status(job)
        assert list(status.phases) == ["explain", "calibrate", "render", "publish"]
        assert [phase.share for phase in status.phases.values()] == [85, 5, 8, 2]
        assert (status.state, status.items, status.items_reused) == (state, 20, 2)
        assert len(ledger.skipped(job)) == 1
    running = ledger.status(jobs[JobState.RUNNING])
    assert running.headline == f"explaining: {running.items_seen} of 20 tiles"
    with Session(ledger.database) as session:
        skips = {job: session.get_one(Phase, (job, "explain")).skips for job in jobs.values()}
        assert all(skips.values())
        assert not session.get_one(Phase, (failing, "explain")).skips


def test_phases_get_names_on_sqlite(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    check_phases_by_name(engine)
    engine.dispose()


def test_jobs_outlive_migration_on_sqlite(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    check_jobs_outlive_migration(engine)
    engine.dispose()


def test_migrations_on_sqlite(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    check_migrations(engine)
    engine.dispose()


def test_the_command_reads_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'named.db'}"
    monkeypatch.setenv("GEOGAZE_DATABASE_URL", url)
    get_settings.cache_clear()
    try:
        command.upgrade(alembic_config(), "head")
    finally:
        get_settings.cache_clear()
    engine = connect(url)
    assert differences(engine) == []
    engine.dispose()


def test_there_is_one_line_of_revisions() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
