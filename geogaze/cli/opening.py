"""The ledger, for commands that ask it themselves and no API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from geogaze.config import get_settings
from geogaze.errors import DatabaseUnavailable
from geogaze.logs import configure_logging

if TYPE_CHECKING:
    from geogaze.ledger.database import Database


@contextmanager
def opened_ledger() -> Iterator[Database]:
    """The database of the settings; logs are set up as a server's are.

    Raises:
        DatabaseUnavailable: it does not answer, or has no tables.
    """
    from geogaze.ledger.database import DATABASE_AWAY, connect  # other commands need no database

    settings = get_settings()
    configure_logging(settings.log_level, settings.log_format)
    database = connect(settings.database_url)
    try:
        yield database
    except DATABASE_AWAY as error:
        raise DatabaseUnavailable(
            "The ledger cannot be used. Does it run (GEOGAZE_DATABASE_URL), and was "
            "'alembic upgrade head' run on it?"
        ) from error
    finally:
        database.dispose()
