"""What bars say of speed and time left."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from rich.progress import Progress

from geogaze.cli import following
from geogaze.cli.bars import TilesBar
from geogaze.cli.terminal import LeftColumn, SpeedColumn, progress_bar
from geogaze.client import Client
from geogaze.ledger.records import JobStatus, PhaseStatus
from geogaze.ledger.states import JobState
from tests.unit.cli.conftest import Geogaze


def shown(bar: Progress) -> tuple[str, str]:
    """Speed and time left, of the only task."""
    (task,) = bar.tasks
    speed, left = (
        next(column for column in bar.columns if isinstance(column, kind))
        for kind in (SpeedColumn, LeftColumn)
    )
    return str(speed.render(task)), str(left.render(task))


def test_a_bar_says_what_it_is_told() -> None:
    bar = progress_bar("tiles", quiet=True)
    task = bar.add_task("explaining", total=1000, completed=900, speed=None, left=None)
    assert shown(bar) == ("", "-:--:--")
    bar.update(task, completed=999, speed=2.5, left=3725.4)
    assert shown(bar) == ("2.5 tiles/s", "1:02:05")
    bar.update(task, left=0.0)
    assert shown(bar)[1] == "0:00:00"


def test_a_bar_that_is_told_nothing_goes_by_its_steps() -> None:
    moment = [0.0]
    bar = Progress(*progress_bar("images", quiet=True).columns, get_time=lambda: moment[0])
    task = bar.add_task("training", total=30)
    for done in range(1, 11):
        moment[0] += 0.5
        bar.update(task, completed=done)
    assert shown(bar) == ("2.0 images/s", "0:00:10")


def test_watching_says_the_servers_own_figures(
    geogaze: Geogaze, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Progress] = []
    said: list[tuple[str, str]] = []

    def bar(*words: Any, **options: Any) -> Progress:
        made.append(progress_bar(*words, **options))
        return made[-1]

    def wait(self: Client, job: str, *, on_status: Any, on_away: Any) -> dict[str, Any]:
        running = {"message": "explaining", "progress": 80, "status": "running"}
        for figures in ({}, {"tilesPerSecond": 4.0, "secondsLeft": 44.0}, {}):
            on_status(running | figures)
            said.append(shown(made[0]))
        return {"jobID": job, "status": "successful", "message": "done", "links": []}

    monkeypatch.setattr(following, "progress_bar", bar)
    monkeypatch.setattr(Client, "wait", wait)
    assert geogaze("watch", "some-job").code == 0
    assert said == [("", "-:--:--"), ("4.0 tiles/s", "0:00:44"), ("", "-:--:--")]


def status(items_done: int, of: int = 1000) -> JobStatus:
    state = JobState.SUCCESSFUL if items_done == of else JobState.RUNNING
    explain = PhaseStatus(9, 9, 85, "explaining", of, "tiles", items_done)
    times = dict.fromkeys(["created", "updated", "started", "finished", "now"], 0.0)
    return JobStatus(
        id=uuid4(),
        tenant="default",
        process="explain",
        state=state,
        phase="explain",
        message="done",
        phases={"explain": explain},
        last_error=None,
        problem=None,
        **times,  # type: ignore[arg-type]
    )


def test_a_run_that_goes_on_says_the_pace_of_its_own_batches() -> None:
    """Of 1,000 tiles 900 were there: rich's own estimate would be seconds."""
    moment = [50.0]
    bar = progress_bar("tiles", quiet=True)
    tiles_bar = TilesBar(bar, lambda: moment[0])
    tiles_bar.show(status(900), 0)
    assert shown(bar) == ("", "-:--:--")
    for batch in range(1, 6):
        moment[0] += 20 if batch == 1 else 4  # the network is loaded first
        tiles_bar.show(status(900), 2 * batch)
    assert shown(bar) == ("0.5 tiles/s", "0:03:00")
    tiles_bar.show(status(900), 0)  # a unit was handed back
    assert bar.tasks[0].completed == 910
    tiles_bar.show(status(1000), 0)
    assert (bar.tasks[0].description, *shown(bar)) == ("done", "", "-:--:--")
