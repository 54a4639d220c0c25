"""Some schedules, and whether the simulation would see it; ``make simulate`` has the rest."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.mutants.catalogue import refusals
from tests.simulation import runs
from tests.simulation.history import UNKNOWN, History, Violation
from tests.simulation.judge import Judge, Known
from tests.simulation.mutants import ROOT, planted
from tests.simulation.schedule import LOSING, Schedule, shrunk
from tests.simulation.trace import Trace
from tests.simulation.trial import run

LEASE = 10.0


def test_nothing_is_violated() -> None:
    verdicts = {name: run(Schedule.of(name)) for name in map(str, range(25))}
    assert not {name: v.violation for name, v in verdicts.items() if v.violation}
    assert all(verdict.transactions > 10 for verdict in verdicts.values())


def test_a_seed_takes_the_same_steps_each_time() -> None:
    first: list[str] = []
    second: list[str] = []
    for lines in (first, second):
        run(Schedule.of("same-7"), Trace(lines.append))
    assert first == second
    assert any("unit done" in line for line in first)


def test_a_database_that_loses_what_it_acknowledged_is_found_out() -> None:
    names = (f"control-{number}" for number in range(60))
    schedule = next(s for s in (Schedule.of(name, (LOSING,)) for name in names) if run(s).violation)
    assert any(fault.kind == LOSING for fault in schedule.faults)


def test_what_fails_is_made_shorter() -> None:
    schedule = Schedule.of("short-3", ("kill child",) * 6)
    runs: list[Schedule] = []

    def fails(other: Schedule) -> bool:
        runs.append(other)
        return sum(fault.kind == "kill child" for fault in other.faults) >= 2

    short = shrunk(schedule, fails)
    assert [fault.kind for fault in short.faults] == ["kill child"] * 2
    assert (short.workers, short.lanes, short.dispatchers, len(short.jobs)) == (1, 1, 1, 1)


def test_planted_bugs_fit_the_code() -> None:
    bugs = planted()
    assert len(bugs) >= 25
    assert not refusals(bugs, ROOT)


def test_runs_add_up_and_no_number_is_run_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "runs.csv"
    for schedules in (2, 1):
        runs.run_and_add(table, "adds", schedules, most=1, say=print)
    monkeypatch.setattr(runs, "revision", lambda: "another")
    runs.run_and_add(table, "adds", 1, most=1, say=print)
    first, second, anew = runs.read(table)
    assert [(row.first, row.last, row.schedules) for row in (first, second, anew)] == [
        (1, 2, 2),
        (3, 3, 1),
        (1, 1, 1),
    ]
    assert first.revision == second.revision != anew.revision
    assert {row.violations for row in (first, second, anew)} == {0}
    assert first.transactions > 20


def test_only_code_makes_another_revision() -> None:
    code = 'def f():\n    """Says {}."""\n    return 1  # {}\n'
    assert runs._code(code.format("this", "this")) == runs._code(code.format("that", "that"))
    assert runs._code("x = 1") != runs._code("x = 2")


# What transactions leave


class Ledger:
    """A job with one unit in the columns that are judged."""

    def __init__(self) -> None:
        self.raw = sqlite3.connect(":memory:")
        self.raw.executescript(
            """
            CREATE TABLE jobs (id, state, phase, problem, assets, released);
            CREATE TABLE phases (job_id, phase, position, total, remaining, tiles_done, rows, cols,
                                 side);
            CREATE TABLE units (id, job_id, phase, position, root, window, state, attempt, prefix);
            INSERT INTO jobs VALUES ('job', 'running', 'publish', NULL, NULL, NULL);
            INSERT INTO phases VALUES ('job', 'publish', 0, 1, 1, 0, NULL, NULL, NULL);
            INSERT INTO units VALUES ('unit', 'job', 'publish', 0, 0, NULL, 'running', 1, 'its/');
            """
        )
        known = Known(lambda: False, lambda phase, prefix: True, lambda unit, items: True)
        self.judge = Judge(known)
        self.judge.look(self.raw)

    def then(self, *statements: str) -> None:
        for statement in statements:
            self.raw.execute(statement)
        self.judge.look(self.raw)


_DONE = ("UPDATE units SET state = 'done'", "UPDATE phases SET remaining = 0")


def test_what_is_done_in_a_job_that_goes_on_is_well() -> None:
    Ledger().then(*_DONE, "UPDATE jobs SET state = 'successful'")


def test_nothing_is_done_in_a_job_that_had_ended() -> None:
    ledger = Ledger()
    ledger.then("UPDATE jobs SET state = 'dismissed'")
    with pytest.raises(Violation, match="a unit was done in a job that had ended"):
        ledger.then(*_DONE)


# The sequential model


@dataclass(frozen=True)
class Held:
    token: UUID
    attempt: int
    unit_id: UUID
    job_id: UUID


class Model:
    def __init__(self) -> None:
        self.found: list[Violation] = []
        self.job, self.unit = uuid4(), uuid4()
        self.history = History(LEASE, lambda job: True, self.found.append)

    def claimed(self, attempt: int, at: float, holder: str = "worker") -> Held:
        claim = Held(uuid4(), attempt, self.unit, self.job)
        self.history.claimed(self.unit, holder, at, claim)
        return claim


@pytest.fixture
def model() -> Model:
    return Model()


def test_one_after_another_may_hold_a_unit(model: Model) -> None:
    first = model.claimed(1, at=0.0)
    model.history.asked("renew", first, 5.0, True)
    model.history.swept(model.unit, 15.1)
    second = model.claimed(2, at=16.0)
    model.history.asked("commit", first, 17.0, False)
    model.history.asked("commit", second, 18.0, True)
    model.history.asked("commit", second, 19.0, False)
    assert not model.found


def test_two_must_not_hold_a_unit(model: Model) -> None:
    model.claimed(1, at=0.0)
    model.claimed(2, at=1.0)
    assert "claimed by worker, and was State" in str(model.found[0])


@pytest.mark.parametrize(("at", "well"), [(10.0, False), (10.1, True)])
def test_a_lease_holds_to_its_end(model: Model, at: float, well: bool) -> None:
    model.claimed(1, at=0.0)
    model.history.swept(model.unit, at)
    assert well is not bool(model.found)


def test_who_lost_its_claim_must_not_commit(model: Model) -> None:
    first = model.claimed(1, at=0.0)
    model.history.swept(model.unit, 11.0)
    model.claimed(2, at=12.0)
    model.history.asked("commit", first, 13.0, True)
    assert model.found


def test_an_answer_that_got_lost_means_either(model: Model) -> None:
    first = model.claimed(1, at=0.0)
    model.history.asked("commit", first, 1.0, UNKNOWN)
    model.history.asked("commit", first, 2.0, False)  # so it had been done
    assert not model.found
    model.history.swept(model.unit, 11.0)
    assert model.found, "what is done is nobody's to take"


def test_a_worker_that_left_has_no_leases(model: Model) -> None:
    model.claimed(1, at=0.0)
    model.history.left("another")
    model.history.swept(model.unit, 1.0)
    assert len(model.found) == 1
    other = Model()
    other.claimed(1, at=0.0)
    other.history.left("worker")
    other.history.swept(other.unit, 1.0)
    assert not other.found


def test_two_do_not_lead_at_once(model: Model) -> None:
    model.history.led("one", 0.0, 10.0)
    model.history.led("other", 10.1, 10.0)
    assert not model.found
    model.history.led("one", 20.1, 10.0)
    assert model.found


def test_rounds_may_begin_just_as_a_lease_or_a_lead_ends(model: Model) -> None:
    model.claimed(1, at=0.0)
    model.history.led("one", 2.0, 10.0)
    assert [model.history.next_end(at) for at in (0.0, 9.9, 10.0, 12.0)] == [
        10.0,
        10.0,
        12.0,
        math.inf,
    ]
    assert model.history.next_end(0.0, "one") == 12.0
