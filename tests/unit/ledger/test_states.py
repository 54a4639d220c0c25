"""The tables of legal steps."""

from __future__ import annotations

from typing import Any

import pytest

from geogaze.errors import IllegalTransition
from geogaze.ledger.states import (
    JOB_STEPS,
    OPEN_JOB,
    SETTLED_UNIT,
    UNIT_STEPS,
    JobState,
    UnitState,
    check_job_step,
    sources,
    unit_sources,
)

TABLES: list[tuple[Any, dict[Any, frozenset[Any]], Any]] = [
    (JobState, JOB_STEPS, sources),
    (UnitState, UNIT_STEPS, unit_sources),
]


@pytest.mark.parametrize(("states", "table", "inverse"), TABLES)
def test_tables_know_every_state_and_no_other(states: Any, table: Any, inverse: Any) -> None:
    assert set(table) == set(states)
    for steps in table.values():
        assert all(isinstance(target, states) for target in steps)


@pytest.mark.parametrize(("states", "table", "inverse"), TABLES)
def test_sources_invert_the_table(states: Any, table: Any, inverse: Any) -> None:
    forward = {(now, then) for now, steps in table.items() for then in steps}
    backward = {(now, then) for then in states for now in inverse(then)}
    assert forward == backward


@pytest.mark.parametrize("start", list(JobState))
def test_only_dismissal_and_retry_lead_out_of_an_ended_job(start: JobState) -> None:
    assert JobState.DISMISSED in JOB_STEPS[start] or start is JobState.DISMISSED
    if start not in OPEN_JOB:
        retried = {JobState.RUNNING} if start is JobState.FAILED else set()
        assert JOB_STEPS[start] <= {JobState.DISMISSED} | retried


@pytest.mark.parametrize("state", sorted(SETTLED_UNIT))
def test_settled_units_stay(state: UnitState) -> None:
    assert not UNIT_STEPS[state]


def test_every_state_is_reached_from_the_first() -> None:
    for first, table in ((JobState.ACCEPTED, JOB_STEPS), (UnitState.PENDING, UNIT_STEPS)):
        reached, edge = {first}, [first]
        while edge:
            new = table[edge.pop()] - reached  # type: ignore[index]
            reached |= new
            edge += new
        assert reached == set(table)


@pytest.mark.parametrize("now", list(JobState))
@pytest.mark.parametrize("then", list(JobState))
def test_check_agrees_with_the_table(now: JobState, then: JobState) -> None:
    if then in JOB_STEPS[now]:
        check_job_step(now, then)
    else:
        with pytest.raises(IllegalTransition, match=f"{now}.*{then}"):
            check_job_step(now, then)


def test_names_are_those_of_the_standard() -> None:
    names = {"accepted", "running", "successful", "failed", "dismissed"}
    assert {state.value for state in JobState} == names
