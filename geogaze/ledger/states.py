"""States of jobs and units, and the steps between them. Pure."""

from __future__ import annotations

from enum import StrEnum

from geogaze.errors import IllegalTransition

URGENCY = {"low": -1, "normal": 0, "high": 1}
"""What priorities are, as numbers: jobs of higher ones go first."""


class JobState(StrEnum):
    """Of a job; the values are those of OGC API – Processes."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    DISMISSED = "dismissed"


class UnitState(StrEnum):
    """Of a unit of work. A split unit's items are those of the units it was split into."""

    PENDING = "pending"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SPLIT = "split"
    SKIPPED = "skipped"


JOB_STEPS: dict[JobState, frozenset[JobState]] = {
    JobState.ACCEPTED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.DISMISSED}),
    JobState.RUNNING: frozenset({JobState.SUCCESSFUL, JobState.FAILED, JobState.DISMISSED}),
    JobState.SUCCESSFUL: frozenset({JobState.DISMISSED}),
    JobState.FAILED: frozenset({JobState.RUNNING, JobState.DISMISSED}),  # by a retry
    JobState.DISMISSED: frozenset(),
}

UNIT_STEPS: dict[UnitState, frozenset[UnitState]] = {
    UnitState.PENDING: frozenset({UnitState.DISPATCHED, UnitState.RUNNING}),
    UnitState.DISPATCHED: frozenset({UnitState.PENDING, UnitState.RUNNING}),
    UnitState.RUNNING: frozenset(
        {
            UnitState.PENDING,
            UnitState.DONE,
            UnitState.FAILED,
            UnitState.SPLIT,
            UnitState.SKIPPED,
        }
    ),
    UnitState.DONE: frozenset(),
    UnitState.FAILED: frozenset({UnitState.PENDING}),  # by a retry of its job
    UnitState.SPLIT: frozenset(),
    UnitState.SKIPPED: frozenset(),
}

OPEN_JOB = frozenset({JobState.ACCEPTED, JobState.RUNNING})
SETTLED_UNIT = frozenset({UnitState.DONE, UnitState.SPLIT, UnitState.SKIPPED})
"""Units that their phase no longer waits for."""


def sources(target: JobState) -> list[JobState]:
    """The job states from which ``target`` may be reached, for guarded updates."""
    return [state for state, steps in JOB_STEPS.items() if target in steps]


def unit_sources(target: UnitState) -> list[UnitState]:
    """The unit states from which ``target`` may be reached, for guarded updates."""
    return [state for state, steps in UNIT_STEPS.items() if target in steps]


def check_unit_step(now: UnitState, then: UnitState) -> None:
    """Refuse a step that the table does not have.

    Raises:
        IllegalTransition: the unit cannot go from ``now`` to ``then``.
    """
    if then not in UNIT_STEPS[now]:
        raise IllegalTransition(f"A unit that is {now} cannot become {then}.")


def check_job_step(now: JobState, then: JobState) -> None:
    """Refuse a step that the table does not have.

    Raises:
        IllegalTransition: the job cannot go from ``now`` to ``then``.
    """
    if then not in JOB_STEPS[now]:
        raise IllegalTransition(f"A job that is {now} cannot become {then}.")
