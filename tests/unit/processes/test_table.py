"""The table of processes: all that it names is there, and what is not says so at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geogaze.config import Settings
from geogaze.doors import resolve
from geogaze.errors import ProcessNotFound
from geogaze.processes.explain.process import EXPLAIN
from geogaze.processes.table import (
    PROCESSES,
    Process,
    Step,
    all_processes,
    find_process,
    phase_references,
)
from geogaze.runner.work import Worker


@pytest.fixture(params=PROCESSES)
def process(request: pytest.FixtureRequest) -> Process:
    return find_process(request.param)


def add(monkeypatch: pytest.MonkeyPatch, process: Process) -> None:
    """Put a process into the table; a monkeypatched module attribute is its file."""
    monkeypatch.setattr("geogaze.processes.explain.process.OTHER", process, raising=False)
    monkeypatch.setitem(PROCESSES, process.id, "geogaze.processes.explain.process:OTHER")


def test_a_process_goes_by_its_name_in_the_table(process: Process) -> None:
    assert find_process(process.id) is process


def test_every_reference_leads_to_a_function(process: Process) -> None:
    references = [process.plan, *(step.run for step in process.order)]
    references += [process.quote] if process.quote else []
    assert all(callable(resolve(reference)) for reference in references)


def test_shares_are_of_all_the_work(process: Process) -> None:
    assert sum(step.share for step in process.order) == 100
    assert len({step.name for step in process.order}) == len(process.order)


def test_pace_depends_on_inputs_that_there_are(process: Process) -> None:
    assert set(process.alike) <= set(process.request.model_fields)


def test_an_unknown_process_is_told_which_there_are() -> None:
    with pytest.raises(ProcessNotFound, match="no process 'paint'") as refusal:
        find_process("paint")
    assert all(repr(process.id) in str(refusal.value) for process in all_processes())


def worker(folder: Path) -> Any:
    return Worker.from_settings(
        Settings(database_url=f"sqlite:///{folder / 'ledger.db'}", storage=str(folder / "objects"))
    )


def test_a_worker_does_not_start_without_one_of_its_phases(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paint = Step("paint", "geogaze.runner.phases.paint:run", 100, "painting")
    add(monkeypatch, replace(EXPLAIN, id="paint", order=(paint,)))
    with pytest.raises(LookupError, match=r"geogaze\.runner\.phases\.paint"):
        worker(tmp_path)


def test_a_phase_is_one_function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = Step("explain", "geogaze.runner.phases.publish:run", 100, "explaining otherwise")
    add(monkeypatch, replace(EXPLAIN, id="other", order=(other,)))
    with pytest.raises(LookupError, match="'explain' of process 'other'"):
        phase_references()
    with pytest.raises(LookupError):
        worker(tmp_path)
