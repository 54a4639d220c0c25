"""Quotas: how much one tenant may have, and that nobody else pays for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from geogaze.errors import SceneUnreadable
from geogaze.ledger.claims import Claims
from geogaze.ledger.quotas import PriorityTooHigh, Quota, QuotaExceeded
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from tests.unit.ledger.suite import OnSqlite, Suite, submission


class QuotasSuite(Suite):
    def test_open_jobs_are_counted_and_ended_ones_are_not(self, ledger: Ledger) -> None:
        ours = ledger.of("a", Quota(jobs=2))
        first, _ = (ours.submit(submission(tenant="a")) for _ in range(2))
        with pytest.raises(QuotaExceeded, match=r"2 open jobs; 2 is the most .*QUOTA_JOBS") as told:
            ours.submit(submission(tenant="a"))
        assert told.value.seconds > 0
        assert len(ledger.jobs(limit=9)) == 2, "nothing is left behind"
        ledger.of("b", Quota(jobs=2)).submit(submission(tenant="b"))
        ledger.dismiss(first)
        ours.submit(submission(tenant="a"))

    def test_a_key_that_came_before_costs_nothing(self, ledger: Ledger) -> None:
        ours = ledger.of("a", Quota(jobs=1))
        asked = submission(tenant="a", idempotency_key="k")
        assert ours.submit(asked) == ours.submit(asked)

    def test_tiles_of_a_day_are_counted(self, engine: Engine, ledger: Ledger) -> None:
        ours = ledger.of("a", Quota(tiles=50))
        job = ours.submit(submission(2, tenant="a"))  # 20 tiles
        with pytest.raises(QuotaExceeded, match="20 tiles in a day and this asks for 40") as told:
            ours.submit(submission(4, tenant="a"))
        assert told.value.seconds == pytest.approx(86_400, abs=60)
        ours.submit(submission(3, tenant="a"))
        with Session(engine) as session, session.begin():
            session.execute(update(Job).where(Job.id == job).values(created=Job.created - 86_401))
        ours.submit(submission(2, tenant="a"))

    def test_tiles_that_were_not_done_or_were_done_before_are_free(
        self, ledger: Ledger, claims: Claims
    ) -> None:
        ours = ledger.of("a", Quota(tiles=20))
        ledger.dismiss(ours.submit(submission(2, tenant="a")))
        asked = submission(2, tenant="a")
        ours.submit(asked)
        self.finish(ledger, claims)
        with pytest.raises(QuotaExceeded):
            ours.submit(submission(1, tenant="a"))

    def test_bytes_of_products_are_counted_while_they_are_kept(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        ours = ledger.of("a", Quota(bytes=1000))
        job = ours.submit(submission(tenant="a"))
        self.finish(ledger, claims)
        ours.submit(submission(tenant="a"))
        with Session(engine) as session, session.begin():
            session.execute(update(Job).where(Job.id == job).values(size=1000))
        with pytest.raises(QuotaExceeded, match="1000 bytes kept; 1000 is the most"):
            ours.submit(submission(tenant="a"))
        ledger.dismiss(job)
        ours.submit(submission(tenant="a"))

    def test_what_a_job_keeps_is_told_by_its_last_unit(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = ledger.submit(submission())
        claims.commit(self.take(ledger, claims), {}, items=10)
        files = {"a": {"size": 3 * 2**40}, "b": {"size": 5}}
        claims.commit(self.take(ledger, claims), {"assets": {"files": files}}, items=0)
        with Session(engine) as session:
            assert session.get_one(Job, job).size == 3 * 2**40 + 5

    def test_who_asks_at_the_same_time_gets_no_more(self, ledger: Ledger) -> None:
        ours, together = ledger.of("a", Quota(jobs=3)), Barrier(8)

        def ask(_: int) -> bool:
            together.wait()
            try:
                ours.submit(submission(tenant="a"))
            except QuotaExceeded:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(ask, range(8))) == 3

    def test_a_retry_is_one_more_open_job(self, ledger: Ledger, claims: Claims) -> None:
        ours = ledger.of("a", Quota(jobs=1))
        failed = ours.submit(submission(tenant="a"))
        claims.give_up(self.take(ledger, claims), SceneUnreadable("damaged"))
        other = ours.submit(submission(tenant="a"))
        with pytest.raises(QuotaExceeded, match="1 open jobs"):
            ours.retry(failed)
        assert ledger.status(failed).state is JobState.FAILED, "nothing has begun"
        ledger.dismiss(other)
        ours.retry(failed)

    def test_a_retry_costs_the_tiles_that_are_left(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        """Of a job of yesterday; what it did then is not counted again."""
        ours = ledger.of("a", Quota(tiles=30))
        failed = ours.submit(submission(3, tenant="a"))
        claims.commit(self.take(ledger, claims), {}, items=10)
        claims.give_up(self.take(ledger, claims), SceneUnreadable("damaged"))
        self.age(engine, failed, 86_401)
        ours.submit(submission(2, tenant="a"))
        with pytest.raises(QuotaExceeded, match="20 tiles in a day and this asks for 20"):
            ours.retry(failed)
        more = ledger.of("a", Quota(tiles=40))
        more.retry(failed)
        with pytest.raises(QuotaExceeded, match="40 tiles in a day and this asks for 10") as told:
            more.submit(submission(1, tenant="a"))
        assert told.value.seconds == pytest.approx(86_400, abs=60)
        self.age(engine, failed, 86_401)
        more.submit(submission(2, tenant="a"))

    def age(self, engine: Engine, job: UUID, seconds: float) -> None:
        with Session(engine) as session, session.begin():
            times = {"created": Job.created - seconds, "retried": Job.retried - seconds}
            session.execute(update(Job).where(Job.id == job).values(times))

    def test_nobody_is_more_urgent_than_may_be(self, ledger: Ledger) -> None:
        usual = ledger.of("a", Quota(priority=0))
        usual.submit(submission(tenant="a", priority=0))
        usual.submit(submission(tenant="a", priority=-1))
        with pytest.raises(PriorityTooHigh, match=r"'high' is more urgent than 'normal'"):
            usual.submit(submission(tenant="a", priority=1))


class TestQuotasOnSqlite(OnSqlite, QuotasSuite):
    pass
