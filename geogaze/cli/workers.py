"""The command that lists who is at work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import typer
from rich.table import Column, Table

import geogaze
from geogaze.cli.options import DEFAULT_API, ApiOption, JsonOption
from geogaze.cli.terminal import out, print_json

_ID = 8  # first characters of a job's id


def workers(api: ApiOption = DEFAULT_API, as_json: JsonOption = False) -> None:
    """List a server's living workers: device, model, units in hand, when last heard of.

    It wants a key of the scope admin where the server wants keys. A dead worker leaves the list
    by itself, after a minute at most.

    Example:
        geogaze workers --api http://localhost:8080
    """
    with geogaze.Client(api) as client:
        alive = client.workers()
    if as_json:
        print_json(alive)
        return
    narrow = (Column(name, no_wrap=True) for name in ("worker", "device", "model"))
    table = Table(*narrow, "units in hand", Column("seen", no_wrap=True), box=None)
    for worker in alive:
        units = ", ".join(_unit(unit) for unit in worker["units"])
        free = worker["slots"] - len(worker["units"])
        seen = datetime.fromisoformat(worker["seen"]).astimezone()
        table.add_row(
            _short(worker["name"]),
            worker.get("device", "–"),
            worker.get("model", "–"),
            units or f"none of {free}",
            f"{seen:%H:%M:%S}",
        )
    out.print(table if alive else "No worker is alive: start one with 'geogaze worker'.")


def _unit(unit: dict[str, Any]) -> str:
    again = f", attempt {unit['attempt']}" if unit["attempt"] > 1 else ""
    return f"{unit['job'][:_ID]} {unit['phase']} {unit['unit']}{again}"


def _short(name: str) -> str:
    """A worker's name without the word that only tells it from its forerunners."""
    host, _, rest = name.partition(":")
    return f"{host}:{rest.rpartition(':')[2]}"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(workers)
