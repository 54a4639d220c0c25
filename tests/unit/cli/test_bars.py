"""What bars say of speed and time left."""

from __future__ import annotations

from typing import Any

import pytest
from rich.progress import Progress

from geogaze.cli import remote
from geogaze.cli.terminal import LeftColumn, SpeedColumn, progress_bar
from geogaze.client import Client
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
        return {"jobID": job, "status": "successful"}

    monkeypatch.setattr(remote, "progress_bar", bar)
    monkeypatch.setattr(Client, "wait", wait)
    assert geogaze("watch", "some-job").code == 0
    assert said == [("", "-:--:--"), ("4.0 tiles/s", "0:00:44"), ("", "-:--:--")]
