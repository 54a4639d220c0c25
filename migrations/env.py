"""How Alembic reaches the ledger: through geogaze's own settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from sqlalchemy import Connection

from geogaze.config import get_settings
from geogaze.ledger.database import connect
from geogaze.ledger.tables import Base


@contextmanager
def _rows_kept(connection: Connection) -> Iterator[None]:
    # SQLite rebuilds a table to alter it; dropping the old one would delete all that refers to it.
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection  # the pragma does nothing within a transaction
    driver.execute("PRAGMA foreign_keys=OFF")
    yield
    connection.commit()
    driver.execute("PRAGMA foreign_keys=ON")


def migrate() -> None:
    """Run migrations on a connection given by the caller, or on the settings' database."""
    given = context.config.attributes.get("connection")
    if given is not None:
        context.configure(connection=given, target_metadata=Base.metadata, render_as_batch=True)
        with _rows_kept(given), context.begin_transaction():
            context.run_migrations()
        return
    engine = connect(get_settings().database_url)
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=Base.metadata, render_as_batch=True
        )
        with _rows_kept(connection), context.begin_transaction():
            context.run_migrations()
    engine.dispose()


migrate()
