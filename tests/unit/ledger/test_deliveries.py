"""The outbox: a message for each change of state, at least once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from geogaze.errors import SceneUnreadable, StaleClaim
from geogaze.ledger import retries
from geogaze.ledger.claims import Claims
from geogaze.ledger.deliveries import Deliveries, Due
from geogaze.ledger.retries import Backoff
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Delivery
from tests.unit.ledger.suite import ATTEMPTS, OnSqlite, Suite, submission, submit

BASE = "https://geogaze.example"
SUBSCRIBER = {
    "base": BASE,
    "inProgressUri": "https://port.example/started",
    "successUri": "https://port.example/done",
    "failedUri": "https://port.example/broken",
}


class DeliveriesSuite(Suite):
    @pytest.fixture
    def deliveries(self, engine: Engine) -> Deliveries:
        return Deliveries(engine, Backoff(2.0, 3600.0))

    def take_due(self, deliveries: Deliveries, hold: float = 60) -> Due | None:
        return deliveries.take(hold_seconds=hold, max_attempts=ATTEMPTS)

    def all_due(self, deliveries: Deliveries) -> Iterator[Due]:
        while due := self.take_due(deliveries):
            yield due

    def events(self, engine: Engine, job: UUID) -> list[tuple[str, str]]:
        with Session(engine) as session:
            rows = session.scalars(select(Delivery).where(Delivery.job_id == job))
            return sorted((row.event, row.uri) for row in rows)

    def row(self, engine: Engine, due: Due) -> Delivery:
        with Session(engine) as session:
            return session.get_one(Delivery, due.id)

    def wait(self, engine: Engine) -> None:
        with Session(engine) as session, session.begin():
            session.execute(update(Delivery).values(next_attempt_at=0.0))

    def one(self, ledger: Ledger, claims: Claims) -> UUID:
        """A job with one message."""
        job = ledger.submit(submission(subscriber=SUBSCRIBER))
        self.take(ledger, claims)
        return job

    # What is told

    def test_each_change_of_state_is_told_once(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = ledger.submit(submission(3, subscriber=SUBSCRIBER))
        assert self.events(engine, job) == []
        self.finish(ledger, claims, 1)
        started = ("inProgress", SUBSCRIBER["inProgressUri"])
        assert self.events(engine, job) == [started]
        self.finish(ledger, claims)
        done = ("success", SUBSCRIBER["successUri"])
        assert self.events(engine, job) == [started, done]
        ledger.dismiss(job)
        assert self.events(engine, job) == [started, done]

    def test_a_failure_is_told_once_and_so_is_the_end_after_a_retry(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = ledger.submit(submission(2, subscriber=SUBSCRIBER))
        first, late = self.take(ledger, claims), self.take(ledger, claims)
        claims.give_up(first, SceneUnreadable("damaged"))
        with pytest.raises(StaleClaim):
            claims.give_up(late, SceneUnreadable("damaged"))
        assert [event for event, _ in self.events(engine, job)] == ["failed", "inProgress"]
        ledger.retry(job)
        self.finish(ledger, claims)
        events = [event for event, _ in self.events(engine, job)]
        assert (events.count("failed"), events.count("success")) == (1, 1)

    @pytest.mark.parametrize(
        ("subscriber", "told"),
        [
            (None, []),
            ({"base": BASE}, []),
            ({"base": BASE, "successUri": "https://port.example/d"}, ["success"]),
        ],
    )
    def test_only_who_asked_is_told(
        self, engine: Engine, ledger: Ledger, claims: Claims, subscriber: Any, told: list[str]
    ) -> None:
        job = ledger.submit(submission(subscriber=subscriber))
        self.finish(ledger, claims)
        assert [event for event, _ in self.events(engine, job)] == told

    def test_a_job_that_is_all_taken_over_tells_its_own_subscriber(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(2)
        ledger.submit(asked)
        self.finish(ledger, claims)
        job = ledger.submit(submission(2, content=asked.content, subscriber=SUBSCRIBER))
        self.finish(ledger, claims)
        assert [event for event, _ in self.events(engine, job)] == ["inProgress", "success"]

    # How it is told

    def test_a_message_says_what_and_where_to(
        self, ledger: Ledger, claims: Claims, deliveries: Deliveries
    ) -> None:
        assert self.take_due(deliveries) is None
        job = self.one(ledger, claims)
        due = self.take_due(deliveries)
        assert due is not None
        assert due == Due(
            due.id, job, "inProgress", SUBSCRIBER["inProgressUri"], attempt=1, base=BASE
        )

    def test_a_message_is_held_while_it_is_sent(
        self, engine: Engine, ledger: Ledger, claims: Claims, deliveries: Deliveries
    ) -> None:
        self.one(ledger, claims)
        due = self.take_due(deliveries)
        assert self.take_due(deliveries) is None
        self.wait(engine)  # whoever held it has died
        again = self.take_due(deliveries)
        assert due is not None
        assert again is not None
        assert (again.id, again.attempt) == (due.id, 2)

    def test_a_message_that_was_taken_is_never_sent_again(
        self, engine: Engine, ledger: Ledger, claims: Claims, deliveries: Deliveries
    ) -> None:
        self.one(ledger, claims)
        due = self.take_due(deliveries)
        assert due is not None
        deliveries.failed(due, "503")
        deliveries.delivered(due)
        self.wait(engine)
        assert self.take_due(deliveries) is None
        row = self.row(engine, due)
        assert row.delivered == pytest.approx(self.clock(engine), abs=5)
        assert row.error is None

    def test_a_message_that_fails_is_sent_ever_later_and_then_no_more(
        self,
        engine: Engine,
        ledger: Ledger,
        claims: Claims,
        deliveries: Deliveries,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        ceilings: list[float] = []

        def longest(low: float, high: float) -> float:
            assert low == 0  # full jitter
            ceilings.append(high)
            return high

        monkeypatch.setattr(retries.random, "uniform", longest)
        self.one(ledger, claims)
        for attempt in range(1, ATTEMPTS + 1):
            due = self.take_due(deliveries, hold=0)
            assert due is not None
            assert due.attempt == attempt
            deliveries.failed(due, "503 from port.example")
            assert self.take_due(deliveries) is None
            row = self.row(engine, due)
            assert row.error == "503 from port.example"
            assert row.next_attempt_at == pytest.approx(self.clock(engine) + ceilings[-1], abs=2)
            self.wait(engine)
        assert ceilings == sorted(set(ceilings))
        assert self.take_due(deliveries) is None, "it has had all its tries"

    def test_many_that_empty_it_at_once_send_each_message_once(
        self, ledger: Ledger, claims: Claims, deliveries: Deliveries
    ) -> None:
        jobs = [ledger.submit(submission(subscriber=SUBSCRIBER)) for _ in range(6)]
        submit(ledger)
        self.finish(ledger, claims)
        barrier = Barrier(4)

        def send(_: int) -> list[Due]:
            barrier.wait()
            return list(self.all_due(deliveries))

        with ThreadPoolExecutor(4) as pool:
            sent = [due for found in pool.map(send, range(4)) for due in found]
        expected = [(job, event) for job in jobs for event in ("inProgress", "success")]
        assert sorted((due.job_id, due.event) for due in sent) == sorted(expected)


class TestOnSqlite(OnSqlite, DeliveriesSuite):
    pass
