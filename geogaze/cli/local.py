"""Commands that work on this machine alone: ``run`` and ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from geogaze.bundles import DEFAULT_MODEL
from geogaze.cli.interrupts import first_word
from geogaze.cli.terminal import err, out, print_json, progress_bar
from geogaze.config import Settings, get_settings
from geogaze.errors import InvalidRequest
from geogaze.logs import configure_logging
from geogaze.methods import MethodName
from geogaze.outputs import check_file
from geogaze.planning.request import Colormap, ExplainRequest, OnError
from geogaze.planning.wording import length

if TYPE_CHECKING:  # GDAL and torch take their time to load
    from geogaze.ledger.records import JobStatus
    from geogaze.planning.plan import Plan
    from geogaze.runner.embedded import RunReport

ModelOption = Annotated[
    str, typer.Option("--model", help="A bundle's name or folder, or a torchvision architecture.")
]
ClassesOption = Annotated[
    str,
    typer.Option(
        help="all, top (each tile's best class), or names: airplane,runway,airplane vs runway"
    ),
]
OverlapOption = Annotated[float, typer.Option(help="Overlap of neighbouring tiles, 0 to 0.9.")]
GsdOption = Annotated[
    float | None, typer.Option(help="Working resolution, metres per pixel. Default: the scene's.")
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Allow a --gsd finer than a quarter of the scene's pixels.")
]
AoiOption = Annotated[
    str | None,
    typer.Option(
        help="Only inside these polygons: GeoJSON, GeoPackage, shapefile, WKT or its file."
    ),
]
SquareOption = Annotated[
    bool, typer.Option("--square", help="Resample pixels that are no squares on the ground.")
]
NormalizeOption = Annotated[
    Literal["job", "tile", "none"],
    typer.Option(help="job: tiles compare; tile: each tile to 0..1; none: raw signed evidence."),
]
MethodOption = Annotated[
    MethodName, typer.Option(help="How a score is attributed to places; see 'geogaze methods'.")
]
ContextOption = Annotated[
    Literal["tile", "scene"],
    typer.Option(help="tile: each tile by itself; scene: tiles share one run of the trunk."),
]
BandsOption = Annotated[
    str | None, typer.Option(help="Scene bands for the model's, from 1, such as 4,3,2.")
]
RescaleOption = Annotated[
    list[str] | None,
    typer.Option(help="Values that become 0 and 1, LO,HI; repeat it for one range per band."),
]
OverlaysOption = Annotated[
    bool, typer.Option("--overlays/--no-overlays", help="Draw overlay-CLASS.tif too.")
]
ColormapOption = Annotated[Colormap, typer.Option(help="Colours of overlays.")]
OnErrorOption = Annotated[
    OnError, typer.Option(help="A tile that cannot be explained fails the job, or stays empty.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier command of this kind left.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="End with one line of JSON.")]

_STOPPING = (
    "Stopping after the batch in hand. What is explained is kept, and the same command goes on "
    "from there. Ctrl-C again leaves at once."
)


def build_request(
    *, classes: str, bands: str | None, rescale: list[str] | None, aoi: str | None, **inputs: Any
) -> ExplainRequest:
    """A request from command-line words; ``inputs`` are the request's own fields.

    Raises:
        InvalidRequest: a word does not parse.
    """
    return ExplainRequest.parse(
        {
            **inputs,
            "classes": classes if classes in {"all", "top"} else _words(classes),
            "bands": _numbers("--bands", bands, int) if bands else None,
            "rescale": [_numbers("--rescale", r, float) for r in rescale] if rescale else None,
            **({"aoi": _read_aoi(aoi)} if aoi else {}),
        }
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(option: str, text: str, kind: type[int | float]) -> list[float]:
    try:
        return [kind(word) for word in text.split(",")]
    except ValueError as error:
        raise InvalidRequest(f"{option} takes numbers and commas, not {text!r}.") from error


def _read_aoi(source: str) -> Any:
    from geogaze.scene.areas import read_area

    return read_area(source)


def run(
    scene: Annotated[str, typer.Argument(help="A georeferenced GeoTIFF.")],
    out_folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for the products.")],
    model: ModelOption = DEFAULT_MODEL,
    classes: ClassesOption = "all",
    overlap: OverlapOption = 0.5,
    gsd: GsdOption = None,
    square: SquareOption = False,
    force: ForceOption = False,
    normalize: NormalizeOption = "job",
    bands: BandsOption = None,
    rescale: RescaleOption = None,
    aoi: AoiOption = None,
    overlays: OverlaysOption = True,
    method: MethodOption = "gradcam",
    context: ContextOption = "tile",
    colormap: ColormapOption = "turbo",
    on_error: OnErrorOption = "fail",
    overwrite: OverwriteOption = False,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N. Default: GEOGAZE_DEVICE.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Tiles in one forward. Default: what memory holds.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a scene on this machine.

    Examples:
        geogaze run port.tif --out heat --classes harbor,beach

        geogaze run city.tif --out heat --model vgg16 --classes top --gsd 0.5

        geogaze run port.tif --out why --classes "ship vs harbor,not ship" --context scene

        geogaze run s2.tif --out heat --bands 4,3,2 --rescale 0,3000 --aoi district.geojson
    """
    chosen = {"device": device, "batch_size": batch}
    settings = get_settings().model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    configure_logging("error", settings.log_format)
    request = build_request(
        scene=scene,
        model=model,
        classes=classes,
        overlap=overlap,
        gsd=gsd,
        square=square,
        force=force,
        normalize=normalize,
        bands=bands,
        rescale=rescale,
        aoi=aoi,
        overlays=overlays,
        colormap=colormap,
        method=method,
        context=context,
        on_error=on_error,
    )
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
            }
        )
        return
    _show_outcome(report.assets, out_folder)
    plan = report.plan
    out.print(
        f"{report.tiles - report.reused:,} tiles in {report.seconds:,.1f} s "
        f"({report.tiles_per_second:,.1f} tiles/s). One heat cell is "
        f"{length(plan.cell_metres)}. {_looked_at(plan)}"
    )
    for warning in plan.warnings:
        out.print(f"[yellow]Careful:[/] {escape(warning)}")
    for reason in report.skipped:
        out.print(f"{reason['tiles']:,} tiles were skipped: {reason['reason']}.")
    out.print(
        f"Look at [bold]{out_folder / 'preview.png'}[/] first, then open the layers in a GIS."
    )


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
    return (
        f"Bands {', '.join(map(str, scene.bands))} were taken for {names} ({chosen}), and values "
        f"from {ranges} ({how})."
    )


