"""The command ``audit``: does a network look at the object, or at what surrounds it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

import geogaze
from geogaze.audit.beside import read_other
from geogaze.audit.gate import Gate, parse_gate, passed
from geogaze.audit.gate import junit as junit_of
from geogaze.cli.audit_folders import are_folders, of_folders
from geogaze.cli.audit_jobs import are_jobs, audit_jobs
from geogaze.cli.options import DEFAULT_API, ApiOption, JsonOption, OverwriteOption
from geogaze.cli.terminal import FAILED, err, out, print_json
from geogaze.cli.truths import truths_of
from geogaze.config import get_settings
from geogaze.errors import InvalidRequest
from geogaze.logs import configure_logging
from geogaze.models.registry import DEFAULT_MODEL
from geogaze.outputs import AUDIT_FILES, check_file

if TYPE_CHECKING:  # numpy takes its time to load
    from geogaze.processes.audit.request import AuditRequest


def audit(
    scenes: Annotated[
        list[str],
        typer.Argument(
            help="Georeferenced GeoTIFFs; or folders that geogaze run wrote; or finished jobs of "
            "a server, by their ids."
        ),
    ],
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
    model: Annotated[
        str | None,
        typer.Option(
            help="A bundle's name or folder, or a torchvision architecture. Default: of scenes "
            f"{DEFAULT_MODEL}, of folders and jobs theirs."
        ),
    ] = None,
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
    api: ApiOption = DEFAULT_API,
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

        geogaze audit heat --class ship --truth ships.gpkg --out audit

        geogaze audit 4f0c… 9a1b… --class ship --truth a.geojson --truth b.gpkg --out audit
    """
    products = [out_folder / name for name in AUDIT_FILES.values()]
    for file in (*products, *([junit] if junit else [])):
        check_file(file, overwrite=overwrite)
    asked = {"class": class_name, "model": model, "by": by, "tiles": tiles, "seed": seed}
    covers, gates = _covers(cover or []), _Gates(fail_if or [], beside)
    if are_jobs(scenes):
        gates.check(class_name)
        inputs = {name: value for name, value in asked.items() if value is not None}
        with geogaze.Client(api) as client:
            told = audit_jobs(
                client,
                {"jobs": scenes, **inputs},
                truth or [],
                covers,
                out_folder,
                quiet=as_json,
            )
    else:
        from geogaze.processes.audit.request import AuditRequest

        looked: dict[str, Any] = {"scenes": scenes}
        if are_folders(scenes):
            looked = of_folders(scenes, model)
            scenes = [one["scene"] for one in looked["scenes"]]
        truths = [str(file) for file in truths_of(scenes, truth)]
        places = {"truth": truths, "cover": covers}
        told = _here(AuditRequest.parse({**places, **asked, **looked}), gates, out_folder)
    ((name, found),) = told["classes"].items()
    held, other = gates.check(name), gates.other
    if other:
        from geogaze.audit.writing import write_told

        told = {**told, "beside": other}
        write_told(told, out_folder)
    passing = passed(told, held)
    if junit:
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_text(junit_of(told, passing), encoding="utf-8")
    if as_json:
        print_json(told)
    else:
        _show(found, out_folder)
    if failed := [one for one in passing if one.failed]:
        for one in failed:
            err.print(f"[red]Failed:[/] {escape(one.words)}", highlight=False)
        raise typer.Exit(FAILED)


class _Gates:
    """What is asked of an audit besides itself, once its class's name is known."""

    def __init__(self, fail_if: list[str], beside: Path | None) -> None:
        self._fail_if, self._beside = fail_if, beside
        self.other: dict[str, Any] | None = None

    def check(self, name: str) -> list[Gate]:
        """The gates for a class.

        Raises:
            InvalidRequest: one, or the other audit, is none of that class.
        """
        self.other = read_other(self._beside, name) if self._beside else None
        return [parse_gate(text, name) for text in self._fail_if]


def _here(request: AuditRequest, gates: _Gates, folder: Path) -> dict[str, Any]:
    """Audit in this process, and write the files; what audit.json tells."""
    from geogaze.processes.audit.planning import make_plan

    settings = get_settings()
    configure_logging("error", settings.log_format)
    plan = make_plan(request, settings, local=True)
    gates.check(plan.name)
    from geogaze.audit.auditing import audit as run
    from geogaze.audit.collecting import write_geopackage
    from geogaze.audit.document import document
    from geogaze.audit.writing import write_told

    with err.status("beginning") as status:
        found = run(plan, settings, on_progress=status.update)
    told = document(found)
    folder.mkdir(parents=True, exist_ok=True)
    write_told(told, folder)
    write_geopackage(found.collect, folder / AUDIT_FILES["collect"])
    return told


def _covers(given: list[str]) -> dict[str, str]:
    """Other kinds of ground and their files.

    Raises:
        InvalidRequest: a word is not NAME=FILE, or a name comes twice or means something else.
    """
    from geogaze.processes.audit.kinds import OBJECTS, REST

    files: dict[str, str] = {}
    for one in given:
        name, separator, file = one.partition("=")
        if not separator or not name or name in {OBJECTS, REST, *files}:
            raise InvalidRequest(
                f"--cover {one!r}: NAME=FILE, each name once and none of {OBJECTS}, {REST}."
            )
        files[name] = file
    return files


def _show(found: dict[str, Any], folder: Path) -> None:
    out.print(f"[bold]{escape(found['words'])}[/]")
    out.print(escape(found["why"]))
    sheets = found["sheets"]
    table = Table("", "tiles", "logit", *next(iter(sheets.values()))["evidence"], box=None)
    for sort, sheet in sheets.items():
        evidence = (f"{value:+.2f}" for value in sheet["evidence"].values())
        table.add_row(sort, f"{sheet['tiles']:,}", f"{sheet['logit']:+.2f}", *evidence)
    out.print(table)
    out.print(
        f"Evidence per area on objects is {_figure(found, 'enrichment')} times that beside them; "
        "evidence foretells what taking them out costs with rank correlation "
        f"{_figure(found, 'forecast')}."
    )
    page, tiles = (folder / AUDIT_FILES[name] for name in ("report", "collect"))
    out.print(f"Read [bold]{page}[/]; label from {tiles}.")


def _figure(found: dict[str, Any], name: str) -> str:
    from geogaze.audit.intervals import Figure

    return str(Figure(found[name], *(found[f"{name}_interval"] or ())))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(audit)
