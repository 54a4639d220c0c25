"""Accepting jobs: once for each idempotency key, and out of other tenants' sight."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Engine

from geogaze.errors import IdempotencyKeyReused, JobNotFound, SceneUnreadable
from geogaze.ledger.claims import Claims
from geogaze.ledger.store import Ledger
from tests.unit.ledger.suite import OnSqlite, Suite, submission


class SubmissionSuite(Suite):
    # Idempotency

    def test_the_same_key_and_request_is_the_same_job(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(2, idempotency_key="k")
        job = ledger.submit(asked)
        before = self.snapshot(engine)
        assert ledger.submit(asked) == job
        assert self.snapshot(engine) == before
        self.finish(ledger, claims)
        assert ledger.submit(submission(3, idempotency_key="k")) == job, "the request tells"

    def test_the_same_key_with_another_request_is_refused(
        self, engine: Engine, ledger: Ledger
    ) -> None:
        job = ledger.submit(submission(idempotency_key="k"))
        before = self.snapshot(engine)
        with pytest.raises(IdempotencyKeyReused, match=f"'k'.*{job}"):
            ledger.submit(submission(idempotency_key="k", request={"scene": "other.tif"}))
        assert self.snapshot(engine) == before

    @pytest.mark.parametrize("others", [None, {}, {"successUri": "https://b"}])
    def test_the_same_key_with_another_subscriber_is_refused(
        self, engine: Engine, ledger: Ledger, others: dict[str, str] | None
    ) -> None:
        mine = {"successUri": "https://a", "base": "http://inside"}
        job = ledger.submit(submission(idempotency_key="k", subscriber=mine))
        before = self.snapshot(engine)
        with pytest.raises(IdempotencyKeyReused, match=f"'k'.*{job}.*subscriber"):
            ledger.submit(submission(idempotency_key="k", subscriber=others))
        # The address by which the API was asked is not the subscriber's.
        again = submission(idempotency_key="k", subscriber={**mine, "base": "http://outside"})
        assert ledger.submit(again) == job
        assert self.snapshot(engine) == before

    def test_keys_are_each_tenants_own(self, ledger: Ledger) -> None:
        jobs = {
            ledger.submit(submission(idempotency_key="k", tenant=tenant)) for tenant in ("a", "b")
        }
        jobs |= {ledger.submit(submission()) for _ in range(2)}  # without a key, each is its own
        assert len(jobs) == 4

    def test_the_same_key_many_times_at_once_is_one_job(
        self, engine: Engine, ledger: Ledger
    ) -> None:
        asked = submission(3, idempotency_key="k")
        barrier = Barrier(8)

        def send(_: int) -> UUID:
            barrier.wait()
            return ledger.submit(asked)

        with ThreadPoolExecutor(8) as pool:
            jobs = set(pool.map(send, range(8)))
        assert {status.id for status in ledger.jobs(limit=9)} == jobs
        assert len(jobs) == 1
        assert len(self.units(engine)) == 3

    # Tenants

    def test_a_tenant_sees_no_others_jobs(self, ledger: Ledger) -> None:
        jobs = {name: ledger.submit(submission(tenant=name)) for name in ("a", "b")}
        for name, job in jobs.items():
            assert [status.id for status in ledger.of(name).jobs(limit=9)] == [job]
            assert ledger.of(name).status(job).tenant == name
        assert {status.id for status in ledger.jobs(limit=9)} == set(jobs.values())

    def test_a_tenant_reaches_no_others_job(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = ledger.submit(submission(2, tenant="a"))
        claims.commit(self.take(ledger, claims), {}, items=10)
        claims.give_up(self.take(ledger, claims), SceneUnreadable("damaged"))
        stranger = ledger.of("b")
        before = self.snapshot(engine)
        for ask in (
            stranger.status,
            stranger.request,
            stranger.assets,
            stranger.skipped,
            lambda job: stranger.parts(job, "explain"),
            stranger.retry,
            stranger.dismiss,
        ):
            with pytest.raises(JobNotFound):
                ask(job)
        assert self.snapshot(engine) == before
        assert len(ledger.of("a").parts(job, "explain")) == 1
        ledger.of("a").retry(job)
        ledger.of("a").dismiss(job)


class TestOnSqlite(OnSqlite, SubmissionSuite):
    pass
