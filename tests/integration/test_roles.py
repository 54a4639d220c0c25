"""Roles of the database that have no more than they need. The whole stack runs with them too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, exc, select, text
from sqlalchemy.engine import make_url

from geogaze.errors import SceneUnreadable
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.database import connect
from geogaze.ledger.keys import Keys
from geogaze.ledger.queue import Queue
from geogaze.ledger.quotas import Quota
from geogaze.ledger.scopes import Scope
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Key
from tests.unit.ledger.suite import patience, submission
from tests.unit.ledger.test_migrations import migrate

SCRIPT = Path(__file__).parents[2] / "infra" / "roles.sql"
As = Callable[[str], Engine]


@pytest.fixture(scope="module")
def as_role(empty_database_url: str) -> Iterator[As]:
    """A connection for a role; for ``owner``, that of the owner."""
    owner = connect(empty_database_url)
    migrate(owner, "head")
    plain = make_url(empty_database_url).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as script:
        for _ in range(2):  # after each migration
            script.execute(SCRIPT.read_bytes())
        for role in ("geogaze_api", "geogaze_work"):
            script.execute(f"ALTER ROLE {role} LOGIN PASSWORD 'tried'".encode())
    made = {"owner": owner}

    def engine(role: str) -> Engine:
        url = make_url(empty_database_url).set(username=role, password="tried")
        return made.setdefault(role, connect(url.render_as_string(hide_password=False)))

    yield engine
    for one in made.values():
        one.dispose()


def denied() -> Any:
    return pytest.raises(exc.ProgrammingError, match=r"permission denied|must be owner")


def test_a_job_needs_no_more(as_role: As) -> None:
    """Accepted, worked off, failed, begun anew, told of and removed."""
    api, work = (as_role(role) for role in ("geogaze_api", "geogaze_work"))
    ledger = Ledger(api).of("ours", Quota(jobs=5, tiles=100, bytes=5))
    claims, queue = Claims(work, lease_seconds=30, patience=patience(1)), Queue(work)
    assert queue.lead("dispatcher", "one", 10)
    job = ledger.submit(submission(tenant="ours"))
    (message,) = queue.dispatch(1)
    claim = claims.claim(message.unit, "worker")
    assert claim is not None
    claims.give_up(claim, SceneUnreadable("damaged"))
    assert ledger.retry(job).state is JobState.RUNNING
    for items in (10, 0):
        (message,) = queue.dispatch(1)
        claim = claims.claim(message.unit, "worker")
        assert claim is not None
        claims.commit(claim, {}, items=items)
    assert ledger.status(job).state is JobState.SUCCESSFUL
    ledger.dismiss(job)
    collection = Collection(work)
    assert [found for found, _ in collection.dismissed()] == [job]
    collection.released(job)


def test_the_api_judges_keys_and_makes_none(as_role: As) -> None:
    record, key = Keys(as_role("owner")).create("a", tenant="ours", scopes={Scope.READ})
    found = Keys(as_role("geogaze_api")).find(key)
    assert found is not None
    assert found.id == record.id
    assert Keys(as_role("owner")).all()[0].last_used is not None
    theirs = Keys(as_role("geogaze_api"))
    with denied():
        theirs.create("b", tenant="ours", scopes={Scope.ADMIN})
    with denied():
        theirs.revoke(record.id)
    with denied(), as_role("geogaze_work").begin() as connection:
        connection.execute(select(Key.digest))


@pytest.mark.parametrize("role", ["geogaze_api", "geogaze_work"])
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (a int)",
        "ALTER TABLE jobs ADD COLUMN mine int",
        "DROP TABLE units",
        "TRUNCATE jobs CASCADE",
        "CREATE FUNCTION f() RETURNS int AS 'SELECT 1' LANGUAGE sql",
        "UPDATE alembic_version SET version_num = 'x'",
        "COPY jobs TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "CREATE ROLE mine",
    ],
)
def test_nobody_else_changes_what_there_is(as_role: As, role: str, statement: str) -> None:
    with denied(), as_role(role).begin() as connection:
        connection.execute(text(statement))
