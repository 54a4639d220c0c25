"""Alembic's way to the tables, on SQLite. The integration tests go the same way on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from geogaze.config import get_settings
from geogaze.ledger.database import connect
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Base
from tests.unit.ledger.test_store import submit

ROOT = Path(__file__).parents[3]


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
