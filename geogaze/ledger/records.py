"""What the ledger tells: immutable views of its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from geogaze.grid.rectangles import Rectangle
from geogaze.ledger.pace import Pace
from geogaze.ledger.spending import Spent
from geogaze.ledger.states import OPEN_JOB, JobState


@dataclass(frozen=True)
class PhaseStatus:
    """A phase: units in all and those left, its share of the job's progress, and its items.

    A phase that has no items to count has 0 of them. ``items_done`` are of units that are done,
    ``items_reused`` of them an earlier job's, ``items_seen`` the most that was seen with units at
    work; ``pace`` is how it went of late. Of a phase without items ``items_seen`` are the units
    that were done before some of them, or what they rest on, had to be made anew.
    """

    total: int
    remaining: int
    share: int
    doing: str
    items: int = 0
    noun: str = ""
    items_done: int = 0
    items_reused: int = 0
    items_seen: int = 0
    pace: Pace = field(default_factory=Pace)

    @property
    def most(self) -> int:
        """Items that were done at some time, those of units at work among them: never fewer."""
        return max(self.items_done, self.items_seen)

    @property
    def done(self) -> float:
        """The share of it that is done, 0 to 1.

        It falls neither where units are split nor where lost ones are made anew.
        """
        if self.items and self.remaining:
            return min(1.0, self.most / self.items)
        return min(1.0, max(self.total - self.remaining, self.items_seen) / self.total)


_NOTHING_TO_COUNT = PhaseStatus(0, 0, 0, "")


@dataclass(frozen=True)
class JobStatus:
    """A job as its users see it. Times are seconds since 1970; ``now`` is the database's.

    ``phases`` are in their order; ``spent`` is what they took of workers, ``size`` the bytes of
    products. The job's items are those of its first phase that has any.
    """

    id: UUID
    tenant: str
    process: str
    state: JobState
    phase: str
    message: str
    phases: dict[str, PhaseStatus]
    created: float
    updated: float
    started: float | None
    finished: float | None
    now: float
    last_error: str | None
    problem: dict[str, Any] | None
    warnings: tuple[str, ...] = ()
    spent: tuple[Spent, ...] = ()
    size: int | None = None

    @property
    def _counted(self) -> PhaseStatus:
        return next((phase for phase in self.phases.values() if phase.items), _NOTHING_TO_COUNT)

    @property
    def items(self) -> int:
        """How many items the job has, 0 where there is nothing to count."""
        return self._counted.items

    @property
    def items_done(self) -> int:
        """Items of units that are done, by this job or by an earlier one."""
        return self._counted.items_done

    @property
    def items_seen(self) -> int:
        """Items done so far; while the job is open, those of units at work among them.

        It does not fall meanwhile, whatever is handed back.
        """
        return self._counted.most if self.state in OPEN_JOB else self.items_done

    @property
    def items_reused(self) -> int:
        """Items that an earlier job had done."""
        return self._counted.items_reused

    @property
    def progress(self) -> int:
        """Percent of the work done, 100 only when the job was successful."""
        if self.state is JobState.SUCCESSFUL:
            return 100
        present = [phase for phase in self.phases.values() if phase.total]
        done = sum(phase.share * phase.done for phase in present)
        return min(99, int(100 * done / sum(phase.share for phase in present)))

    @property
    def items_per_second(self) -> float | None:
        """Of late, while items are being done; once the job has ended, its own ones' mean."""
        if current := self._counting:
            return current.pace.rate(self.now)
        own = self.items_done - self.items_reused
        if not (self.started and self.finished and own):
            return None
        return own / max(self.finished - self.started, 1e-3)

    @property
    def seconds_left(self) -> float | None:
        """Until the phase's last item is done at this speed; None while it cannot be told."""
        if not (current := self._counting):
            return None
        return current.pace.seconds_left(self.now, current.items)

    @property
    def _counting(self) -> PhaseStatus | None:
        """The phase that runs, if its items are counted."""
        current = self.phases[self.phase]
        return current if self.state is JobState.RUNNING and current.items else None

    @property
    def headline(self) -> str:
        """One line on where the job stands."""
        if self.state is not JobState.RUNNING:
            return self.message or self.state.value
        current = self.phases[self.phase]
        if current.items:
            return f"{current.doing}: {current.most:,} of {current.items:,} {current.noun}"
        return f"{current.doing} {current.total - current.remaining + 1} of {current.total}"


@dataclass(frozen=True)
class Claim:
    """The right to work on a unit, until the lease runs out or the token is replaced.

    ``rectangle`` holds the items of a unit that was split off, None for the plan's own unit at
    ``root``. ``failures`` are the tries that are spent already, ``request_id`` is what logs call
    the request that the job came by.
    """

    unit_id: UUID
    job_id: UUID
    phase: str
    position: int
    root: int
    rectangle: Rectangle | None
    attempt: int
    failures: int
    token: UUID
    prefix: str
    plan: dict[str, Any]
    request_id: str | None = None


@dataclass(frozen=True)
class Part:
    """The visible outcome of a finished unit."""

    root: int
    rectangle: Rectangle | None
    prefix: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Skipped:
    """Items that no worker could do, in a job that goes on without them."""

    root: int
    rectangle: Rectangle | None
    error: str


@dataclass(frozen=True)
class Message:
    """A unit on its way to the workers. Of several, the lowest ``level`` (0 to 9) goes first."""

    unit: UUID
    level: int
    job: UUID


@dataclass(frozen=True)
class Freed:
    """A unit that was taken back: from a ``worker`` whose lease ran out, or, where that is None,
    from the broker, which seems to have lost its message.
    """

    job: UUID
    phase: str
    position: int
    worker: str | None


@dataclass(frozen=True)
class Kept:
    """What a job needs of storage: the ``prefixes`` under which its finished units left parts, each
    with its phase, and the keys of its products, ``files``.
    """

    job: UUID
    tenant: str
    process: str
    state: JobState
    content: str
    prefixes: tuple[tuple[str, str], ...]
    files: tuple[str, ...]


PARTS = "parts/"
JOBS = "jobs/"


def job_prefix(job_id: UUID) -> str:
    """Where the products of a job lie, and what its later phases leave on the way."""
    return f"{JOBS}{job_id}/"


def content_prefix(content: str) -> str:
    """Where the shared parts of all jobs of one content lie."""
    return f"{PARTS}{content}/"


def attempt_prefix(
    job_id: UUID, shared_content: str | None, phase: str, position: int, unit_id: UUID, attempt: int
) -> str:
    """Where one attempt at a unit writes, and nothing else ever does.

    Args:
        job_id: the unit's job.
        shared_content: the job's content where the parts of this phase are shared, else None.
        phase: its phase.
        position: its position there.
        unit_id: the unit.
        attempt: which of the attempts at it.
    """
    if shared_content is not None:
        return f"{content_prefix(shared_content)}{unit_id}/{attempt}/"
    return f"{job_prefix(job_id)}{phase}/{position}/{attempt}/"


def attempt_of(key: str) -> str:
    """The prefix of the attempt that wrote an object: all but its name."""
    return key.rpartition("/")[0] + "/"
