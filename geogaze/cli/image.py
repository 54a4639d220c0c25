"""The command ``image``: one photograph or chip, or a folder of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from geogaze.cli.describing import RescaleOption, numbers_of, ranges_of
from geogaze.cli.options import JsonOption, ModelOption, OverwriteOption
from geogaze.cli.terminal import err, out, print_json, print_warnings
from geogaze.config import Settings, get_settings
from geogaze.errors import InvalidRequest, SceneUnreadable, UnknownClass
from geogaze.files import file_stem
from geogaze.logs import configure_logging
from geogaze.models.methods import METHODS
from geogaze.models.registry import DEFAULT_MODEL, find_model
from geogaze.models.sureness import sureness
from geogaze.outputs import check_file

if TYPE_CHECKING:  # they take their time to load
    import numpy as np
    from numpy.typing import NDArray

    from geogaze.models.bundles import Bundle
    from geogaze.runner.photo import PhotoExplanation
    from geogaze.scene.chips import Chip

    Mask = NDArray[np.bool_]

Shown = Literal["image", "textbook"]

_FEW_TILES = 4  # a georeferenced picture of more is a scene


def image(
    photo: Annotated[
        Path,
        typer.Argument(help="A PNG, JPEG or TIFF, or a folder of them; no georeference is needed."),
    ],
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class",
            help="Whose evidence: ship, 'ship vs harbor', or several: ship,harbor. Default: the "
            "best.",
        ),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    method: Annotated[
        str, typer.Option(help="How, or several ways: gradcam,layercam. See 'geogaze methods'.")
    ] = "gradcam",
    normalize: Annotated[
        Shown, typer.Option(help="image: heat in its true place; textbook: as textbooks draw it.")
    ] = "image",
    bands: Annotated[
        str | None, typer.Option(help="The picture's bands for the model's, from 1, such as 4,3,2.")
    ] = None,
    rescale: RescaleOption = None,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="AREA",
            help="Of models that label pixels: explain the labels in this area, as WKT or a file; "
            "of a picture without a place on Earth in columns and rows.",
        ),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The PNG, by default named after the photo; of a folder, a folder."
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Explain one photograph, or a folder of them: what is it, and where does the network look?

    Several classes or methods come side by side on one labelled sheet; a folder gets a page to look
    through and a table.

    Examples:
        geogaze image chip.png

        geogaze image dog-and-cat.png --model vgg16 --class tabby

        geogaze image chip.png --method gradcam,layercam,saliency --class airplane,runway

        geogaze image chips/ --out looked

        geogaze image dog-and-cat.png --model vgg16 --normalize textbook

        geogaze image s2-chip.tif --model crops --rescale 0,10000

        geogaze image town.tif --model land-cover --class building --within house.geojson
    """
    from geogaze.scene.chips import Wanted, read_chip

    settings = get_settings()
    configure_logging("error", settings.log_format)
    bundle = find_model(model, settings, allow_path=True)
    asked = _asked(bundle, class_name, method)
    wanted = Wanted(
        bundle.bands,
        ranges_of(rescale, len(bundle.bands)) or bundle.rescale,
        numbers_of(bands) if bands else None,
    )
    _check_area(within, bundle, photo)
    if photo.is_dir():
        from geogaze.cli.folder import explain_folder

        explain_folder(
            photo,
            (bundle, asked[1], asked[0], normalize == "textbook"),
            wanted,
            overlay,
            overwrite=overwrite,
            as_json=as_json,
        )
        return
    if overlay:
        check_file(overlay, overwrite=overwrite)
    advice = _scene_advice(photo, bundle.input_size, settings)
    try:
        chip = read_chip(photo, wanted, settings)
    except SceneUnreadable as error:
        raise SceneUnreadable(f"{error}. {advice}" if advice else str(error)) from error
    inside = _area(within, photo, chip, settings)
    # Only now: what was wrong in the words or the picture is told before the network has loaded.
    from geogaze.runner.pictures import Looking

    layers, methods = asked
    looking = Looking(bundle, methods, layers, normalize == "textbook")
    found = looking.explain(chip, settings, inside)
    first = found[0][0]
    word = file_stem(first.shown) if looking.one else "sheet"
    target = overlay or Path(f"{photo.stem}-{word}.png")
    check_file(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    looking.picture(photo.name, chip, found).save(target, format="PNG")
    if as_json:
        said = sureness(bundle.rule).name
        print_json(
            {
                "model": bundle.name,
                "top_class": first.ranking[0][0],
                f"top_{said}": _rounded(first.ranking[0][1]),
                **_told(found, methods, target, said, one=looking.one),
                "ranking": [[name, _rounded(p)] for name, p in first.ranking[:5]],
                "warnings": [advice] if advice else [],
            }
        )
        return
    _show(bundle, photo, found, methods, target)
    if advice:
        print_warnings([advice])


def _asked(
    bundle: Bundle, class_name: str | None, method: str
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Classes (None for the best) and methods that were named.

    Raises:
        UnknownClass: the model has no such class.
        InvalidRequest: there is no such method.
    """
    from geogaze.models.targets import parse_target

    methods = tuple(dict.fromkeys(word.strip() for word in method.split(",")))
    for word in methods:
        if word not in METHODS:
            raise InvalidRequest(f"No method {word!r}. There are: {', '.join(METHODS)}.")
    if class_name is None:
        return None, methods
    try:
        parse_target(class_name, bundle)  # a name may have a comma in it
    except UnknownClass:
        if "," not in class_name:
            raise
        words = tuple(word.strip() for word in class_name.split(",") if word.strip())
        for word in words:
            parse_target(word, bundle)
        return tuple(dict.fromkeys(words)), methods
    return (class_name,), methods


def _check_area(within: str | None, bundle: Bundle, photo: Path) -> None:
    """Refuse an area where it would mean nothing.

    Raises:
        InvalidRequest: the model gives scores of whole pictures, or there are several.
    """
    if within is None:
        return
    if not bundle.labels_pixels:
        raise InvalidRequest(
            f"{bundle.name} gives scores of a whole picture, not of its pixels: leave --within "
            "out, or choose a model that labels pixels."
        )
    if photo.is_dir():
        raise InvalidRequest(f"--within is an area of one picture, and {photo} is a folder.")


def _area(within: str | None, photo: Path, chip: Chip, settings: Settings) -> Mask | None:
    """The pixels that ``--within`` means."""
    if within is None:
        return None
    from geogaze.scene.areas import read_area
    from geogaze.scene.chip_area import chip_area

    rows, cols = chip.values.shape[1:]
    return chip_area(read_area(within), photo, (rows, cols), settings)


def _told(
    found: list[list[PhotoExplanation]],
    methods: tuple[str, ...],
    target: Path,
    said: str,
    *,
    one: bool,
) -> dict[str, Any]:
    """What was explained, as JSON: one map by itself, several as a list; figures are ``said``."""
    told = [
        {
            "method": method,
            "class": each.shown,
            said: _rounded(each.probability),
            "nowhere": each.nowhere,
        }
        for method, of_method in zip(methods, found, strict=True)
        for each in of_method
    ]
    if one:
        return {**told[0], "overlay": str(target)}
    return {"explanations": told, "sheet": str(target)}


def _show(
    bundle: Bundle,
    photo: Path,
    found: list[list[PhotoExplanation]],
    methods: tuple[str, ...],
    target: Path,
) -> None:
    """A table of the best classes and of those that were asked for, and where the picture is."""
    first = found[0][0]
    columns = ("score",) if bundle.rule == "none" else ("class", sureness(bundle.rule).words)
    table = Table(*columns, title=f"What {bundle.name} sees in {photo.name}")
    shown = first.ranking[:5]
    asked = {each.shown: each.probability for each in found[0]}
    shown += [(name, figure) for name, figure in asked.items() if name not in dict(shown)]
    for name, probability in shown:
        figures = () if math.isnan(probability) else (f"{probability:.3f}",)
        table.add_row(name, *figures, style="bold" if name in asked else "")
    out.print(table)
    titles = ", ".join(METHODS[method].title for method in methods)
    out.print(f"Where it looks for [bold]{', '.join(asked)}[/], by {titles}: {target}")
    for name, each in zip(asked, found[0], strict=True):
        if each.nowhere is not None:
            whose = "its score" if len(asked) == 1 else f"the score of {name}"
            out.print(
                f"Beside the map, tokens on no place give {each.nowhere:+.2f} to {whose}.",
                style="dim",
            )
    for method in methods:
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
