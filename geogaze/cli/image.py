"""The command ``image``: one photograph or chip."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from geogaze.cli.describing import RescaleOption, numbers_of, ranges_of
from geogaze.cli.options import JsonOption, MethodOption, ModelOption, OverwriteOption
from geogaze.cli.terminal import err, out, print_json, print_warnings
from geogaze.config import Settings, get_settings
from geogaze.errors import SceneUnreadable
from geogaze.files import file_stem
from geogaze.models.methods import METHODS
from geogaze.models.registry import DEFAULT_MODEL, find_bundle
from geogaze.outputs import check_file

_FEW_TILES = 4  # a georeferenced picture of more is a scene


def image(
    photo: Annotated[Path, typer.Argument(help="A PNG, JPEG or TIFF; it needs no georeference.")],
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class", help="Whose evidence: ship, 'ship vs harbor', 'not ship'. Default: the best."
        ),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    method: MethodOption = "gradcam",
    bands: Annotated[
        str | None, typer.Option(help="The picture's bands for the model's, from 1, such as 4,3,2.")
    ] = None,
    rescale: RescaleOption = None,
    overlay: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The overlay PNG. Default: beside the photo's name."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Explain one photograph: what is it, and where does the network look?

    Examples:
        geogaze image chip.png

        geogaze image dog-and-cat.png --model vgg16 --class tabby

        geogaze image chip.png --method integrated-gradients

        geogaze image s2-chip.tif --model crops --rescale 0,10000
    """
    from PIL import Image

    from geogaze.models.targets import parse_target
    from geogaze.scene.chips import Wanted, read_chip

    settings = get_settings()
    bundle = find_bundle(model, settings.model_folders, allow_path=True)
    if class_name:
        parse_target(class_name, bundle)
    if overlay:
        check_file(overlay, overwrite=overwrite)
    advice = _scene_advice(photo, bundle.input_size, settings)
    wanted = Wanted(
        bundle.bands,
        ranges_of(rescale, len(bundle.bands)) or bundle.rescale,
        numbers_of(bands) if bands else None,
    )
    try:
        chip = read_chip(photo, wanted, settings)
    except SceneUnreadable as error:
        raise SceneUnreadable(f"{error}. {advice}" if advice else str(error)) from error
    # Only now: what was wrong in the words or the picture is told before the network has loaded.
    from geogaze.evidence.engines import load_engine
    from geogaze.runner.photo import explain_photo

    engine = load_engine(bundle, settings, method)
    explanation = explain_photo(engine, chip, class_name, method)
    target = overlay or Path(f"{photo.stem}-{file_stem(explanation.shown)}.png")
    check_file(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(explanation.overlay).save(target, format="PNG")
    if as_json:
        print_json(
            {
                "model": bundle.name,
                "method": method,
                "top_class": explanation.ranking[0][0],
                "top_probability": _rounded(explanation.ranking[0][1]),
                "class": explanation.shown,
                "probability": _rounded(explanation.probability),
                "nowhere": explanation.nowhere,
                "overlay": str(target),
                "ranking": [[name, _rounded(p)] for name, p in explanation.ranking[:5]],
                "warnings": [advice] if advice else [],
            }
        )
        return
    said = "share of pixels" if bundle.rule == "shares" else "probability"
    columns = ("score",) if bundle.rule == "none" else ("class", said)
    table = Table(*columns, title=f"What {bundle.name} sees in {photo.name}")
    shown = explanation.ranking[:5]
    if explanation.shown not in dict(shown):
        shown.append((explanation.shown, explanation.probability))
    for name, probability in shown:
        figures = () if math.isnan(probability) else (f"{probability:.3f}",)
        table.add_row(name, *figures, style="bold" if name == explanation.shown else "")
    out.print(table)
    out.print(
        f"Where it looks for [bold]{explanation.shown}[/], by {METHODS[method].title}: {target}"
    )
    if explanation.nowhere is not None:
        out.print(
            f"Beside the map, tokens on no place give {explanation.nowhere:+.2f} to its score.",
            style="dim",
        )
    if advice:
        print_warnings([advice])
    if note := METHODS[method].note:
        err.print(note, style="dim")


def _rounded(probability: float) -> float | None:
    """For JSON, which has no NaN: None where the model gives no probabilities."""
    return None if math.isnan(probability) else round(probability, 6)


def _scene_advice(photo: Path, size: int, settings: Settings) -> str | None:
    """What to say where a picture is really a scene; None where it is not."""
    from geogaze.scene.gdal import georeferenced_shape

    rows, cols = georeferenced_shape(photo, settings) or (0, 0)
    if rows * cols <= _FEW_TILES * size**2:
        return None
    return (
        f"{photo.name} is a georeferenced scene of {cols:,} × {rows:,} pixels, and the model looks "
        f"at {size} × {size} at a time: here it sees all of the scene at once, shrunk to that. "
        f"Explain it tile by tile: geogaze run {photo} --out heat"
    )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(image)
