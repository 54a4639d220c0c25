"""A release's processes run on beside the next one's: no migration takes from them what they use.

Columns and tables may come; what goes, or stops taking what the former release writes, goes in a
migration *contract* of a later release (``CONTRIBUTING.md``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Integer, String, Text, inspect
from sqlalchemy.types import TypeEngine

from geogaze.ledger.database import connect
from tests.unit.ledger.test_migrations import alembic_config, migrate

Column = tuple[str, str]
Columns = dict[Column, dict[str, Any]]

BEFORE = "5d0c3b7f2a91"
"""The last revision of before this rule."""

CONTRACTS = {"e5a9036d1b7c"}
"""Revisions that take something away, once no process of before their expansion runs any more."""


def columns(engine: Engine) -> Columns:
    found = inspect(engine)
    return {
        (table, column["name"]): dict(column)
        for table in found.get_table_names()
        for column in found.get_columns(table)
    }


def holds(new: TypeEngine[Any], old: TypeEngine[Any]) -> bool:
    """Whether a type takes what another did: it is the same, or longer."""
    longer = (getattr(new, "length", None) or 0) >= (getattr(old, "length", None) or 0)
    return type(new) is type(old) and longer


def taken(before: Columns, after: Columns) -> list[str]:
    """What a process that knows the tables as they were cannot do any more."""
    tables = {table for table, _ in before}
    problems = [f"{'.'.join(gone)} is gone" for gone in sorted(before.keys() - after.keys())]
    for place in sorted(before.keys() & after.keys()):
        old, new = before[place], after[place]
        if not holds(new["type"], old["type"]):
            problems.append(f"{'.'.join(place)} takes less than it did")
        if old["nullable"] and not new["nullable"]:
            problems.append(f"{'.'.join(place)} may not be empty any more")
    for place in sorted(after.keys() - before.keys()):
        wanted = not after[place]["nullable"] and after[place]["default"] is None
        if place[0] in tables and wanted:
            problems.append(f"{'.'.join(place)} is wanted in new rows")
    return problems


def test_no_migration_takes_what_the_former_release_uses(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    revisions = ScriptDirectory.from_config(alembic_config()).walk_revisions(BEFORE, "heads")
    later = [script.revision for script in reversed(list(revisions))]
    assert later[0] == BEFORE
    migrate(engine, BEFORE)
    problems, seen = {}, columns(engine)
    for revision in later[1:]:
        migrate(engine, revision)
        before, seen = seen, columns(engine)
        if found := taken(before, seen):
            problems[revision] = found
    engine.dispose()
    assert {revision: problems[revision] for revision in problems.keys() - CONTRACTS} == {}
    assert problems.keys() == CONTRACTS, "the check sees what goes"


TEXT = {"type": Text(), "nullable": True, "default": None}
SHORT = {**TEXT, "type": String(16)}


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ({}, ["jobs.name is gone"]),
        ({("jobs", "title"): SHORT}, ["jobs.name is gone"]),
        ({("jobs", "name"): {**TEXT, "type": Integer()}}, ["jobs.name takes less than it did"]),
        ({("jobs", "name"): {**TEXT, "type": String(8)}}, ["jobs.name takes less than it did"]),
        ({("jobs", "name"): {**TEXT, "type": String(64)}}, []),
        ({("jobs", "name"): {**SHORT, "nullable": False}}, ["jobs.name may not be empty any more"]),
        (
            {("jobs", "name"): SHORT, ("jobs", "more"): {**TEXT, "nullable": False}},
            ["jobs.more is wanted in new rows"],
        ),
        ({("jobs", "name"): SHORT, ("bills", "sum"): {**TEXT, "nullable": False}}, []),
        ({("jobs", "name"): SHORT, ("jobs", "more"): TEXT}, []),
    ],
)
def test_what_takes_something_away(after: Columns, says: list[str]) -> None:
    assert taken({("jobs", "name"): SHORT}, after) == says
