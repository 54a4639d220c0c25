"""The command ``methods``: what --method takes, and what is known of each."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.table import Table

from geogaze.cli.options import JsonOption
from geogaze.cli.terminal import out, print_json
from geogaze.models.methods import METHODS


def methods(as_json: JsonOption = False) -> None:
    """List the methods, with their sources and what published checks say of them.

    Example:
        geogaze methods
    """
    if as_json:
        facts = [asdict(method) for method in METHODS.values()]
        print_json([{k: v for k, v in f.items() if k != "implementation"} for f in facts])
        return
    table = Table("method", "one value per", "source and notes")
    for method in METHODS.values():
        lines = [f"[bold]{method.title}[/], {method.source}"]
        lines += ["" if method.signed else "No evidence against: values are not negative."]
        lines += [method.note]
        kind = "pixel" if method.per_pixel else "cell"
        table.add_row(method.name, kind, "\n".join(filter(None, lines)), end_section=True)
    out.print(table)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(methods)
