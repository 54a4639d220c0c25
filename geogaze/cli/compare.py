"""The command ``compare``: two finished jobs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from geogaze.cli.options import JsonOption, OverwriteOption
from geogaze.cli.terminal import err, out, print_json, print_warnings
from geogaze.wording import area


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    second: Annotated[Path, typer.Argument(help="Folder of another, which is compared with it.")],
    out_folder: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is made.")],
    classes: Annotated[
        str | None, typer.Option(help="Layers that both have: airplane,runway. Default: all.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.01, max=1, help="Change of heat that counts as a change.")
    ] = 0.25,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two finished runs: two dates, two models or two methods.

    Makes difference-CLASS.tif (the second less the first), changes.gpkg and a page, which geogaze
    view shows. Two runs of one model need one scale: run the second with --scale-from.

    Examples:
        geogaze run june.tif --out june --scale-from may && geogaze compare may june --out change

        geogaze compare by-gradcam by-layercam --out methods --classes airplane
    """
    from geogaze.comparing.comparison import compare as compare_results

    wanted = [name.strip() for name in classes.split(",")] if classes else None
    with err.status("comparing"):
        done = compare_results(
            first, second, out_folder, level=threshold, classes=wanted, overwrite=overwrite
        )
    if as_json:
        assets = {name: str(path) for name, path in done.assets.items()}
        print_json({"status": "successful", **done.told, "assets": assets})
        return
    out.print(_table(done.told["classes"], first, second))
    print_warnings(done.told["notes"])
    out.print(
        f"[bold]{out_folder / 'changes.gpkg'}[/] has the places, "
        f"{out_folder / 'difference-<class>.tif'} each cell. "
        f"Look at it: [bold]geogaze view {out_folder}[/]"
    )


def _table(figures: dict[str, Any], first: Path, second: Path) -> Table:
    table = Table(title=f"{second} compared with {first}", title_justify="left", title_style="bold")
    table.add_column("layer", style="bold")
    for name in ("correlation", "mean difference", "appeared", "vanished"):
        table.add_column(name, justify="right")
    for name, told in figures.items():
        correlation = told["correlation"]
        table.add_row(
            name,
            "" if correlation is None else f"{correlation:.3f}",
            f"{told['mean_difference']:+.4f}",
            *(
                places(told["changes"][change], told[f"{change}_area_m2"])
                for change in ("appeared", "vanished")
            ),
        )
    return table


def places(count: int, square_metres: float) -> str:
    """How many, and how large they are together."""
    if not count:
        return "none"
    return f"{count:,} {'place' if count == 1 else 'places'}\n{area(square_metres)}"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(compare)
