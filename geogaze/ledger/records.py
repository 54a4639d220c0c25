"""What the ledger tells: immutable views of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from geogaze.ledger.pace import Pace
from geogaze.ledger.states import OPEN_JOB, JobState, Phase

_SHARE = {Phase.EXPLAIN: 85, Phase.CALIBRATE: 5, Phase.RENDER: 8, Phase.PUBLISH: 2}
_DOING = {
    Phase.CALIBRATE: "blending and calibrating layer",
    Phase.RENDER: "drawing overlay",
    Phase.PUBLISH: "publishing",
}


@dataclass(frozen=True)
class PhaseStatus:
    """Units of a phase and, for explain, tiles: of units that are done, of those an earlier job's,
    the most that was seen with units at work, and how it went of late.
    """

    total: int
    remaining: int
    tiles_done: int
    tiles_reused: int
    tiles_seen: int
    pace: Pace


@dataclass(frozen=True)
class JobStatus:
    """A job as its users see it. Times are seconds since 1970; ``now`` is the database's."""

    id: UUID
    tenant: str
    process: str
    state: JobState
    phase: Phase
    message: str
    tiles: int
    phases: dict[Phase, PhaseStatus]
    created: float
    updated: float
    started: float | None
    finished: float | None
    now: float
    last_error: str | None
    problem: dict[str, Any] | None
    warnings: tuple[str, ...] = ()

    @property
    def tiles_done(self) -> int:
        """Tiles of units that are done, by this job or by an earlier one."""
        return self.phases[Phase.EXPLAIN].tiles_done

    @property
    def tiles_seen(self) -> int:
        """Tiles explained so far; while the job is open, those of units at work among them.

        It does not fall meanwhile, whatever is handed back.
        """
        return self._most if self.state in OPEN_JOB else self.tiles_done

    @property
    def _most(self) -> int:
        explain = self.phases[Phase.EXPLAIN]
        return max(explain.tiles_done, explain.tiles_seen)

    @property
    def tiles_reused(self) -> int:
        """Tiles that an earlier job had explained."""
        return self.phases[Phase.EXPLAIN].tiles_reused

    @property
    def progress(self) -> int:
        """Percent of the work done, 100 only when the job was successful."""
        if self.state is JobState.SUCCESSFUL:
            return 100
        present = [phase for phase, count in self.phases.items() if count.total]
        done = sum(_SHARE[phase] * self._done(phase) for phase in present)
        return min(99, int(100 * done / sum(_SHARE[phase] for phase in present)))

    def _done(self, phase: Phase) -> float:
        """The share of a phase that is done, 0 to 1; it does not fall where units are split."""
        count = self.phases[phase]
        if phase is Phase.EXPLAIN and count.remaining:
            return min(1.0, self._most / self.tiles)
        return (count.total - count.remaining) / count.total

    @property
    def tiles_per_second(self) -> float | None:
        """Of late, while tiles are explained; once the job has ended, its own ones' mean."""
        if self._explaining:
            return self.phases[Phase.EXPLAIN].pace.rate(self.now)
        own = self.tiles_done - self.tiles_reused
        if not (self.started and self.finished and own):
            return None
        return own / max(self.finished - self.started, 1e-3)

    @property
    def seconds_left(self) -> float | None:
        """Until the last tile is explained at this speed; None while it cannot be told."""
        if not self._explaining:
            return None
        return self.phases[Phase.EXPLAIN].pace.seconds_left(self.now, self.tiles)

    @property
    def _explaining(self) -> bool:
        return self.state is JobState.RUNNING and self.phase is Phase.EXPLAIN

    @property
    def headline(self) -> str:
        """One line on where the job stands."""
        if self.state is not JobState.RUNNING:
            return self.message or self.state.value
        if self.phase is Phase.EXPLAIN:
            return f"explaining: {self.tiles_seen:,} of {self.tiles:,} tiles"
        phase = self.phases[self.phase]
        return f"{_DOING[self.phase]} {phase.total - phase.remaining + 1} of {phase.total}"


@dataclass(frozen=True)
class Claim:
    """The right to work on a unit, until the lease runs out or the token is replaced.

    ``window`` holds a split unit's tiles (row0, col0, row1, col1), None for the plan's own unit at
    ``root``. ``failures`` are the tries that are spent already.
    """

    unit_id: UUID
    job_id: UUID
    phase: Phase
    position: int
    root: int
    window: tuple[int, int, int, int] | None
    attempt: int
    failures: int
    token: UUID
    prefix: str
    plan: dict[str, Any]


@dataclass(frozen=True)
class Part:
    """The visible outcome of a finished unit."""

    root: int
    window: tuple[int, int, int, int] | None
    prefix: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Skipped:
    """Tiles that no worker could explain, in a job that goes on without them."""

    root: int
    window: tuple[int, int, int, int] | None
    error: str


@dataclass(frozen=True)
class Message:
    """A unit on its way to the workers. Of several, the lowest ``level`` (0 to 9) goes first."""

    unit: UUID
    level: int


PARTS = "parts/"
JOBS = "jobs/"


def job_prefix(job_id: UUID) -> str:
    """Where the products of a job lie, and what its later phases leave on the way."""
    return f"{JOBS}{job_id}/"


def content_prefix(content: str) -> str:
    """Where the explained parts of all jobs of one content lie."""
    return f"{PARTS}{content}/"


def attempt_prefix(
    job_id: UUID, content: str, phase: Phase, position: int, unit_id: UUID, attempt: int
) -> str:
    """Where one attempt at a unit writes, and nothing else ever does."""
    if phase is Phase.EXPLAIN:
        return f"{content_prefix(content)}{unit_id}/{attempt}/"
    return f"{job_prefix(job_id)}{phase.value}/{position}/{attempt}/"
