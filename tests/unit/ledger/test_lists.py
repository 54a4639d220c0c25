"""What polls, lists and claims cost: no more than what they tell, however much a job holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event, update
from sqlalchemy.orm import Session

from geogaze.ledger.claims import Claims
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from tests.unit.ledger.suite import OnSqlite, Suite, submission, submit

LARGE = ("plan", "request", "assets")


@contextmanager
def asked(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Statements that go to the database meanwhile, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def fetched(statements: list[tuple[str, Any]]) -> set[str]:
    """Of the columns that grow with a job's classes, those that the statements name."""
    texts = [text.replace('"', "") for text, _ in statements]
    return {name for name in LARGE if any(re.search(rf"jobs\.{name}\b", text) for text in texts)}


class ListsSuite(Suite):
    def test_polls_and_lists_leave_plans_requests_and_assets_alone(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger)
        self.finish(ledger, claims)
        with asked(engine) as statements:
            assert ledger.status(job).state is JobState.SUCCESSFUL
            assert [status.id for status in ledger.jobs(limit=9)] == [job]
        assert statements
        assert fetched(statements) == set()
        assert ledger.assets(job) == {"files": {}}

    def test_a_claim_fetches_its_jobs_plan_once_and_nothing_where_it_is_not_to_be_had(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        plans = [{"layers": [name]} for name in ("boat", "road")]
        jobs = [ledger.submit(submission(2, plan=plan)) for plan in plans]
        units = [(job, unit.id) for job in jobs for unit in self.units(engine, job)]
        seen = []
        for job, unit in units:
            with asked(engine) as statements:
                claim = claims.claim(unit, "worker")
            assert claim is not None
            assert claim.plan == plans[jobs.index(job)]
            seen.append(fetched(statements))
        assert seen == [{"plan"}, set(), {"plan"}, set()]
        with asked(engine) as statements:
            assert claims.claim(units[0][1], "another") is None
        assert fetched(statements) == set()

    def test_a_worker_keeps_few_plans(self, ledger: Ledger, engine: Engine, claims: Claims) -> None:
        plans = {ledger.submit(submission(plan={"n": number})): number for number in range(40)}
        for unit in self.units(engine):
            claim = claims.claim(unit.id, "worker")
            assert claim is not None
            assert claim.plan == {"n": plans[claim.job_id]}
            assert len(claims._plans) <= 16

    def test_handing_back_renewing_and_sweeping_leave_them_alone(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        submit(ledger, 3)
        first, second = self.take(ledger, claims), self.take(ledger, claims)
        with asked(engine) as statements:
            claims.renew(first)
            claims.check(first)
            claims.commit(first, {}, items=10)
            claims.release(second)
            self.sweep(engine, 0.0)
            self.dispatch(engine, 9)
        assert fetched(statements) == set()

    def test_a_list_compares_no_job_with_every_other(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs = [submit(ledger) for _ in range(60)]
        compared = 0
        equal = UUID.__eq__

        def counted(one: UUID, other: object) -> bool:
            nonlocal compared
            compared += 1
            return equal(one, other)

        monkeypatch.setattr(UUID, "__eq__", counted)
        listed = ledger.jobs(limit=99)
        assert compared < 20 * len(jobs)
        assert {status.id for status in listed} == set(jobs)
        assert all(len(status.phases) == 4 for status in listed)

    def test_each_job_of_a_list_has_its_own_counts(self, ledger: Ledger, claims: Claims) -> None:
        units = {submit(ledger, count): count for count in (1, 2, 3, 4)}
        self.take(ledger, claims)
        for status in ledger.jobs(limit=9):
            counts = status.phases["explain"]
            assert (counts.total, status.items) == (units[status.id], 10 * units[status.id])

    def test_pages_of_jobs_of_one_moment_neither_repeat_nor_omit(
        self, engine: Engine, ledger: Ledger
    ) -> None:
        jobs = [submit(ledger) for _ in range(7)]
        with Session(engine) as session, session.begin():
            session.execute(update(Job).values(created=100.0))
        pages = [job.id for offset in (0, 3, 6) for job in ledger.jobs(limit=3, offset=offset)]
        assert pages == sorted(jobs, reverse=True)

    def test_a_worker_that_leaves_several_jobs_leaves_each(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        for _ in range(3):
            submit(ledger, 2)
        held = [self.take(ledger, claims).unit_id for _ in range(4)]
        claims.leave("worker")
        assert self.sweep(engine) == len(held)
        assert {self.unit(engine, unit).state for unit in held} == {UnitState.PENDING}


class TestOnSqlite(OnSqlite, ListsSuite):
    def test_a_tenants_list_is_read_off_an_index(self, engine: Engine, ledger: Ledger) -> None:
        ledger.submit(submission(tenant="anna"))
        with asked(engine) as statements:
            ledger.of("anna").jobs(limit=5, offset=1)
        text, parameters = next(s for s in statements if "jobs.tenant = " in s[0])
        with engine.connect() as connection:
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters).all()
        told = " ".join(step.detail for step in steps)
        assert "jobs_of_tenant" in told
        assert "TEMP B-TREE" not in told  # nothing is left to sort
