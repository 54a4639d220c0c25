"""Commands that make and close keys of the API, in the ledger's database."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from rich.table import Column, Table

from geogaze.cli.opening import opened_ledger
from geogaze.cli.options import JsonOption
from geogaze.cli.terminal import err, out, print_json
from geogaze.ledger.scopes import Scope

if TYPE_CHECKING:
    from geogaze.ledger.keys import KeyRecord, Keys

log = structlog.get_logger()

_DAY = 86_400.0
_HOUR = 3600.0
_ID = 12  # characters

keys = typer.Typer(no_args_is_help=True)

KeyArgument = Annotated[str, typer.Argument(metavar="ID", help="A key's id, as listed.")]


@keys.callback()
def group() -> None:
    """Keys that callers of the API show: create, list, revoke, rotate."""


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What to know it by, such as whose it is.")],
    tenant: Annotated[str, typer.Option(help="Whose jobs it opens.")] = "default",
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; repeat it.  [default: read, submit]")
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="How long it works; else until it is revoked.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown this once: only a digest of it is kept.

    Example:
        geogaze keys create anna --tenant harbour --days 90
    """
    with _keys() as known:
        scopes = scope or [Scope.READ, Scope.SUBMIT]
        seconds = None if days is None else days * _DAY
        record, key = known.create(name, tenant=tenant, scopes=scopes, seconds=seconds)
    _show(record, key, "create", as_json)


@keys.command(name="list")
def listed(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List keys, newest first; never the keys themselves."""
    with _keys() as known:
        records = known.all(tenant)
    if as_json:
        print_json([_document(record) for record in records])
        return
    whole = Column("id", no_wrap=True, min_width=_ID)  # revoke and rotate take no less
    table = Table(whole, "state", "tenant", "name", "scopes", "expires", "last used", box=None)
    for record in records:
        times = (_day(record.expires), _day(record.last_used))
        scopes = ", ".join(sorted(record.scopes))
        table.add_row(record.id, record.state, record.tenant, record.name, scopes, *times)
    out.print(table if records else "No keys.")


@keys.command()
def revoke(key: KeyArgument, as_json: JsonOption = False) -> None:
    """Close a key at once and for good."""
    with _keys() as known:
        record = known.revoke(key)
    _put_down("revoke", record)
    if as_json:
        print_json(_document(record))
        return
    out.print(f"Key {record.id} ({record.name}) is revoked.", markup=False, highlight=False)


@keys.command()
def rotate(
    key: KeyArgument,
    overlap: Annotated[
        float, typer.Option(min=0, help="Hours that the old one goes on working.")
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Make a key in the place of another, with its tenant, scopes and lifetime.

    Example:
        geogaze keys rotate 3f9a0c12d7e4 --overlap 24
    """
    with _keys() as known:
        record, made = known.rotate(key, overlap=overlap * _HOUR)
    _show(record, made, "rotate", as_json, instead_of=key)


@contextmanager
def _keys() -> Iterator[Keys]:
    from geogaze.ledger.keys import Keys  # other commands need no database

    with opened_ledger() as database:
        yield Keys(database)


def _show(record: KeyRecord, key: str, action: str, as_json: bool, **more: str) -> None:
    """The key alone on standard output, for scripts; what to say of it beside."""
    _put_down(action, record, **more)
    if as_json:
        print_json({**_document(record), "key": key})
        return
    scopes = " and ".join(sorted(record.scopes))
    until = f" until {_day(record.expires)}" if record.expires else ""
    err.print(
        f"Key {record.id} of {record.tenant} may {scopes}{until}. Keep it now: it is not shown "
        "again. Clients take it as GEOGAZE_API_KEY.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    print(key)


def _put_down(action: str, record: KeyRecord, **more: str) -> None:
    log.info(
        "audit",
        channel="audit",
        action=f"keys {action}",
        caller=getpass.getuser(),
        key=record.id,
        tenant=record.tenant,
        **more,
    )


def _document(record: KeyRecord) -> dict[str, Any]:
    return {**asdict(record), "scopes": sorted(record.scopes)}


def _day(moment: float | None) -> str:
    return "never" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(keys, name="keys")
