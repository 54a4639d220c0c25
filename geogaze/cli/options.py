"""Options that several commands have, and the request that their words make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from geogaze.errors import InvalidRequest
from geogaze.models.methods import MethodName
from geogaze.processes.explain.request import Colormap, ExplainRequest, OnError

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
ApiOption = Annotated[
    str, typer.Option("--api", envvar="GEOGAZE_API_URL", help="Address of the API.")
]
DEFAULT_API = "http://localhost:8080"
JsonOption = Annotated[bool, typer.Option("--json", help="End with one line of JSON.")]


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


def on_a_server(scene: str) -> str:
    """A scene as a server is told of it, which has another working directory."""
    return str(Path(scene).resolve()) if Path(scene).is_file() else scene
