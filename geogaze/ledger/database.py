"""Where the ledger is kept: PostgreSQL or SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine as Database  # the network side has an engine of its own
from sqlalchemy import create_engine, event, exc
from sqlalchemy.engine import make_url

__all__ = ["DATABASE_AWAY", "Database", "connect"]

DATABASE_AWAY = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)
"""What is raised while a database is down, restarting, cut off, read-only after a fail-over (which
psycopg takes for an internal error) or has no connection to spare; the next time it may be back."""

_SILENCE = {
    "connect_timeout": 10,
    "tcp_user_timeout": 30_000,  # milliseconds
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""libpq: a server that has gone silent is away, not waited for."""


def connect(url: str) -> Database:
    """A database for the ledger, on PostgreSQL or SQLite.

    What the URL's query says, such as ``connect_timeout``, goes before our own choice.
    """
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        silence = {name: value for name, value in _SILENCE.items() if name not in address.query}
        return create_engine(url, pool_pre_ping=True, connect_args=silence)
    database = create_engine(url, connect_args={"timeout": 30})
    event.listen(database, "connect", _configure_sqlite)
    event.listen(database, "begin", _begin_immediate)
    return database


def _configure_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    # Its own knows the letters of ASCII alone.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    return text if text is None else text.lower()


def _begin_immediate(connection: Any) -> None:
    # A transaction that reads first and writes later would fail where another wrote between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
