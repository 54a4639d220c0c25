"""The command ``audit``: does a network look at the object, or at what surrounds it?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from geogaze.audit.beside import read_other
from geogaze.audit.gate import junit as junit_of
from geogaze.audit.gate import parse_gate, passed
from geogaze.cli.options import JsonOption, ModelOption, OverwriteOption
from geogaze.cli.terminal import FAILED, err, out, print_json
from geogaze.cli.truths import truths_of
from geogaze.config import get_settings
from geogaze.errors import InvalidRequest
from geogaze.logs import configure_logging
from geogaze.models.registry import DEFAULT_MODEL, find_bundle
from geogaze.outputs import check_file

if TYPE_CHECKING:
    from geogaze.audit.auditing import Audit
    from geogaze.audit.kinds import Truth

_FILES = ("audit.html", "audit.json", "collect.gpkg")


def audit(
    scenes: Annotated[list[str], typer.Argument(help="Georeferenced GeoTIFFs.")],
    class_name: Annotated[str, typer.Option("--class", help="The class that the objects are.")],
    out_folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is found.")],
    truth: Annotated[
        list[Path] | None,
        typer.Option(
            help="Polygons of the objects, one file for each scene in order. Default: the file of "
            "the scene's name beside it."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Property of the polygons (GeoJSON) that tells them apart: the class are objects, "
            "any other value is another kind of ground."
        ),
    ] = None,
    cover: Annotated[
        list[str] | None,
        typer.Option(
            help="Another kind of ground, NAME=FILE with its polygons; repeat it. The first that "
            "a pixel lies in counts, objects before all."
        ),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    tiles: Annotated[
        int, typer.Option(min=1, help="Tiles of each scene that are changed at most.")
    ] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn by chance.")] = 0,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            help="Exit with 1 where this holds: a figure of a class that is below or above a "
            "number, see docs/audit.md; repeat it."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Also write what became of --fail-if, for CI systems.")
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(help="Another model's audit.json of this class, to show beside this one."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Is it looking at the airplane? Adds up evidence by what lies under it, and takes objects out.

    Writes audit.html (to read), audit.json, and collect.gpkg: the tiles to label next.

    Examples:
        geogaze audit airports/*.tif --class airplane --out audit

        geogaze audit demo/scene.tif --class airplane --by class --out audit

        geogaze audit port.tif --class ship --truth ships.gpkg --cover water=water.geojson -o audit

        geogaze audit port.tif --class ship -o audit --fail-if 'ratio[ship]<0.7' --junit audit.xml
    """
    for file in (*(out_folder / name for name in _FILES), *([junit] if junit else [])):
        check_file(file, overwrite=overwrite)
    settings = get_settings()
    configure_logging("error", settings.log_format)
    bundle = find_bundle(model, settings.model_folders, allow_path=True)
    truths = _truths(scenes, truth, cover or [], by)
    from geogaze.models.targets import parse_target, spelled

    name = spelled(parse_target(class_name, bundle), bundle)
    gates = [parse_gate(text, name) for text in fail_if or ()]
    other = read_other(beside, name) if beside else None
    from geogaze.audit.auditing import audit as run
    from geogaze.audit.collecting import write_geopackage
    from geogaze.audit.document import document
    from geogaze.audit.page import page

    with err.status("beginning") as status:
        found = run(
            bundle, class_name, truths, settings, tiles=tiles, seed=seed, on_progress=status.update
        )
    told = document(found) | ({"beside": other} if other else {})
    out_folder.mkdir(parents=True, exist_ok=True)
    page_file, document_file, tiles_file = (out_folder / name for name in _FILES)
    page_file.write_text(page(told), encoding="utf-8")
    document_file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    write_geopackage(found.collect, tiles_file)
    held = passed(told, gates)
    if junit:
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_text(junit_of(told, held), encoding="utf-8")
    if as_json:
        print_json(told)
    else:
        _show(found, out_folder)
    if failed := [one for one in held if one.failed]:
        for one in failed:
            err.print(f"[red]Failed:[/] {escape(one.words)}", highlight=False)
        raise typer.Exit(FAILED)


def _truths(
    scenes: list[str], given: list[Path] | None, covers: list[str], by: str | None
) -> list[Truth]:
    """What is known of each scene.

    Raises:
        InvalidRequest: a file is missing, or there are too many or too few.
    """
    from geogaze.audit.kinds import Truth
    from geogaze.audit.sites import OBJECTS, REST

    objects = truths_of(scenes, given)
    grounds: dict[str, Path] = {}
    for cover in covers:
        name, separator, file = cover.partition("=")
        if not separator or not name or name in {OBJECTS, REST, *grounds}:
            raise InvalidRequest(
                f"--cover {cover!r}: NAME=FILE, each name once and none of {OBJECTS}, {REST}."
            )
        grounds[name] = Path(file)
    for path in grounds.values():
        if not path.is_file():
            raise InvalidRequest(f"There is no file {path}.")
    return [Truth(scene, path, grounds, by) for scene, path in zip(scenes, objects, strict=True)]


def _show(found: Audit, folder: Path) -> None:
    out.print(f"[bold]{found.verdict.words}[/]")
    out.print(found.verdict.why)
    kinds = next(iter(found.sheets.values())).kinds
    table = Table("", "tiles", "logit", *kinds, box=None)
    for sort, sheet in found.sheets.items():
        evidence = (f"{value:+.2f}" for value in sheet.kinds.values())
        table.add_row(sort, f"{sheet.tiles:,}", f"{sheet.logit:+.2f}", *evidence)
    out.print(table)
    placed, causal = found.placed, found.causal
    out.print(
        f"Evidence per area on objects is {placed.enrichment} times that beside them; evidence "
        f"foretells what taking them out costs with rank correlation {causal.forecast}."
    )
    out.print(f"Read [bold]{folder / 'audit.html'}[/]; label from {folder / 'collect.gpkg'}.")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(audit)
