"""The ledger's transactions on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine, delete

from geogaze.ledger.database import connect
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Key, Lead, WorkerSeen
from tests.unit.ledger.test_catalogue import CatalogueSuite
from tests.unit.ledger.test_collection import CollectionSuite
from tests.unit.ledger.test_deliveries import DeliveriesSuite
from tests.unit.ledger.test_keys import KeysSuite
from tests.unit.ledger.test_lists import ListsSuite
from tests.unit.ledger.test_machine import LedgerMachine, steps
from tests.unit.ledger.test_phases import PhasesSuite
from tests.unit.ledger.test_poison import PoisonSuite
from tests.unit.ledger.test_progress import ProgressSuite
from tests.unit.ledger.test_queue import QueueSuite
from tests.unit.ledger.test_quotas import QuotasSuite
from tests.unit.ledger.test_remaking import RemakingSuite
from tests.unit.ledger.test_reuse import ReuseSuite
from tests.unit.ledger.test_store import LedgerSuite
from tests.unit.ledger.test_submission import SubmissionSuite
from tests.unit.ledger.test_usage import UsageSuite
from tests.unit.ledger.test_workers import WorkersSuite


@pytest.fixture(scope="module")
def server(empty_database_url: str) -> Iterator[Engine]:
    engine = connect(empty_database_url)
    Ledger(engine).create_tables()
    yield engine
    engine.dispose()


def emptied(server: Engine) -> Engine:
    with server.begin() as connection:
        for table in (Job, Key, Lead, WorkerSeen):  # units, counts and messages go with their job
            connection.execute(delete(table))
    return server


class OnPostgres:
    @pytest.fixture
    def engine(self, server: Engine) -> Engine:
        return emptied(server)


class TestLedger(OnPostgres, LedgerSuite):
    pass


class TestProgress(OnPostgres, ProgressSuite):
    pass


class TestLists(OnPostgres, ListsSuite):
    pass


class TestQueue(OnPostgres, QueueSuite):
    pass


class TestPoison(OnPostgres, PoisonSuite):
    pass


class TestPhases(OnPostgres, PhasesSuite):
    pass


class TestWorkers(OnPostgres, WorkersSuite):
    pass


class TestUsage(OnPostgres, UsageSuite):
    pass


class TestSubmission(OnPostgres, SubmissionSuite):
    pass


class TestReuse(OnPostgres, ReuseSuite):
    pass


class TestCatalogue(OnPostgres, CatalogueSuite):
    pass


class TestCollection(OnPostgres, CollectionSuite):
    pass


class TestRemaking(OnPostgres, RemakingSuite):
    pass


class TestDeliveries(OnPostgres, DeliveriesSuite):
    pass


class TestKeys(OnPostgres, KeysSuite):
    pass


class TestQuotas(OnPostgres, QuotasSuite):
    pass


def test_any_sequence_leaves_the_ledger_sound(server: Engine) -> None:
    class PostgresMachine(LedgerMachine):
        def make_engine(self) -> Engine:
            return emptied(server)

        def teardown(self) -> None:
            pass

    run_state_machine_as_test(PostgresMachine, settings=steps(5))
