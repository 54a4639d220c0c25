"""The command ``run``: a job on this machine alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from geogaze.cli.bars import TilesBar
from geogaze.cli.interrupts import first_word
from geogaze.cli.options import JsonOption, OverwriteOption, takes
from geogaze.cli.quote import print_ahead, print_quote
from geogaze.cli.terminal import out, print_json, print_warnings, progress_bar
from geogaze.config import Settings, get_settings
from geogaze.errors import InvalidRequest
from geogaze.logs import configure_logging
from geogaze.models.sureness import sureness_in
from geogaze.outputs import Kind, check_folder
from geogaze.processes.explain.quote import quote_of
from geogaze.processes.explain.request import ExplainRequest
from geogaze.wording import length

if TYPE_CHECKING:  # GDAL and torch take their time to load
    from geogaze.processes.explain.plan import Plan
    from geogaze.runner.embedded import RunReport
    from geogaze.scene.info import SceneInfo

_STOPPING = (
    "Stopping after the batch in hand. What is explained is kept, and the same command goes on "
    "from there. Ctrl-C again leaves at once."
)


@takes(ExplainRequest, besides={"priority"})
def run(
    *,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the products; needed for all but --dry-run."),
    ] = None,
    request: ExplainRequest,
    overwrite: OverwriteOption = False,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N. Default: GEOGAZE_DEVICE.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Tiles in one forward. Default: what memory holds.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it takes: tiles, layers, gigabytes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Explain a scene on this machine.

    Examples:
        geogaze run port.tif --out heat --classes harbor,beach

        geogaze run city.tif --out heat --model vgg16 --classes top --gsd 0.5

        geogaze run port.tif --out why --classes "ship vs harbor,not ship" --context scene

        geogaze run s2.tif --out heat --bands 4,3,2 --rescale 0,3000 --aoi district.geojson

        geogaze run north.tif south.tif --out heat --crs EPSG:32618

        geogaze run large.tif --gsd 0.3 --dry-run
    """
    chosen = {"device": device, "batch_size": batch}
    settings = get_settings().model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    configure_logging("error", settings.log_format)
    if dry_run:
        _plan_only(request, out_folder, settings, overwrite=overwrite, as_json=as_json)
        return
    if out_folder is None:
        raise InvalidRequest("Say where the products go: --out FOLDER (or --dry-run makes none).")
    with first_word(_STOPPING):
        report = _run(request, out_folder, settings, overwrite=overwrite, quiet=as_json)
    if as_json:
        print_json(
            {
                "job": str(report.job),
                "status": "successful",
                "tiles": report.tiles,
                "reused": report.reused,
                "seconds": round(report.seconds, 3),
                "tiles_per_second": round(report.tiles_per_second, 3),
                "classes": list(report.plan.layers),
                "assets": {name: str(path) for name, path in report.assets.items()},
                "bands": list(report.plan.scene.bands),
                "rescale": [list(pair) for pair in report.plan.scene.rescale],
                "warnings": list(report.plan.warnings),
                "skipped": report.skipped,
                "bill": report.bill.model_dump(exclude_none=True),
            }
        )
        return
    plan = report.plan
    _show_outcome(plan, report.assets, out_folder)
    out.print(
        f"{report.tiles - report.reused:,} tiles in {report.seconds:,.1f} s "
        f"({report.tiles_per_second:,.1f} tiles/s). One heat cell is "
        f"{length(plan.cell_metres)}. {_looked_at(plan)}"
    )
    print_warnings(plan.warnings)
    for reason in report.skipped:
        out.print(f"{reason['tiles']:,} tiles were skipped: {reason['reason']}.")
    out.print(f"Look at it: [bold]geogaze view {out_folder}[/], or open the layers in a GIS.")


def _looked_at(plan: Plan) -> str:
    """Which bands the model got, and which of their values became 0 and 1."""
    scene = plan.scene
    names = ", ".join(plan.bundle.bands)
    ranges = ", ".join(f"{low:g} to {high:g}" for low, high in dict.fromkeys(scene.rescale))
    chosen = {
        "given": "as asked",
        "descriptions": "by their descriptions",
        "colours": "by their colours",
        "position": "the first, as none is named",
    }[scene.bands_source]
    how = "as asked" if scene.rescale_source == "given" else scene.rescale_source
    return _files(scene) + (
        f"Bands {', '.join(map(str, scene.bands))} were taken for {names} ({chosen}), and values "
        f"from {ranges} ({how})."
    )


def _files(scene: SceneInfo) -> str:
    """Of a scene of several files, how they come to be one."""
    if len(scene.files) < 2:
        return ""
    moved = len({piece.uri for piece in scene.pieces if piece.crs})
    others = f", {moved:,} of them from another CRS" if moved else ""
    grid = f"EPSG:{scene.epsg}" if scene.epsg else "the first one's CRS"
    return f"{len(scene.files):,} files lie on one grid in {grid}{others}. "


