"""Alembic's way to the tables, on SQLite. The integration tests go the same way on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, inspect, literal, select

from geogaze.config import get_settings
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.database import connect
from geogaze.ledger.records import Part
from geogaze.ledger.states import Phase
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Base
from tests.unit.ledger.test_store import submit

ROOT = Path(__file__).parents[3]
FIRST = "8853cb49145e"


def alembic_config() -> Config:
    return Config(toml_file=str(ROOT / "pyproject.toml"))


def migrate(engine: Engine, revision: str) -> None:
    """Go up to a revision, or down to it if it is ``base``."""
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if revision == "base" else command.upgrade)(config, revision)
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


def check_jobs_outlive_migration(engine: Engine) -> None:
    """A job of the first release, with one unit done, goes on; on an empty database."""
    if inspect(engine).has_table("alembic_version"):
        migrate(engine, "base")
    migrate(engine, FIRST)
    job, done, open_ = uuid4(), uuid4(), uuid4()
    old = MetaData()
    old.reflect(engine, only=["jobs", "phases", "units"])
    kept: dict[str, Any] = {
        "state": "running",
        "phase": "explain",
        "request": {},
        "plan": {},
        "tiles": 20,
        "message": "running",
        "process": "explain",
        **dict.fromkeys(["served", "created", "updated", "started"], 1.0),
    }
    counts = {"phase": "explain", "total": 2, "remaining": 1, "tiles_done": 10}
    unit = {"phase": "explain", "next_attempt_at": 0.0}
    with engine.begin() as connection:

        def put(table: str, **row: Any) -> None:
            # Reflected, SQLite's types know neither UUIDs nor JSON.
            columns = Base.metadata.tables[table].columns
            typed = [literal(value, columns[name].type).label(name) for name, value in row.items()]
            names = list(row)
            connection.execute(old.tables[table].insert().from_select(names, select(*typed)))

        put("jobs", id=job, **kept)
        put("phases", job_id=job, **counts)
        put("phases", job_id=job, **{**counts, "phase": "publish", "total": 1})
        put("units", id=done, job_id=job, position=0, state="done", attempt=2, result={}, **unit)
        put("units", id=open_, job_id=job, position=1, state="pending", attempt=0, **unit)
    migrate(engine, "head")
    ledger = Ledger(engine)
    prefix = f"jobs/{job}/explain/0/2/"
    assert ledger.parts(job, Phase.EXPLAIN) == [Part(0, None, prefix, {})]
    assert Collection(engine).living({prefix}) == {prefix}
    claim = Claims(engine, lease_seconds=30, max_attempts=3).claim(open_, "worker")
    assert claim is not None
    assert (claim.root, claim.attempt) == (1, 1)
    Claims(engine, lease_seconds=30, max_attempts=3).commit(claim, {}, tiles=10)
    assert ledger.status(job).phase is Phase.PUBLISH
    migrate(engine, "base")


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
