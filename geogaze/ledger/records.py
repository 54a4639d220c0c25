"""What the ledger tells: immutable views of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from geogaze.ledger.states import JobState, Phase

_SHARE = {Phase.EXPLAIN: 85, Phase.CALIBRATE: 5, Phase.RENDER: 8, Phase.PUBLISH: 2}
_DOING = {
    Phase.CALIBRATE: "blending and calibrating layer",
    Phase.RENDER: "drawing overlay",
    Phase.PUBLISH: "publishing",
}


@dataclass(frozen=True)
class PhaseStatus:
    """Units of a phase and, for explain, tiles done."""

    total: int
    remaining: int
    tiles_done: int


@dataclass(frozen=True)
class JobStatus:
    """A job as its users see it. Times are seconds since 1970; ``now`` is the database's."""

    id: UUID
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
    problem: dict[str, Any] | None
    assets: dict[str, Any] | None

    @property
    def tiles_done(self) -> int:
        """Tiles explained so far."""
        return self.phases[Phase.EXPLAIN].tiles_done

    @property
    def progress(self) -> int:
        """Percent of the work done, 100 only when the job was successful."""
        if self.state is JobState.SUCCESSFUL:
            return 100
        present = {phase: p for phase, p in self.phases.items() if p.total}
        done = sum(_SHARE[ph] * (p.total - p.remaining) / p.total for ph, p in present.items())
        return min(99, int(100 * done / sum(_SHARE[phase] for phase in present)))

    @property
    def tiles_per_second(self) -> float | None:
        """Mean speed since the job started, while it explains."""
        if not self.started or not self.tiles_done:
            return None
        return self.tiles_done / max((self.finished or self.now) - self.started, 1e-3)

    @property
    def headline(self) -> str:
        """One line on where the job stands."""
        if self.state is not JobState.RUNNING:
            return self.message or self.state.value
        if self.phase is Phase.EXPLAIN:
            return f"explaining: {self.tiles_done:,} of {self.tiles:,} tiles"
        phase = self.phases[self.phase]
        return f"{_DOING[self.phase]} {phase.total - phase.remaining + 1} of {phase.total}"


@dataclass(frozen=True)
class Claim:
    """The right to work on a unit, until the lease runs out or the token is replaced."""

    unit_id: UUID
    job_id: UUID
    phase: Phase
    position: int
    attempt: int
    token: UUID
    plan: dict[str, Any]

    @property
    def prefix(self) -> str:
        """Where this attempt writes."""
        return part_prefix(self.job_id, self.phase, self.position, self.attempt)


@dataclass(frozen=True)
class Part:
    """The visible outcome of a finished unit."""

    position: int
    prefix: str
    result: dict[str, Any]


def job_prefix(job_id: UUID) -> str:
    """Where all objects of a job lie."""
    return f"jobs/{job_id}/"


def part_prefix(job_id: UUID, phase: Phase, position: int, attempt: int) -> str:
    """Where one attempt at a unit lies."""
    return f"{job_prefix(job_id)}{phase.value}/{position}/{attempt}/"