def _plan_only(
    request: ExplainRequest,
    folder: Path | None,
    settings: Settings,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Refuse what a run would refuse, else say what it takes; nothing is written."""
    from geogaze.processes.explain.planning import make_plan

    if folder is not None:
        check_folder(folder, Kind.RESULTS, overwrite=overwrite)
    plan = make_plan(request, settings, local=True)
    quote = quote_of(plan, settings)
    if as_json:
        planned = {"status": "planned", "classes": list(plan.layers)}
        print_json({**planned, **quote.model_dump(mode="json")})
        return
    print_quote(quote, unknown="told by a run's first batches")
    out.print(f"{_looked_at(plan)} Nothing was written.")


def _run(
    request: ExplainRequest, folder: Path, settings: Settings, *, overwrite: bool, quiet: bool
) -> RunReport:
    from geogaze.processes.explain.names import check_names

    check_folder(folder, Kind.RESULTS, overwrite=overwrite)
    check_names(request, settings)
    from geogaze.runner.embedded import run as run_embedded

    with progress_bar("tiles", quiet=quiet) as bar:
        tiles_bar = TilesBar(bar)

        def planned(plan: Plan) -> None:
            print_ahead(quote_of(plan, settings))

        def resumed(tiles: int, of: int) -> None:
            bar.console.print(
                f"Going on from an earlier run: {tiles:,} of {of:,} tiles are explained.",
                highlight=False,
            )

        return run_embedded(
            request,
            folder,
            settings,
            overwrite=overwrite,
            on_planned=planned,
            on_progress=tiles_bar.show,
            on_resumed=resumed,
        )


def _tiles(count: int) -> str:
    return f"{count:,} tile{'s' * (count != 1)}" if count else "no tile"


def _figure(probability: float | None) -> str:
    return "" if probability is None else f"{probability:.2f}"


def _what_was_seen(layers: dict[str, Any]) -> Table | None:
    """How many tiles each layer's class is best in, or present; None where the Item says nothing of
    classes, as scores are none of them.
    """
    several = any("geogaze:in_tiles" in about for about in layers.values())
    top = any("geogaze:classes" in about for about in layers.values())
    said = sureness_in(layers.values())
    highest_name = f"geogaze:highest_{said.name}"
    sure = any(highest_name in about for about in layers.values())
    if not (sure or top):
        return None
    counted = "geogaze:in_tiles" if several else "geogaze:best_of_tiles"
    words = "best class of" if sure else "highest score in"
    if several:
        words = ("most pixels of" if said.name == "share" else "most probable in") if top else "in"
    table = Table(title="What the model saw", title_justify="left", title_style="bold")
    table.add_column("layer", style="bold")
    table.add_column(words, justify="right")
    table.add_column(said.highest if sure else "", justify="right")
    for layer in sorted(layers, key=lambda name: -(layers[name].get(counted) or 0)):
        about = layers[layer]
        if classes := about.get("geogaze:classes"):
            for name, won in classes.items():
                highest = about.get(f"geogaze:classes_{said.name}", {}).get(name)
                table.add_row(f"top: {name}", _tiles(won), _figure(highest))
            continue
        won, highest = about[counted], about[highest_name]
        if several and won is None:  # of two classes, or against one: it is in no tile or another
            table.add_row(layer, "", _figure(highest))
            continue
        # A layer of a class that is best nowhere shows where it would be, not that it is there.
        table.add_row(layer, _tiles(won or 0), _figure(highest), style=None if won else "dim")
    return table


def _show_outcome(plan: Plan, assets: dict[str, Path], folder: Path) -> None:
    """A table of what was made: the model's own view of the scene, then the files."""
    from geogaze.models.targets import least
    from geogaze.products.product import CLASS
    from geogaze.products.table import all_products, product_named

    described = json.loads(assets["item"].read_text())["assets"]
    layers = {
        name.removeprefix("heat-"): about
        for name, about in described.items()
        if name.startswith("heat-")
    }
    if seen := _what_was_seen(layers):
        out.print(seen)
    files = Table(title=f"What lies in {folder}", title_justify="left", title_style="bold")
    files.add_column("file", style="cyan")
    files.add_column("what it is")
    # What to look at first comes first.
    for product in sorted(all_products(), key=lambda product: "thumbnail" not in product.roles):
        names = [name for name in assets if product_named(name)[0] is product]
        if not names:
            continue
        one = assets[names[0]].name
        file = f"{product.file.replace(CLASS, '<layer>')} ({len(names)})"
        files.add_row(file if len(names) > 1 else one, product.hint)
    out.print(files)
    drawn = sum(name.startswith("overlay-") for name in assets)
    if drawn < len(layers) and plan.overlays == "present":
        several = least(plan.bundle.rule) is not None
        what = "are of a class in a tile" if several else "win a tile"
        out.print(
            f"Overlays are of the {drawn} of {len(layers)} layers that {what}; "
            "--overlays all draws the others too."
        )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(run)
