"""The command ``demo``: scenes that are drawn, of which all is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geogaze.cli.options import OverwriteOption
from geogaze.cli.terminal import err, out
from geogaze.errors import InvalidRequest
from geogaze.outputs import check_file


def demo(
    path: Annotated[Path, typer.Argument(help="The GeoTIFF to write.")] = Path("demo-scene.tif"),
    size: Annotated[int, typer.Option(min=64, max=8192, help="Pixels per side.")] = 2048,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same scene.")] = 7,
    plant: Annotated[
        str | None,
        typer.Option(
            help="Draw a patchwork of plots of 64 m instead, with a bias: KIND:STRENGTH, of water, "
            "concrete, cast, sharp, jpeg, season and weak, medium, strong, against (only "
            "counter-examples); or none."
        ),
    ] = None,
    chips: Annotated[
        Path | None,
        typer.Option(help="With --plant: also its plots as CLASS/NUMBER.png, to train by."),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw a scene to try geogaze on: an airport and a harbour, with true outlines beside it.

    Example:
        geogaze demo airport.tif && geogaze run airport.tif --out heat

        geogaze demo biased.tif --plant concrete:strong --seed 1 --chips chips
    """
    if chips and plant is None:
        raise InvalidRequest("--chips are of a patchwork: say --plant too.")
    for target in (path, path.with_suffix(".geojson")):
        check_file(target, overwrite=overwrite)
    if plant is None:
        from geogaze.demo.scene import write_demo_scene

        with err.status("drawing an airport and a harbour"):
            write_demo_scene(path, size, seed)
    else:
        from geogaze.demo.planted import PLOT, write_chips, write_patchwork
        from geogaze.demo.planting import parse_planting

        planting = parse_planting(plant)
        if size < PLOT:
            raise InvalidRequest(f"--size {size}: a plot has {PLOT} pixels, so give as many.")
        if chips and chips.exists() and (not chips.is_dir() or any(chips.iterdir())):
            raise InvalidRequest(f"--chips {chips} is not empty: name another folder.")
        with err.status("drawing a patchwork"):
            drawn = write_patchwork(path, size, seed, planting)
            if chips:
                write_chips(drawn, chips)
    out.print(f"Drew {path} and the outlines of its objects, {path.with_suffix('.geojson')}.")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(demo)
