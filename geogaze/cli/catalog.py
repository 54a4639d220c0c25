"""The command ``catalog``: a static STAC catalogue over folders of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from geogaze.cli.options import JsonOption, OverwriteOption
from geogaze.cli.terminal import out, print_json, print_warnings
from geogaze.files import in_place_of
from geogaze.outputs import check_file


def catalog(
    folder: Annotated[Path, typer.Argument(help="A folder with folders of finished runs in it.")],
    title: Annotated[
        str | None, typer.Option("--title", help="Of the catalogue. Default: the folder's name.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Describe a folder of results as a STAC catalogue, FOLDER/catalog.json.

    Its links are relative: the folder may be moved, or put on any web server or bucket as it is.
    The runs themselves stay as they are.

    Example:
        geogaze catalog results --title "Harbours, 2026"
    """
    from geogaze.gis.catalog import FILE, catalog_of, find_items

    target = folder / FILE
    check_file(target, overwrite=overwrite)
    found = find_items(folder)
    document = catalog_of(folder, found, title)
    with in_place_of(target) as draft:
        draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json({"file": str(target), "items": len(found.items), "warnings": found.faults})
        return
    print_warnings(found.faults)
    out.print(f"{target}: {len(found.items):,} results.")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(catalog)
