"""The ledger's transactions on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, delete

from geogaze.ledger.database import connect
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from tests.unit.ledger.test_store import LedgerSuite


@pytest.fixture(scope="module")
def server(empty_database_url: str) -> Iterator[Engine]:
    engine = connect(empty_database_url)
    Ledger(engine).create_tables()
    yield engine
    engine.dispose()


class TestOnPostgres(LedgerSuite):
    @pytest.fixture
    def engine(self, server: Engine) -> Engine:
        with server.begin() as connection:
            connection.execute(delete(Job))  # units and counts go with it
        return server
