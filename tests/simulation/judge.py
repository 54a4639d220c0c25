"""What must hold after every transaction, whatever happens."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from geogaze.grid.rectangles import Division, Rectangle, area
from geogaze.ledger.states import OPEN_JOB, UNIT_STEPS, JobState, UnitState
from tests.simulation.history import Violation

_UNITS = "SELECT id, job_id, phase, position, root, window, state, attempt, prefix FROM units"
_PHASES = (
    "SELECT job_id, phase, position, total, remaining, tiles_done, rows, cols, side FROM phases"
    " ORDER BY position"
)
_JOBS = "SELECT id, state, phase, problem, assets, released FROM jobs"
SETTLED = frozenset({"done", "split", "skipped"})
_STEPS = {(str(was), str(then)) for was, steps in UNIT_STEPS.items() for then in steps} | {
    (str(state), str(state)) for state in UnitState
}
_OPEN = {str(state) for state in OPEN_JOB}
_SETTLING = SETTLED | {"failed"}


class UnitRow(NamedTuple):
    id: str
    job: str
    phase: str
    position: int
    root: int
    window: str | None
    state: str
    attempt: int
    prefix: str | None


class PhaseRow(NamedTuple):
    job: str
    name: str
    position: int
    total: int
    remaining: int
    items_done: int
    rows: int | None
    cols: int | None
    side: int | None

    def rectangle(self, unit: UnitRow) -> Rectangle | None:
        if unit.window and unit.window != "null":
            return (*json.loads(unit.window),)  # type: ignore[return-value]
        if self.rows and self.cols and self.side:
            return Division(self.rows, self.cols, self.side).rectangle(unit.root)
        return None


class JobRow(NamedTuple):
    id: str
    state: str
    phase: str
    problem: str | None
    assets: str | None
    released: float | None


@dataclass(frozen=True)
class Known:
    """What the schedule knows, and the ledger does not.

    Attributes:
        forgetful: whether the storage has lost what it had acknowledged.
        holds: whether all objects of an attempt at a unit of this phase are there, whole.
        to_blame: whether a unit is, or an item of it, for the last attempt at it having failed.
    """

    forgetful: Callable[[], bool]
    holds: Callable[[str, str], bool]
    to_blame: Callable[[UnitRow, Rectangle | None], bool]


class Judge:
    """Compares what a transaction left with what was there before."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._changes = -1
        self.jobs: dict[str, JobRow] = {}
        self.units: dict[str, UnitRow] = {}
        self.phases: dict[str, list[PhaseRow]] = {}
        self._begun: set[tuple[str, int]] = set()

    def is_open(self, job: UUID) -> bool:
        return job.hex in self.jobs and self.jobs[job.hex].state in _OPEN

    def visible(self, prefix: str) -> bool:
        """Whether an attempt's objects are to stay."""
        return any(
            unit.prefix == prefix
            and (
                (unit.state == "done" and self.jobs[unit.job].state != JobState.DISMISSED)
                or (unit.state == "running" and self.jobs[unit.job].state in _OPEN)
            )
            for unit in self.units.values()
        )

    def look(self, raw: Any) -> None:
        """See what a transaction has left.

        Raises:
            Violation: it must not be.
        """
        if raw.total_changes == self._changes:
            return
        self._changes = raw.total_changes
        before = self.units
        was_open = {job.id for job in self.jobs.values() if job.state in _OPEN}
        self.jobs = {row[0]: JobRow(*row) for row in raw.execute(_JOBS)}
        phases: dict[str, list[PhaseRow]] = defaultdict(list)
        for row in raw.execute(_PHASES):
            phases[row[0]].append(PhaseRow(*row))
        self.phases = phases
        self.units = {row[0]: UnitRow(*row) for row in raw.execute(_UNITS)}
        of: dict[tuple[str, str], list[UnitRow]] = defaultdict(list)
        for unit in self.units.values():
            of[unit.job, unit.phase].append(unit)
            was = before.get(unit.id)
            if was != unit:
                self._step(was, unit)
                settled = was and was.state == "running" and unit.state in _SETTLING
                if settled and unit.job not in was_open:
                    raise Violation(f"a unit was {unit.state} in a job that had ended")
        for unit in before.values():
            dismissed = self.jobs[unit.job].state == JobState.DISMISSED
            if unit.id not in self.units and not dismissed and not self._known.forgetful():
                raise Violation(f"a unit of {unit.phase} is gone")
        for job in self.jobs.values():
            if job.released is None:
                self._counts(job, of)

    def _step(self, was: UnitRow | None, unit: UnitRow) -> None:
        words = f"unit {unit.position} of {unit.phase}"
        state = was.state if was else "pending"
        if was and (state, unit.state) not in _STEPS:
            raise Violation(f"{words} went from {state} to {unit.state}")
        if was and unit.attempt < was.attempt:
            raise Violation(f"{words} has {unit.attempt} attempts after {was.attempt}")
        if unit.state == "running" and (not was or unit.attempt != was.attempt):
            job = self.jobs[unit.job]
            if job.state not in _OPEN or job.phase != unit.phase:
                raise Violation(f"{words} was begun in a job that is {job.state} at {job.phase}")
            attempt = (unit.id, unit.attempt)
            if attempt in self._begun:
                raise Violation(f"{words} was begun twice as attempt {unit.attempt}")
            self._begun.add(attempt)
            if state == "running":
                raise Violation(f"{words} was taken from under its holder")
        if not was:
            return
        if state == "done" and unit.prefix != was.prefix:
            raise Violation(f"what {words} has made lies elsewhere now")
        if unit.state == "done" != state and not self._known.holds(unit.phase, unit.prefix or ""):
            raise Violation(f"{words} is done, and what it made is not there")
        if unit.state in {"skipped", "failed"} and state == "running":
            phase = next(p for p in self.phases[unit.job] if p.name == unit.phase)
            if not self._known.to_blame(unit, phase.rectangle(unit)):
                raise Violation(f"{words} was {unit.state}, and is not to blame")

    def _counts(self, job: JobRow, of: dict[tuple[str, str], list[UnitRow]]) -> None:
        opened = True
        for phase in self.phases[job.id]:
            units = of.get((job.id, phase.name), [])
            whole = [unit for unit in units if unit.state != "split"]
            left = sum(unit.state not in SETTLED for unit in units)
            if units and not opened:
                raise Violation(f"{phase.name} began before what comes before it was done")
            if opened and phase.total and not units:
                raise Violation(f"{phase.name} has no units")
            if units and (phase.total, phase.remaining) != (len(whole), left):
                counted = f"{phase.remaining} of {phase.total} left"
                raise Violation(f"{phase.name} counts {counted}, of {left} of {len(whole)}")
            if units and phase.side:
                self._items(phase, whole)
            opened = opened and phase.remaining == 0
        if (job.state == JobState.SUCCESSFUL) and not opened:
            raise Violation("a job is successful, and not done")
        if opened and job.state in _OPEN:
            raise Violation("a job is done, and goes on")

    def _items(self, phase: PhaseRow, units: list[UnitRow]) -> None:
        rectangles = [(unit, phase.rectangle(unit)) for unit in units]
        done = sum(area(r) for u, r in rectangles if r and u.state in SETTLED)
        if done != phase.items_done:
            raise Violation(f"{phase.name} counts {phase.items_done} items done, of {done}")
        items = [(y, x) for _, r in rectangles if r for y, x in items_of(r)]
        if len(set(items)) != len(items) or len(items) != (phase.rows or 0) * (phase.cols or 0):
            raise Violation(f"the units of {phase.name} are not a division of its items")


def items_of(rectangle: Rectangle) -> list[tuple[int, int]]:
    row0, col0, row1, col1 = rectangle
    return [(row, col) for row in range(row0, row1) for col in range(col0, col1)]