def _run(
    request: ExplainRequest, folder: Path, settings: Settings, *, overwrite: bool, quiet: bool
) -> RunReport:
    from geogaze.runner.embedded import run as run_embedded

    with progress_bar("tiles", quiet=quiet) as bar:
        task = bar.add_task("reading the scene", total=None)

        def show(status: JobStatus, tiles: int) -> None:
            done = status.tiles_done + tiles
            share = done / status.tiles
            description = status.headline if share >= 1 else "explaining"
            bar.update(task, description=description, total=status.tiles, completed=done)

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
            on_progress=show,
            on_resumed=resumed,
        )


def _tiles(count: int) -> str:
    return f"{count:,} tile{'s' * (count != 1)}" if count else "no tile"


def _show_outcome(assets: dict[str, Path], folder: Path) -> None:
    """A table of what was made: the model's own view of the scene, then the files."""
    import geopandas

    tiles = geopandas.read_parquet(assets["tiles"])
    wins = tiles["top_class"].value_counts()
    layers = [name.removeprefix("heat-") for name in assets if name.startswith("heat-")]
    table = Table(title="What the model saw", title_justify="left", title_style="bold")
    table.add_column("layer", style="bold")
    table.add_column("best class of", justify="right")
    table.add_column("highest probability", justify="right")
    for layer in sorted(layers, key=lambda name: -wins.get(name, 0)):
        column = tiles.get(f"p_{layer}", tiles["top_probability"])
        if layer == "top":
            for name, won in wins.items():
                highest = column[tiles["top_class"] == name].max()
                table.add_row(f"top: {name}", _tiles(won), f"{highest:.2f}")
            continue
        won = wins.get(layer, 0)
        # A layer of a class that is best nowhere shows where it would be, not that it is there.
        table.add_row(layer, _tiles(won), f"{column.max():.2f}", style=None if won else "dim")
    out.print(table)
    files = Table(title=f"What lies in {folder}", title_justify="left", title_style="bold")
    files.add_column("file", style="cyan")
    files.add_column("what it is")
    described = (
        ("preview", "contact sheet: look at this first"),
        ("heat", "heat of each layer, georeferenced: for measuring, in any GIS"),
        ("overlay", "heat in colour over the scene: for eyes"),
        ("classes", "best class of each cell, in colours"),
        ("tiles", "what the model says of each tile (GeoParquet)"),
        ("item", "STAC Item that describes them"),
    )
    for kind, meaning in described:
        made = [name for name in assets if name.partition("-")[0] == kind]
        if made:
            many = len(made) > 1
            name = f"{kind}-<layer>.tif ({len(made)})" if many else assets[made[0]].name
            files.add_row(name, meaning)
    out.print(files)


def demo(
    path: Annotated[Path, typer.Argument(help="The GeoTIFF to write.")] = Path("demo-scene.tif"),
    size: Annotated[int, typer.Option(min=64, max=8192, help="Pixels per side.")] = 2048,
    seed: Annotated[int, typer.Option(help="Same seed, same scene.")] = 7,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw a scene to try geogaze on: an airport and a harbour, with true outlines beside it.

    Example:
        geogaze demo airport.tif && geogaze run airport.tif --out heat
    """
    from geogaze.demo.scene import write_demo_scene

    for target in (path, path.with_suffix(".geojson")):
        check_file(target, overwrite=overwrite)
    with err.status("drawing an airport and a harbour"):
        write_demo_scene(path, size, seed)
    out.print(f"Drew {path} and the outlines of its objects, {path.with_suffix('.geojson')}.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(run)
    app.command()(demo)
