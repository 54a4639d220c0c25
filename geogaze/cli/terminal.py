"""What the terminal shows: results, errors, progress."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from geogaze.errors import GeogazeError, Interrupted, RemoteError

out = Console()
err = Console(stderr=True)

FAILED = 1
BAD_INPUT = 2
AWAY = 3
INTERRUPTED = 130


class SpeedColumn(ProgressColumn):
    """Tiles (or images) per second: the task's field ``speed``, or what its steps come to."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """The task's speed."""
        speed = task.fields.get("speed", task.finished_speed or task.speed)
        return Text("" if speed is None else f"{speed:,.1f} {self._unit}/s", style="cyan")


class LeftColumn(TimeRemainingColumn):
    """Time left: the task's field ``left``, in seconds, or what its steps come to."""

    def render(self, task: Task) -> Text:
        """The time, or dashes where nobody can tell."""
        if "left" not in task.fields:
            return super().render(task)
        left = task.fields["left"]
        remaining = "-:--:--" if left is None else str(timedelta(seconds=round(left)))
        return Text(remaining, style="progress.remaining")


def progress_bar(unit: str, *, quiet: bool) -> Progress:
    """A bar on standard error with speed and time left.

    Tasks whose steps tell little (those of a job that goes on, or per cent) say both by their
    fields ``speed`` and ``left``, which may be None.
    """
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        SpeedColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        LeftColumn(),
        console=err,
        disable=quiet,
        transient=True,
    )


def print_warnings(warnings: Iterable[str], console: Console = out) -> None:
    """What may make heat mean less than it seems."""
    for warning in warnings:
        console.print(f"[yellow]Careful:[/] {escape(warning)}", highlight=False)


def print_json(document: Any) -> None:
    """One JSON document on one line of standard output."""
    print(json.dumps(document, default=str), flush=True)


def print_error(error: GeogazeError) -> None:
    """An expected error, for people."""
    err.print(f"[bold red]{error.title}.[/] ", end="")
    err.print(str(error), markup=False, highlight=False, soft_wrap=True)


def exit_code(error: GeogazeError) -> int:
    """What a script is told: who is to blame, and whether anything is known at all."""
    if isinstance(error, Interrupted):
        return INTERRUPTED
    if 400 <= error.status < 500:
        return BAD_INPUT
    return AWAY if isinstance(error, RemoteError) else FAILED


def told(error: GeogazeError) -> str:
    """The ``status`` of an error in JSON; an API that is away says nothing of a job."""
    return {INTERRUPTED: "interrupted", AWAY: "unknown"}.get(exit_code(error), "failed")
