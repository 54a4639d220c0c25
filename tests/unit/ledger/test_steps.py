"""States are written by steps that the tables have, and in no other way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from geogaze.errors import IllegalTransition, SceneUnreadable
from geogaze.ledger import states, steps
from geogaze.ledger.claims import Claims
from geogaze.ledger.states import JOB_STEPS, UNIT_STEPS, JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Unit
from tests.unit.ledger.suite import OnSqlite, Suite, submission, submit

ROOT = Path(__file__).parents[3]
READS = {"JobStatus", "StatusInfo", "Kept"}  # what is shown of a job, not its row


class TestOnSqlite(OnSqlite, Suite):
    @pytest.mark.parametrize("target", list(UnitState))
    @pytest.mark.parametrize("start", list(UnitState))
    def test_units(
        self, engine: Engine, ledger: Ledger, start: UnitState, target: UnitState
    ) -> None:
        legal = target in UNIT_STEPS[start]
        submit(ledger)
        with Session(engine) as session:
            unit = session.scalars(select(Unit)).one()
            unit.state = start
            session.flush()
            moved = session.scalars(steps.unit_step(target).returning(Unit.id)).all()
            assert bool(moved) is legal
            session.execute(update(Unit).values(state=start))
            session.refresh(unit)
            if legal:
                steps.move(session, unit, target)
                assert unit.state is target
            else:
                with pytest.raises(IllegalTransition, match=f"{start}.*{target}"):
                    steps.move(session, unit, target)
                assert unit.state is start

    @pytest.mark.parametrize("target", list(JobState))
    @pytest.mark.parametrize("start", list(JobState))
    def test_jobs(self, engine: Engine, ledger: Ledger, start: JobState, target: JobState) -> None:
        submit(ledger)
        with Session(engine) as session:
            session.execute(update(Job).values(state=start))
            moved = session.scalars(steps.job_step(target).returning(Job.id)).all()
        assert bool(moved) is (target in JOB_STEPS[start])

    def test_rows_begin_in_the_first_state(self, engine: Engine, ledger: Ledger) -> None:
        job = ledger.submit(submission(3))
        assert ledger.status(job).state is JobState.ACCEPTED
        assert {unit.state for unit in self.units(engine, job)} == {UnitState.PENDING}

    def test_a_retry_asks_the_table(
        self,
        engine: Engine,
        ledger: Ledger,
        claims: Claims,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        job = submit(ledger, 2)
        claims.give_up(self.take(ledger, claims), SceneUnreadable("damaged"))
        before = self.snapshot(engine)
        with monkeypatch.context() as patch:
            patch.setitem(states.UNIT_STEPS, UnitState.FAILED, frozenset())
            with pytest.raises(IllegalTransition):
                ledger.retry(job)
        assert self.snapshot(engine) == before
        ledger.retry(job)
        assert {unit.state for unit in self.units(engine, job)} == {UnitState.PENDING}


def writes(tree: ast.AST) -> list[str]:
    """Where code writes a state: assignments to ``.state``, ``state=…`` in a call, and ``"state"``
    as a key of values."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "state":
            if isinstance(node.ctx, ast.Store):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            name = node.func.id if isinstance(node.func, ast.Name) else called
            keywords = [keyword.arg for keyword in node.keywords]
            if "state" in keywords and name not in READS:
                found.append(ast.unparse(node))
            if name == "setattr":
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Dict):
            found += [
                ast.unparse(node)
                for key in node.keys
                if isinstance(key, ast.Constant) and key.value == "state"
            ]
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.slice, ast.Constant)
            and node.slice.value == "state"
        ):
            found.append(ast.unparse(node))
    return found


def test_nobody_else_writes_a_state() -> None:
    """One more copies the units of an earlier job: what is settled there, begins so."""
    modules = [
        *ROOT.glob("geogaze/**/*.py"),
        *ROOT.glob("api/**/*.py"),
        *ROOT.glob("worker/**/*.py"),
    ]
    assert len(modules) > 100
    found = {
        str(module.relative_to(ROOT)): len(places)
        for module in modules
        if (places := writes(ast.parse(module.read_text(encoding="utf-8"))))
    }
    assert found == {"geogaze/ledger/steps.py": 3, "geogaze/ledger/submission.py": 1}


@pytest.mark.parametrize(
    "code",
    [
        "unit.state = UnitState.DONE",
        "unit.state, unit.token = UnitState.DONE, None",
        "update(Unit).values(state=UnitState.DONE)",
        "update(Unit).values({'state': UnitState.DONE})",
        "values['state'] = UnitState.DONE",
        "Unit(state=UnitState.DONE)",
        "setattr(unit, name, UnitState.DONE)",
    ],
)
def test_the_search_sees(code: str) -> None:
    assert writes(ast.parse(code))
