"""The ledger knows phases by what their plans say, of whatever process they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from geogaze.errors import UnitBroke
from geogaze.grid.rectangles import Division
from geogaze.ledger.claims import Claims
from geogaze.ledger.queue import Queue
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.submission import PhasePlan
from tests.unit.ledger.suite import OnSqlite, Suite, submission

REPEAT = PhasePlan("repeat", 2, share=1, doing="repeating word")
SURVEY = PhasePlan("survey", 1, share=1, doing="surveying")
AUDIT = PhasePlan("audit", 2, 3, "auditing", grid=Division(1, 8, 4), noun="samples", skips=True)
REPORT = PhasePlan("report", 1, 0, "reporting")


def job_of(ledger: Ledger, *phases: PhasePlan, **changes: Any) -> UUID:
    return ledger.submit(submission(phases=phases, process="other", **changes))


class PhasesSuite(Suite):
    def test_a_job_without_anything_to_count(self, ledger: Ledger, claims: Claims) -> None:
        job = job_of(ledger, REPEAT)
        claim = self.take(ledger, claims)
        assert (claim.phase, claim.rectangle) == ("repeat", None)
        status = ledger.status(job)
        assert (status.process, status.headline) == ("other", "repeating word 1 of 2")
        assert (status.items, status.items_seen, status.progress) == (0, 0, 0)
        assert status.items_per_second is status.seconds_left is None
        claims.commit(claim, {}, items=0)
        status = ledger.status(job)
        assert (status.headline, status.progress) == ("repeating word 2 of 2", 50)
        claims.commit(self.take(ledger, claims), {"assets": {"files": {}}}, items=0)
        assert ledger.status(job).state is JobState.SUCCESSFUL
        assert ledger.assets(job) == {"files": {}}
        assert ledger.status(job).items_per_second is None

    def test_any_phase_may_be_divided(self, engine: Engine, ledger: Ledger, claims: Claims) -> None:
        """Sample 2 breaks whoever tries it, and is left out."""
        job = job_of(ledger, SURVEY, AUDIT, REPORT)
        claims.commit(self.take(ledger, claims), {}, items=0)
        assert (ledger.status(job).phase, ledger.status(job).items) == ("audit", 8)
        assert ledger.status(job).headline == "auditing: 0 of 8 samples"
        assert ledger.status(job).progress == 25
        for _ in range(20):
            self.make_due(engine)
            if ledger.status(job).state is not JobState.RUNNING:
                break
            claim = self.take(ledger, claims)
            if claim.phase == "report":
                claims.commit(claim, {}, items=0)
                continue
            row0, start, row1, end = claim.rectangle or (0, 4 * claim.root, 1, 4 * claim.root + 4)
            assert (row0, row1) == (0, 1)
            assert claim.prefix.startswith(f"jobs/{job}/audit/")
            if start <= 2 < end:
                claims.give_up(claim, UnitBroke("broke"))
            else:
                claims.commit(claim, {}, items=end - start)
        status = ledger.status(job)
        assert (status.state, status.items_done) == (JobState.SUCCESSFUL, 8)
        assert [unit.rectangle for unit in ledger.skipped(job)] == [(0, 2, 1, 3)]

    def test_what_fails_a_job_is_called_by_its_phases_noun(
        self, ledger: Ledger, claims: Claims
    ) -> None:
        phase = PhasePlan("audit", 1, 1, "auditing", grid=Division(1, 1, 1), noun="samples")
        job = job_of(ledger, phase)
        claims.give_up(self.take(ledger, claims), UnitBroke("broke"))
        assert ledger.status(job).message == "Sample (row 0, column 0): broke"

    def test_phases_without_a_unit_are_passed_over(self, ledger: Ledger, claims: Claims) -> None:
        none = PhasePlan("none", 0, share=5, doing="doing nothing")
        job = job_of(ledger, none, REPEAT, none_of(none, "more"), SURVEY)
        assert ledger.status(job).phase == "repeat"
        for _ in range(2):
            claims.commit(self.take(ledger, claims), {}, items=0)
        assert (ledger.status(job).phase, ledger.status(job).progress) == ("survey", 50)
        assert list(ledger.status(job).phases) == ["none", "repeat", "more", "survey"]

    def test_parts_are_taken_over_where_a_phase_shares_them_alone(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        shared = PhasePlan("read", 2, 1, "reading", shared=True)
        for first in (REPEAT, shared):
            content = {"content": first.name}
            earlier = job_of(ledger, first, SURVEY, **content)
            self.finish(ledger, claims)
            later = job_of(ledger, first, SURVEY, **content)
            assert (ledger.status(later).phase == "survey") is first.shared
            place = "parts/read/" if first.shared else f"jobs/{earlier}/repeat/"
            assert all(p.prefix.startswith(place) for p in ledger.parts(earlier, first.name))
            self.finish(ledger, claims)
        other = submission(phases=(shared, SURVEY), process="another", content="read")
        assert ledger.status(ledger.submit(other)).phase == "read", "another process"

    def test_a_worker_stays_at_a_job_but_for_what_is_divided(
        self, ledger: Ledger, claims: Claims, queue: Queue
    ) -> None:
        job = job_of(ledger, REPEAT, AUDIT, REPORT)
        assert queue.following(job) is not None
        for _ in range(2):
            claims.commit(self.take(ledger, claims), {}, items=0)
        assert ledger.status(job).phase == "audit"
        assert queue.following(job) is None


def none_of(phase: PhasePlan, name: str) -> PhasePlan:
    return PhasePlan(name, 0, phase.share, phase.doing)


@pytest.mark.parametrize(
    ("phases", "why"),
    [
        ((), "a unit"),
        ((PhasePlan("none", 0, 1, ""),), "a unit"),
        ((SURVEY, PhasePlan("read", 1, 1, "", shared=True)), "first phase"),
        ((PhasePlan("read", 1, 1, "", shared=True),), "later phase"),
        ((SURVEY, AUDIT), "brings the results"),
        ((PhasePlan("a" * 65, 1, 1, ""),), "64 characters"),
    ],
)
def test_what_cannot_be_done_is_no_submission(phases: tuple[PhasePlan, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        submission(phases=phases)


class TestOnSqlite(OnSqlite, PhasesSuite):
    pass
