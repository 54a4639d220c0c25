"""How workers take units and hand in what they made.

A claim is a guarded UPDATE: it succeeds for one worker, gives it a lease and a fresh token, and
every later step is ``WHERE token = :mine``. Execution is at least once, effects are exactly once.
The transaction that finishes a unit also lowers its phase's count, and whoever brings it to zero
opens the next phase in the same transaction, so no crash can leave a phase between two states.
"""

from __future__ import annotations

import random
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, Engine, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Update

from geogaze.errors import GeogazeError, StaleClaim
from geogaze.ledger.records import Claim
from geogaze.ledger.states import OPEN_JOB, JobState, Phase, UnitState, unit_sources
from geogaze.ledger.store import close_job, open_phase, problem_of
from geogaze.ledger.tables import Job, PhaseCount, Unit, now

_ORDER = list(Phase)
_BACKOFF_BASE = 0.5
_BACKOFF_CAP = 60.0


class Claims:
    """The workers' side of the ledger. Each method is one transaction."""

    def __init__(self, engine: Engine, *, lease_seconds: float, max_attempts: int) -> None:
        self._engine = engine
        self._lease = lease_seconds
        self._max_attempts = max_attempts

    def claim(self, unit_id: UUID, worker: str) -> Claim | None:
        """Take a unit, or None where it is done, held by another, not due or its job has ended."""
        token = uuid4()
        with Session(self._engine) as session, session.begin():
            # The job's row before the unit's, as everywhere, so that two never wait for each other.
            job_of_unit = select(Unit.job_id).where(Unit.id == unit_id).scalar_subquery()
            session.scalar(select(Job.id).where(Job.id == job_of_unit).with_for_update())
            taken = _changed(
                session,
                update(Unit)
                .where(
                    Unit.id == unit_id,
                    Unit.state.in_(unit_sources(UnitState.RUNNING)),
                    Unit.next_attempt_at <= now(),
                    Unit.job_id.in_(select(Job.id).where(Job.state.in_(OPEN_JOB))),
                )
                .values(
                    state=UnitState.RUNNING,
                    attempt=Unit.attempt + 1,
                    token=token,
                    lease_until=now() + self._lease,
                    worker=worker,
                ),
            )
            if not taken:
                return None
            unit = session.get_one(Unit, unit_id)
            session.execute(
                update(Job)
                .where(Job.id == unit.job_id, Job.state == JobState.ACCEPTED)
                .values(state=JobState.RUNNING, started=now(), updated=now(), message="running")
            )
            plan = session.scalar(select(Job.plan).where(Job.id == unit.job_id))
            return Claim(
                unit_id=unit.id,
                job_id=unit.job_id,
                phase=unit.phase,
                position=unit.position,
                attempt=unit.attempt,
                token=token,
                plan=cast("dict[str, Any]", plan),
            )

    def renew(self, claim: Claim) -> None:
        """Push the lease on.

        Raises:
            StaleClaim: the unit is somebody else's, or its job has ended.
        """
        with Session(self._engine) as session, session.begin():
            self._hold(session, claim, {"lease_until": now() + self._lease})

    def commit(self, claim: Claim, result: dict[str, Any], *, tiles: int) -> None:
        """Make a unit's parts visible and, where it was its phase's last, go on.

        Args:
            claim: the claim under which the parts were written.
            result: small JSON for later phases; the publish phase's ``assets`` become the job's.
            tiles: tiles explained by this unit.

        Raises:
            StaleClaim: the claim was lost; nothing becomes visible.
        """
        with Session(self._engine) as session, session.begin():
            self._hold(
                session,
                claim,
                {"state": UnitState.DONE, "result": result, "token": None, "lease_until": None},
            )
            remaining = session.scalar(
                update(PhaseCount)
                .where(PhaseCount.job_id == claim.job_id, PhaseCount.phase == claim.phase)
                .values(
                    remaining=PhaseCount.remaining - 1, tiles_done=PhaseCount.tiles_done + tiles
                )
                .returning(PhaseCount.remaining)
            )
            session.execute(update(Job).where(Job.id == claim.job_id).values(updated=now()))
            if remaining == 0:
                self._advance(session, claim, result)

    def _advance(self, session: Session, claim: Claim, result: dict[str, Any]) -> None:
        rows = session.execute(
            select(PhaseCount.phase, PhaseCount.total).where(PhaseCount.job_id == claim.job_id)
        )
        totals = {phase: total for phase, total in rows}  # noqa: C416  rows are typed, dict() is not
        later = [phase for phase in _ORDER[_ORDER.index(claim.phase) + 1 :] if totals.get(phase)]
        if later:
            session.execute(update(Job).where(Job.id == claim.job_id).values(phase=later[0]))
            open_phase(session, claim.job_id, later[0], totals[later[0]])
            return
        session.execute(
            update(Job).where(Job.id == claim.job_id).values(assets=result.get("assets"))
        )
        close_job(session, claim.job_id, JobState.SUCCESSFUL, "done")

    def give_up(self, claim: Claim, error: GeogazeError) -> bool:
        """Hand a unit back after an error; True if it will be tried again.

        Errors that a retry may help are tried again with full-jitter backoff; others, and the
        last of ``max_attempts``, fail the unit and its job.

        Raises:
            StaleClaim: the claim was lost.
        """
        again = error.retryable and claim.attempt < self._max_attempts
        with Session(self._engine) as session, session.begin():
            values: dict[str, Any] = {"token": None, "lease_until": None, "error": str(error)}
            if again:
                ceiling = min(_BACKOFF_CAP, _BACKOFF_BASE * 2**claim.attempt)
                delay = random.uniform(0, ceiling)  # noqa: S311  jitter, not a secret
                values |= {"state": UnitState.PENDING, "next_attempt_at": now() + delay}
            else:
                values |= {"state": UnitState.FAILED}
            self._hold(session, claim, values)
            if not again:
                close_job(session, claim.job_id, JobState.FAILED, str(error), problem_of(error))
        return again

    def release(self, claim: Claim) -> None:
        """Hand a unit back untouched, without spending the attempt (a worker shutting down)."""
        with Session(self._engine) as session, session.begin():
            self._hold(
                session,
                claim,
                {
                    "state": UnitState.PENDING,
                    "attempt": Unit.attempt - 1,
                    "token": None,
                    "lease_until": None,
                },
            )

    def _hold(self, session: Session, claim: Claim, values: dict[str, Any]) -> None:
        """Update a unit that is still ours, in a job that is still open.

        The job's row is locked first, so that ending a job and finishing its units never cross.
        """
        state = session.scalar(select(Job.state).where(Job.id == claim.job_id).with_for_update())
        if state not in OPEN_JOB:
            raise StaleClaim(f"Job {claim.job_id} is {state}; unit {claim.position} is void.")
        held = _changed(
            session,
            update(Unit)
            .where(
                Unit.id == claim.unit_id,
                Unit.token == claim.token,
                Unit.state == UnitState.RUNNING,
            )
            .values(values),
        )
        if not held:
            raise StaleClaim(
                f"Unit {claim.position} of job {claim.job_id} was claimed anew; "
                f"attempt {claim.attempt} is void."
            )


def _changed(session: Session, statement: Update) -> bool:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount == 1
