"""Who works beside whom in a process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from geogaze.ledger.records import Claim
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Unit
from geogaze.runner.company import Company
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.pulse import Pulse
from geogaze.runner.work import Worker
from tests.unit.ledger.suite import submit


class Lane:
    """A thread that goes into a company, says so, and leaves when it is told to."""

    def __init__(self, within: AbstractContextManager[None]) -> None:
        self.inside, self._leaves = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=(within,), daemon=True)
        self.thread.start()

    def _run(self, within: AbstractContextManager[None]) -> None:
        with within:
            self.inside.set()
            assert self._leaves.wait(10)

    def leave(self) -> None:
        self._leaves.set()
        self.thread.join(10)


@pytest.fixture
def company() -> Iterator[Company]:
    company = Company()
    yield company
    assert not company._here
    assert not company._to_be_alone


def waits_to_be_alone(company: Company) -> bool:
    with company._changed:
        return company._to_be_alone > 0


def test_several_work_side_by_side(company: Company) -> None:
    lanes = [Lane(company.joined()) for _ in range(3)]
    assert all(lane.inside.wait(10) for lane in lanes)
    for lane in lanes:
        lane.leave()


def test_who_is_to_be_alone_waits_for_all_and_nobody_joins_before(company: Company) -> None:
    first = Lane(company.joined())
    assert first.inside.wait(10)
    alone = Lane(company.alone())
    while not waits_to_be_alone(company):
        pass
    late = Lane(company.joined())
    assert not alone.inside.wait(0.02)
    assert not late.inside.is_set()
    first.leave()
    assert alone.inside.wait(10)
    assert not late.inside.wait(0.02)
    alone.leave()
    assert late.inside.wait(10)
    late.leave()


def test_two_that_are_to_be_alone_take_turns(company: Company) -> None:
    first = Lane(company.alone())
    assert first.inside.wait(10)
    second = Lane(company.alone())
    assert not second.inside.wait(0.02)
    first.leave()
    assert second.inside.wait(10)
    second.leave()


def test_a_lane_that_was_left_behind_is_no_company(company: Company) -> None:
    hangs = Lane(company.joined())
    assert hangs.inside.wait(10)
    company.leave(hangs.thread)
    alone = Lane(company.alone())
    assert alone.inside.wait(10)
    alone.leave()
    hangs.leave()


def test_the_last_try_of_a_unit_is_made_alone(ledger: Ledger, worker: Worker, does: Any) -> None:
    """Else it would be condemned for what a unit beside it did to the process."""
    submit(ledger, 2)
    units: dict[int, UUID] = {}
    with Session(ledger.database) as session, session.begin():
        units = {row.position: row.id for row in session.scalars(select(Unit))}
        spent = worker.resources.settings.max_attempts - 1
        session.execute(update(Unit).where(Unit.position == 0).values(failures=spent))
    began, goes_on = {0: threading.Event(), 1: threading.Event()}, threading.Event()

    def task(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        began[claim.position].set()
        assert claim.position == 0 or goes_on.wait(10)
        return Outcome({})

    does(task)
    lanes = [threading.Thread(target=worker.run, args=(units[n],), daemon=True) for n in (1, 0)]
    lanes[0].start()
    assert began[1].wait(10)
    lanes[1].start()
    while not waits_to_be_alone(worker._company):
        pass
    assert not began[0].is_set()
    goes_on.set()
    assert began[0].wait(10)
    for lane in lanes:
        lane.join(10)
    with Session(ledger.database) as session:
        assert set(session.scalars(select(Unit.state).where(Unit.phase == "explain"))) == {"done"}
