"""The command that names jobs whose objects are gone."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer
from rich.table import Column, Table

from geogaze.cli.opening import opened_ledger
from geogaze.cli.options import JsonOption
from geogaze.cli.terminal import FAILED, out, print_json
from geogaze.config import get_settings
from geogaze.errors import IllegalTransition

_REASON = "its files were lost"


def lost(
    dismiss: Annotated[
        bool, typer.Option("--dismiss", help="End these jobs, so that nothing builds on them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Name the jobs of which the ledger says more than lies in storage, as after a restore.

    It asks database and storage themselves, with a server's settings. Exit code 1: there are some,
    and they were not ended. Ended ones are to be submitted again.

    Example:
        GEOGAZE_DATABASE_URL=postgresql+psycopg://… GEOGAZE_STORAGE=s3://… geogaze lost
    """
    from geogaze.ledger.collection import Collection
    from geogaze.ledger.store import Ledger
    from geogaze.processes.losses import losses
    from geogaze.storage import open_storage

    storage = open_storage(get_settings())
    with opened_ledger() as database:
        found = list(losses(Collection(database), storage))
        for loss in found if dismiss else ():
            with suppress(IllegalTransition):  # another was quicker
                Ledger(database).dismiss(loss.job, _REASON)
    if as_json:
        print_json(
            [
                {
                    "job": str(loss.job),
                    "tenant": loss.tenant,
                    "status": loss.state.value,
                    "missing": list(loss.missing),
                    "dismissed": dismiss,
                }
                for loss in found
            ]
        )
    else:
        table = Table(Column("job", no_wrap=True), "tenant", "was", "missing", "such as", box=None)
        for loss in found:
            first = loss.missing[0]
            table.add_row(str(loss.job), loss.tenant, loss.state, str(len(loss.missing)), first)
        out.print(table if found else "Nothing is lost.")
    if found and not dismiss:
        raise typer.Exit(FAILED)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(lost)
