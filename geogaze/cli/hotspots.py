"""The command ``hotspots``: a finished job's hotspots, at any threshold and in any format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from geogaze.cli.options import JsonOption, OverwriteOption
from geogaze.cli.terminal import err, out, print_json
from geogaze.errors import InvalidRequest
from geogaze.files import in_place_of
from geogaze.outputs import check_file
from geogaze.products.thresholds import threshold_of
from geogaze.wording import area

if TYPE_CHECKING:  # GDAL takes its time to load
    from geogaze.products.make.hotspots import Hotspots

FolderArgument = Annotated[Path, typer.Argument(help="The folder of a finished run.")]
ThresholdOption = Annotated[
    str, typer.Option(help="From which heat on a cell is hot: 0.5, otsu, or q0.99, a quantile.")
]


def hotspots(
    folder: FolderArgument,
    target: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    threshold: ThresholdOption = "0.5",
    classes: Annotated[
        str | None, typer.Option("--class", "--classes", help="Layers, with commas. Default: all.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--format", help="gpkg, parquet, geojson or fgb. Default: as FILE ends."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cut the heat of a finished run into polygons, at a threshold of your choice.

    Examples:
        geogaze hotspots heat --threshold q0.99 --out hottest.gpkg

        geogaze hotspots heat --threshold otsu --class airplane --out airplanes.geojson
    """
    level = threshold_of(threshold)
    check_file(target, overwrite=overwrite)
    from geogaze.products.make.finished import Finished
    from geogaze.products.make.hotspot_files import Names
    from geogaze.products.make.hotspots import HotspotFinder
    from geogaze.products.make.vectors import FORMATS

    word = (kind or target.suffix.removeprefix(".")).lower()
    if word not in FORMATS:
        raise InvalidRequest(
            f"{word!r} is no format of hotspots: name a file that ends in "
            f"{', '.join(f'.{known}' for known in FORMATS)}, or say --format."
        )
    results = Finished.of(folder)
    names = tuple(name.strip() for name in classes.split(",")) if classes else None
    layers = results.chosen(names)
    found = {name: [0, 0.0] for name in layers}

    def each() -> Iterator[Hotspots]:
        finder = HotspotFinder(results.crs_wkt, results.transform, level, lambda tiles: None)
        for number, name in enumerate(layers):
            tiles = results.tiles_over(name)
            for some in finder.of(number, results.heat(name), tiles.at):
                found[name][0] += len(some)
                found[name][1] += float(some.area.sum())
                yield some

    with err.status("looking for hotspots"), in_place_of(target) as draft:
        told = Names(layers, results.classes, results.sureness)
        FORMATS[word](each(), told, draft, results.crs_wkt, results.code)
    if as_json:
        counted = {name: {"hotspots": n, "area_m2": m2} for name, (n, m2) in found.items()}
        print_json({"file": str(target), "threshold": level, "classes": counted})
        return
    table = Table("class", "hotspots", "area")
    for name, (number, size) in found.items():
        table.add_row(name, f"{number:,}", area(size) if number else "")
    out.print(table)
    out.print(f"{target}: {sum(number for number, _ in found.values()):,} polygons.")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(hotspots)
