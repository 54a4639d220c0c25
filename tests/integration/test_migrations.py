"""Alembic's way to the tables, on PostgreSQL."""

from __future__ import annotations

from geogaze.ledger.database import connect
from tests.unit.ledger.test_migrations import (
    check_jobs_outlive_migration,
    check_migrations,
    check_phases_by_name,
)


def test_migrations_on_postgres(empty_database_url: str) -> None:
    engine = connect(empty_database_url)
    check_migrations(engine)
    engine.dispose()


def test_jobs_outlive_migration_on_postgres(empty_database_url: str) -> None:
    engine = connect(empty_database_url)
    check_jobs_outlive_migration(engine)
    engine.dispose()


def test_phases_get_names_on_postgres(empty_database_url: str) -> None:
    engine = connect(empty_database_url)
    check_phases_by_name(engine)
    engine.dispose()
