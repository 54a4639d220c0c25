"""How Alembic reaches the ledger: through geogaze's own settings."""

from __future__ import annotations

from alembic import context

from geogaze.config import get_settings
from geogaze.ledger.database import connect
from geogaze.ledger.tables import Base


def migrate() -> None:
    """Run migrations on a connection given by the caller, or on the settings' database."""
    given = context.config.attributes.get("connection")
    if given is not None:
        context.configure(connection=given, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    engine = connect(get_settings().database_url)
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=Base.metadata, render_as_batch=True
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


migrate()
