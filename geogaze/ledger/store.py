"""Jobs and what is known of them: every query of the ledger for those who ask for work.

Workers' claims are in :mod:`geogaze.ledger.claims`, the dispatcher's side in
:mod:`geogaze.ledger.queue`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select, update
from sqlalchemy.orm import Session, undefer

from geogaze.errors import IllegalTransition, JobNotFound
from geogaze.grid.rectangles import Rectangle
from geogaze.ledger.database import Database
from geogaze.ledger.pace import Pace
from geogaze.ledger.quotas import Quota
from geogaze.ledger.records import JobStatus, Part, PhaseStatus, Skipped
from geogaze.ledger.spending import Earlier, Spent
from geogaze.ledger.states import JobState, UnitState, check_job_step
from geogaze.ledger.steps import begin_anew, job_step
from geogaze.ledger.submission import Submission, accept
from geogaze.ledger.tables import Base, Job, Phase, Unit, Usage, now
from geogaze.ledger.transitions import close_job, tell
from geogaze.ledger.usage import spent_on, told

if TYPE_CHECKING:
    from geogaze.ledger.catalogue import Catalogue

_NEWEST = (Job.created.desc(), Job.id.desc())  # as the indices have them
_ALIKE_AMONG = 50  # inputs are looked into, job by job
_LEARNT_FROM = 12  # plans are large


class Ledger:
    """Jobs in a SQL database. Each method is one transaction.

    Args:
        database: where it is.
        tenant: whose jobs are seen; None for the operator, who sees all.
        quota: what a tenant may have.
    """

    def __init__(
        self, database: Database, tenant: str | None = None, quota: Quota | None = None
    ) -> None:
        self.database = database
        self._tenant = tenant
        self._quota = quota or Quota()

    def of(self, tenant: str, quota: Quota | None = None) -> Ledger:
        """The same ledger, with one tenant's jobs alone, and no more of them than its quota."""
        return Ledger(self.database, tenant, quota)

    @property
    def catalogue(self) -> Catalogue:
        """The Items of these jobs."""
        from geogaze.ledger.catalogue import Catalogue  # reads filters, which is the API's alone

        return Catalogue(self.database, self._tenant)

    def create_tables(self) -> None:
        """Make the tables of an embedded ledger; servers are migrated by Alembic instead."""
        Base.metadata.create_all(self.database)

    def submit(self, job: Submission) -> UUID:
        """Accept a job; see :func:`geogaze.ledger.submission.accept`."""
        return accept(self.database, job, self._quota)

    def status(self, job_id: UUID) -> JobStatus:
        """Where a job stands.

        Raises:
            JobNotFound: there is none.
        """
        statuses = self._statuses(Job.id == job_id, limit=1, offset=0)
        if not statuses:
            raise JobNotFound(f"There is no job {job_id}.")
        return statuses[0]

    def jobs(
        self,
        *,
        limit: int,
        offset: int = 0,
        states: Iterable[JobState] = (),
        processes: Iterable[str] = (),
        created_from: float | None = None,
        created_to: float | None = None,
        min_seconds: float | None = None,
        max_seconds: float | None = None,
    ) -> list[JobStatus]:
        """Jobs, newest first. ``min_seconds`` and ``max_seconds`` judge how long they ran."""
        wanted: list[ColumnElement[bool]] = []
        if states := list(states):
            wanted.append(Job.state.in_(states))
        if processes := list(processes):
            wanted.append(Job.process.in_(processes))
        if created_from is not None:
            wanted.append(Job.created >= created_from)
        if created_to is not None:
            wanted.append(Job.created <= created_to)
        ran = func.coalesce(Job.finished, now()) - Job.started
        if min_seconds is not None:
            wanted.append(ran >= min_seconds)
        if max_seconds is not None:
            wanted.append(ran <= max_seconds)
        return self._statuses(*wanted, limit=limit, offset=offset)

    def earlier(self, process: str, inputs: dict[str, str]) -> list[Earlier]:
        """What the newest jobs of a process with these inputs took, newest first.

        Those among the last few that succeeded, of which no item was taken over from another, and
        all that they took is known.
        """
        own = ~exists().where(Phase.job_id == Job.id, Phase.items_reused > 0)
        items = select(func.sum(Phase.items)).where(Phase.job_id == Job.id).scalar_subquery()
        known = select(func.sum(Usage.items)).where(Usage.job_id == Job.id).scalar_subquery()
        newest = (
            select(Job.id)
            .where(Job.state == JobState.SUCCESSFUL, Job.process == process, *self._ours())
            .order_by(*_NEWEST)
            .limit(_ALIKE_AMONG)
        )
        alike = [Job.request[name].as_string() == value for name, value in inputs.items()]
        with Session(self.database) as session:
            jobs = session.execute(
                select(Job.id, Job.plan, Job.finished - Job.started, Job.size)
                .where(Job.id.in_(newest), *alike, own, items == known)
                .order_by(*_NEWEST)
                .limit(_LEARNT_FROM)
            ).all()
            spent = spent_on(session, [job for job, *_ in jobs])
        return [
            Earlier(plan, spent[job], elapsed or 0.0, size or 0)
            for job, plan, elapsed, size in jobs
        ]

    def _statuses(self, *wanted: ColumnElement[bool], limit: int, offset: int) -> list[JobStatus]:
        with Session(self.database) as session:
            moment = session.scalar(select(now())) or 0.0
            jobs = session.scalars(
                select(Job)
                .where(*wanted, *self._ours())
                .options(undefer(Job.size))
                .order_by(*_NEWEST)
                .limit(limit)
                .offset(offset)
            ).all()
            counts: defaultdict[UUID, dict[str, Phase]] = defaultdict(dict)
            spent: defaultdict[UUID, list[Spent]] = defaultdict(list)
            used = and_(Usage.job_id == Phase.job_id, Usage.phase == Phase.name)
            for count, row in session.execute(
                select(Phase, Usage)
                .outerjoin(Usage, used)
                .where(Phase.job_id.in_([job.id for job in jobs]))
                .order_by(Phase.position, Usage.device)
            ):
                counts[count.job_id][count.name] = count
                if row is not None:
                    spent[count.job_id].append(told(row))
        return [_job_status(job, counts[job.id], spent[job.id], moment) for job in jobs]

    def _ours(self) -> tuple[ColumnElement[bool], ...]:
        return () if self._tenant is None else (Job.tenant == self._tenant,)

    def _visible(self, session: Session, job_id: UUID, *, lock: bool = False) -> Job:
        query = select(Job).where(Job.id == job_id, *self._ours())
        job = session.scalar(query.with_for_update() if lock else query)
        if job is None:
            raise JobNotFound(f"There is no job {job_id}.")
        return job

    def request(self, job_id: UUID) -> dict[str, Any]:
        """The inputs of a job as given.

        Raises:
            JobNotFound: there is none.
        """
        with Session(self.database) as session:
            return self._visible(session, job_id).request

    def plan(self, job_id: UUID) -> dict[str, Any]:
        """What a job was planned to do.

        Raises:
            JobNotFound: there is none.
        """
        with Session(self.database) as session:
            return self._visible(session, job_id).plan

    def assets(self, job_id: UUID) -> dict[str, Any] | None:
        """The files of a successful job (``files``) and the items it went on without (``skipped``).

        Raises:
            JobNotFound: there is none.
        """
        with Session(self.database) as session:
            return self._visible(session, job_id).assets

    def dismiss(self, job_id: UUID, reason: str = "dismissed by request") -> JobStatus:
        """End a job; its workers notice with their next batch, and the sweeper removes its objects.

        Raises:
            JobNotFound: there is none.
            IllegalTransition: it was dismissed before.
        """
        with Session(self.database) as session, session.begin():
            job = self._visible(session, job_id, lock=True)
            check_job_step(job.state, JobState.DISMISSED)
            close_job(session, job_id, JobState.DISMISSED, reason)
            session.execute(update(Job).where(Job.id == job_id).values(assets=None))
        return self.status(job_id)

    def retry(self, job_id: UUID) -> JobStatus:
        """Go on with a failed job: what is done stays, the rest gets all its tries anew.

        Raises:
            JobNotFound: there is none.
            IllegalTransition: it has not failed.
            QuotaExceeded: its tenant has as much as it may have.
        """
        with Session(self.database) as session, session.begin():
            tenant = session.scalar(select(Job.tenant).where(Job.id == job_id, *self._ours()))
            self._quota.wait_turn(session, tenant or "")
            job = self._visible(session, job_id, lock=True)
            if job.state is not JobState.FAILED:
                raise IllegalTransition(
                    f"Job {job_id} is {job.state}; only a failed job can be retried."
                )
            self._quota.check_retry(session, job.tenant, job_id)
            begin_anew(session, job_id)
            again = job_step(
                JobState.RUNNING, message="running", problem=None, finished=None, updated=now()
            )
            session.execute(again.where(Job.id == job_id))
            tell(session, job_id, JobState.RUNNING)
        return self.status(job_id)

    def parts(self, job_id: UUID, phase: str, roots: Collection[int] | None = None) -> list[Part]:
        """Visible outcomes of a phase's finished units, or of those of some roots; one root's side
        by side.

        Raises:
            JobNotFound: there is none.
        """
        some = () if roots is None else (Unit.root.in_(roots),)
        rows = self._units(job_id, Unit.phase == phase, Unit.state == UnitState.DONE, *some)
        return [Part(u.root, _rectangle(u), u.prefix or "", u.result or {}) for u in rows]

    def skipped(self, job_id: UUID) -> list[Skipped]:
        """Items that the job goes on without, as they took down whoever tried.

        Raises:
            JobNotFound: there is none.
        """
        rows = self._units(job_id, Unit.state == UnitState.SKIPPED)
        return [Skipped(u.root, _rectangle(u), u.error or "") for u in rows]

    def _units(self, job_id: UUID, *wanted: ColumnElement[bool]) -> Sequence[Unit]:
        with Session(self.database) as session:
            self._visible(session, job_id)
            return session.scalars(
                select(Unit)
                .where(Unit.job_id == job_id, *wanted)
                .order_by(Unit.root, Unit.position)
            ).all()


def _rectangle(unit: Unit) -> Rectangle | None:
    return (*unit.rectangle,) if unit.rectangle else None  # type: ignore[return-value]


def _job_status(
    job: Job, counts: Mapping[str, Phase], spent: Sequence[Spent], moment: float
) -> JobStatus:
    return JobStatus(
        id=job.id,
        tenant=job.tenant,
        process=job.process,
        state=job.state,
        phase=job.phase,
        message=job.message,
        phases={
            name: PhaseStatus(
                total=count.total,
                remaining=count.remaining,
                share=count.share,
                doing=count.doing,
                items=count.items,
                noun=count.noun,
                items_done=count.items_done,
                items_reused=count.items_reused,
                items_seen=count.items_seen,
                pace=Pace.of(count.pace),
            )
            for name, count in counts.items()
        },
        created=job.created,
        updated=job.updated,
        started=job.started,
        finished=job.finished,
        now=moment,
        last_error=job.last_error,
        problem=job.problem,
        warnings=tuple(job.warnings or ()),
        spent=tuple(spent),
        size=job.size,
    )
