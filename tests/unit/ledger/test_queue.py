"""Handing out units: fairness, urgency, leads, and what the sweep frees."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from geogaze.errors import SceneAway, ScratchUnusable, StaleClaim, StorageUnavailable
from geogaze.ledger.claims import Claims
from geogaze.ledger.queue import Queue
from geogaze.ledger.states import UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Lead, Unit, WorkerSeen
from geogaze.ledger.workers import Report, Workers
from tests.unit.ledger.suite import ATTEMPTS, LEASE, OnSqlite, Suite, submission, submit


class QueueSuite(Suite):
    def job_of(self, engine: Engine) -> dict[UUID, UUID]:
        return {unit.id: unit.job_id for unit in self.units(engine)}

    # The sweep

    def test_the_sweep_frees_what_was_lost_and_nothing_else(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        submit(ledger, 6)
        running, lost = self.take(ledger, claims), self.take(ledger, claims)
        done = self.take(ledger, claims)
        claims.commit(done, {}, items=0)
        self.meddle(engine, lost.unit_id, lease_until=self.clock(engine) - 1)
        waiting, undelivered = self.dispatch(ledger.database, 2)
        self.meddle(engine, undelivered, dispatched_at=self.clock(engine) - 31)
        pending = [u.id for u in self.units(engine) if u.state is UnitState.PENDING]
        assert self.sweep(ledger.database, 30) == 2
        states = {unit.id: unit.state for unit in self.units(engine)}
        assert states == {
            running.unit_id: UnitState.RUNNING,
            lost.unit_id: UnitState.PENDING,
            done.unit_id: UnitState.DONE,
            waiting: UnitState.DISPATCHED,
            undelivered: UnitState.PENDING,
            **dict.fromkeys(pending, UnitState.PENDING),
        }
        freed = self.unit(engine, lost.unit_id)
        assert (freed.token, freed.lease_until) == (None, None)
        assert self.sweep(ledger.database, 30) == 0
        with pytest.raises(StaleClaim):
            claims.renew(lost)
        claims.commit(running, {}, items=0)

    # Dispatch

    def test_dispatch_keeps_to_its_limit(self, ledger: Ledger, claims: Claims) -> None:
        submit(ledger, 5)
        first = self.dispatch(ledger.database, 2)
        assert len(set(first)) == 2
        assert self.dispatch(ledger.database, 2) == []
        assert claims.claim(first[0], "worker") is not None
        assert len(self.dispatch(ledger.database, 2)) == 1
        assert len(self.dispatch(ledger.database, 100)) == 2
        assert self.dispatch(ledger.database, 100) == []

    def test_a_small_job_is_in_the_first_batch(self, ledger: Ledger) -> None:
        large, small = submit(ledger, 100), submit(ledger)
        units = {unit.id: unit.job_id for unit in self.units(ledger.database)}
        assert {units[unit] for unit in self.dispatch(ledger.database, 2)} == {large, small}

    def test_a_small_job_does_not_wait_where_one_slot_at_a_time_gets_free(
        self, ledger: Ledger, claims: Claims
    ) -> None:
        submit(ledger, 100)
        claims.commit(self.take(ledger, claims), {}, items=1)
        small = submit(ledger)
        served = []
        for _ in range(4):
            claim = self.take(ledger, claims)
            claims.commit(claim, {}, items=1)
            served.append(claim.job_id)
        assert small in served[:2]

    def test_a_jobs_units_go_out_in_order(self, ledger: Ledger) -> None:
        submit(ledger, 12)
        positions = {unit.id: unit.position for unit in self.units(ledger.database)}
        assert [positions[unit] for unit in self.dispatch(ledger.database, 12)] == list(range(12))

    def test_dispatchers_side_by_side_send_each_unit_once(
        self, ledger: Ledger, engine: Engine
    ) -> None:
        submit(ledger, 20)
        barrier = Barrier(4)

        def send(_: int) -> list[UUID]:
            barrier.wait()
            return [unit for _ in range(10) for unit in self.dispatch(ledger.database, 20)]

        with ThreadPoolExecutor(4) as pool:
            sent = [unit for units in pool.map(send, range(4)) for unit in units]
        assert sorted(sent) == sorted(unit.id for unit in self.units(engine))

    def test_dispatch_and_claims_by_old_hints_never_wait_for_each_other(
        self, ledger: Ledger, engine: Engine, claims: Claims
    ) -> None:
        for _ in range(10):
            submit(ledger, 16)
            due = [unit.id for unit in self.units(engine) if unit.state is UnitState.PENDING]
            barrier = Barrier(3)

            def send(barrier: Barrier = barrier) -> int:
                barrier.wait()
                return sum(len(self.dispatch(engine, 4)) for _ in range(8))

            def work(units: list[UUID], barrier: Barrier = barrier) -> int:
                barrier.wait()
                return sum(claims.claim(unit, "worker") is not None for unit in units)

            with ThreadPoolExecutor(3) as pool:
                sent = pool.submit(send)
                won = pool.map(work, [due, due])
            assert sent.result() <= sum(won) == 16

    # Fairness

    def test_tenants_take_turns_however_many_jobs_one_has(
        self, ledger: Ledger, claims: Claims
    ) -> None:
        for _ in range(20):
            ledger.submit(submission(tenant="crowd"))
        lone = ledger.submit(submission(5, tenant="lone"))
        held = [self.take(ledger, claims).job_id for _ in range(6)]
        assert Counter(job == lone for job in held) == {True: 3, False: 3}

    def test_a_small_job_overtakes_the_hundredth_unit_of_a_large_one(
        self, ledger: Ledger, queue: Queue
    ) -> None:
        submit(ledger, 100)
        levels = [message.level for message in queue.dispatch(99)]
        assert levels == [*range(9), *[9] * 90]  # the first of a job go first in the broker, too
        small = submit(ledger)
        (message,) = queue.dispatch(100)
        assert self.job_of(ledger.database)[message.unit] == small
        assert message.level == 0

    def test_urgent_jobs_come_first(self, ledger: Ledger, claims: Claims) -> None:
        low = ledger.submit(submission(priority=-1))
        normal = ledger.submit(submission(2))
        high = ledger.submit(submission(2, priority=1, tenant="busy"))
        order = [self.take(ledger, claims).job_id for _ in range(5)]
        assert order == [high, high, normal, normal, low]

    def test_what_failed_goes_first_and_of_its_halves_the_last(
        self, engine: Engine, ledger: Ledger
    ) -> None:
        submit(ledger, 4)
        units = self.units(engine)
        self.meddle(engine, units[2].id, failures=1, rectangle=[0, 0, 1, 5], root=1)
        self.meddle(engine, units[3].id, failures=1, rectangle=[0, 5, 1, 10], root=1)
        self.meddle(engine, units[1].id, failures=2)
        assert self.dispatch(engine, 9) == [units[n].id for n in (1, 3, 2, 0)]

    def test_what_failed_overtakes_the_messages_of_its_job(
        self, engine: Engine, ledger: Ledger, queue: Queue
    ) -> None:
        submit(ledger, 6)
        units = self.units(engine)
        queue.dispatch(4)
        self.meddle(engine, units[5].id, failures=1)
        levels = {message.unit: message.level for message in queue.dispatch(6)}
        assert levels == {units[5].id: 0, units[4].id: 5}

    # Outages that all units of a job would meet

    def away(self, engine: Engine, job: UUID) -> tuple[list[Unit], list[Unit]]:
        """Units of a job that may be tried at the next due moment, and those that wait on."""
        units = [u for u in self.units(engine, job) if u.state is UnitState.PENDING]
        soon = min(unit.next_attempt_at for unit in units)
        return [u for u in units if u.next_attempt_at == soon], [
            u for u in units if u.next_attempt_at > soon
        ]

    def test_one_unit_looks_whether_a_host_is_back_while_the_others_wait(
        self, engine: Engine, ledger: Ledger, claims: Claims, queue: Queue
    ) -> None:
        job, other = submit(ledger, 5), submit(ledger, 5)
        first, second = (
            claims.claim(unit, "w")
            for unit in [u.id for u in self.units(engine, job) if u.position < 2]
        )
        out = {u for u in self.dispatch(engine, 6) if self.job_of(engine)[u] == job}
        assert first is not None
        assert second is not None
        assert out
        for claim in (first, second):  # two lanes held it when the host went silent
            assert claims.give_up(claim, SceneAway("silent"))
        look, wait = self.away(engine, job)
        assert [unit.id for unit in look] == [second.unit_id]
        assert len(wait) == 4
        assert all(u.next_attempt_at >= look[0].next_attempt_at + LEASE for u in wait)
        assert {unit.failures for unit in wait} == {0, 1}, "who did not try has spent no try"
        assert all(claims.claim(unit, "w") is None for unit in out), "its messages are void"
        assert {u.state for u in self.units(engine, other)} == {
            UnitState.PENDING,
            UnitState.DISPATCHED,
        }, "nobody else's units wait"
        # It fails again, and again one of them looks; then it is there.
        for _ in range(ATTEMPTS - 2):
            self.meddle(engine, second.unit_id, next_attempt_at=0.0)
            again = claims.claim(second.unit_id, "w")
            assert again is not None
            assert claims.give_up(again, SceneAway("silent, still"))
            look, wait = self.away(engine, job)
            assert [unit.id for unit in look] == [second.unit_id]
            assert len(wait) == 4
        self.meddle(engine, second.unit_id, next_attempt_at=0.0)
        again = claims.claim(second.unit_id, "w")
        assert again
        claims.commit(again, {}, items=10)
        look, wait = self.away(engine, job)
        assert {unit.next_attempt_at for unit in look} == {0.0}
        assert len(look) == 4
        assert not wait

    def test_success_ends_no_wait_for_something_else(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 2)
        first, second = (claims.claim(u, "w") for u in self.dispatch(engine, 2))
        assert first is not None
        assert second is not None
        assert claims.give_up(first, StorageUnavailable("storage is out"))
        assert claims.give_up(second, ScratchUnusable("the disk is full"))
        self.meddle(engine, second.unit_id, next_attempt_at=0.0)
        due = self.unit(engine, first.unit_id).next_attempt_at
        again = claims.claim(second.unit_id, "w")
        assert again
        claims.commit(again, {}, items=10)
        assert self.unit(engine, first.unit_id).next_attempt_at == due > 0
        assert ledger.status(job).phases["explain"].remaining == 1

    # What a worker does next

    def test_a_job_past_explaining_is_brought_to_its_end(
        self, ledger: Ledger, claims: Claims, queue: Queue
    ) -> None:
        job = submit(ledger, 2, calibrate=2)
        assert queue.following(job) is None
        self.finish(ledger, claims, 2)
        phases = []
        while unit := queue.following(job):
            claim = claims.claim(unit, "worker")
            assert claim is not None
            phases.append((claim.phase, claim.position))
            claims.commit(claim, {"assets": {"files": {}}}, items=0)
        assert phases == [("calibrate", 0), ("calibrate", 1), ("publish", 0)]

    def test_what_follows_is_due_and_its_job_open(
        self, engine: Engine, ledger: Ledger, claims: Claims, queue: Queue
    ) -> None:
        job = submit(ledger)
        self.finish(ledger, claims, 1)
        unit = queue.following(job)
        assert unit is not None
        self.meddle(engine, unit, next_attempt_at=self.clock(engine) + 60)
        assert queue.following(job) is None
        self.make_due(engine)
        ledger.dismiss(job)
        assert queue.following(job) is None

    # Leads

    def test_one_leads_and_the_other_stands_by(self, engine: Engine, queue: Queue) -> None:
        assert queue.lead("dispatcher", "a", 30)
        assert queue.lead("dispatcher", "a", 30)
        assert not queue.lead("dispatcher", "b", 30)
        assert queue.lead("another", "b", 30)
        with Session(engine) as session, session.begin():
            session.execute(update(Lead).values(until=1.0))
        assert queue.lead("dispatcher", "b", 30)
        assert not queue.lead("dispatcher", "a", 30)

    def test_who_resigns_is_replaced_at_once(self, queue: Queue) -> None:
        assert queue.lead("dispatcher", "a", 30)
        queue.resign("dispatcher", "b")
        assert not queue.lead("dispatcher", "b", 30)
        queue.resign("dispatcher", "a")
        assert queue.lead("dispatcher", "b", 30)

    def test_of_many_that_start_at_once_one_leads(self, queue: Queue) -> None:
        barrier = Barrier(4)

        def start(number: int) -> bool:
            barrier.wait()
            return queue.lead("dispatcher", str(number), 30)

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(start, range(4))) == 1

    # Workers

    def test_slots_are_those_of_workers_heard_of_lately(
        self, engine: Engine, claims: Claims, queue: Queue
    ) -> None:
        assert queue.slots() == 0
        for name, slots in (("a", 2), ("b", 3), ("b", 4), ("c", 8)):
            Workers(engine).report(Report(name, slots))
        assert queue.slots() == 14
        claims.leave("a")
        with Session(engine) as session, session.begin():
            session.execute(
                update(WorkerSeen).where(WorkerSeen.name == "c").values(seen=WorkerSeen.seen - 61)
            )
        assert queue.slots() == 4

    def test_a_worker_that_left_is_swept_at_once(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        submit(ledger, 2)
        lost, kept = self.dispatch(engine, 2)
        stale = claims.claim(lost, "old")
        assert stale
        assert claims.claim(kept, "other")
        claims.leave("old")
        assert self.sweep(engine) == 1
        states = [self.unit(engine, unit).state for unit in (lost, kept)]
        assert states == [UnitState.PENDING, UnitState.RUNNING]
        with pytest.raises(StaleClaim):
            claims.commit(stale, {}, items=10)

    def test_units_of_ended_jobs_are_let_go(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 2)
        claim = self.take(ledger, claims)
        ledger.dismiss(job)
        assert self.lose_worker(engine, claim) == 1
        unit = self.unit(engine, claim.unit_id)
        assert (unit.state, unit.token, unit.failures) == (UnitState.PENDING, None, 0)


class TestOnSqlite(OnSqlite, QueueSuite):
    pass
