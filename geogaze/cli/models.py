"""The commands ``models …``: what can be used, and bringing in weights of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from geogaze.cli import export
from geogaze.cli.options import JsonOption, OverwriteOption
from geogaze.cli.terminal import err, out, print_json
from geogaze.cli.train import (
    ArchOption,
    GsdTrainOption,
    InputSizeOption,
    MeanOption,
    StdOption,
    parse_triple,
)
from geogaze.config import get_settings
from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Bundle, Probabilities
from geogaze.models.registry import SHIPPED, find_bundle, list_bundles, torchvision_catalogue
from geogaze.wording import length

models = typer.Typer(invoke_without_command=True)


@models.callback()
def list_models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the models that --model takes.

    Examples:
        geogaze models

        geogaze models show aerial-scenes

        geogaze models import weights.pth --arch squeezenet1_0 --classes imagenet --out my-model
    """
    if context.invoked_subcommand:
        return
    bundles = list_bundles(get_settings().model_folders)
    catalogue = torchvision_catalogue()
    if as_json:
        print_json([*(_facts(b) for b in bundles), *(_facts(b) for b in catalogue.values())])
        return
    table = Table("model", "architecture", "classes", "input", "cell", "trained at")
    for bundle in bundles:
        table.add_row(
            f"[bold]{bundle.name}[/]",
            bundle.architecture,
            str(len(bundle.classes)),
            f"{bundle.input_size} px",
            f"{bundle.stride} px",
            length(bundle.gsd) if bundle.gsd else "–",
        )
    out.print(table)
    out.print(
        f"And torchvision's published ImageNet models by name ({len(catalogue)}): "
        f"{', '.join(catalogue)}.",
        highlight=False,
    )


@models.command()
def show(
    model: Annotated[str, typer.Argument(help="A model's name or a bundle's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show a model's facts and class names."""
    bundle = find_bundle(model, get_settings().model_folders, allow_path=True)
    if as_json:
        print_json(_facts(bundle))
        return
    table = Table(show_header=False, title=bundle.name)
    for name, value in _facts(bundle).items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(name, shown)
    out.print(table)


@models.command("import")
def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(help="A state dict: .pth, .pt or .safetensors.")],
    bundle_folder: Annotated[Path, typer.Option("--out", "-o", help="The bundle to write.")],
    arch: ArchOption,
    classes: Annotated[
        str, typer.Option(help="imagenet, or a text file with one class name per line.")
    ] = "imagenet",
    input_size: InputSizeOption = 224,
    gsd: GsdTrainOption = None,
    mean: MeanOption = "0.485,0.456,0.406",
    std: StdOption = "0.229,0.224,0.225",
    layer: Annotated[
        str | None, typer.Option(help="A module to explain at. Default: the last feature map.")
    ] = None,
    probabilities: Annotated[
        Probabilities,
        typer.Option(help="softmax: one class is right; sigmoid: each by itself; none: no such."),
    ] = "softmax",
    overwrite: OverwriteOption = False,
) -> None:
    """Turn a checkpoint into a bundle. Pickles are read without executing what they contain."""
    from geogaze.networks.architectures import build
    from geogaze.networks.bundling import check_target, read_checkpoint, write_bundle
    from geogaze.networks.loading import assign_state

    names = _class_names(classes)
    check_target(bundle_folder, names, overwrite=overwrite)
    model = build(arch, len(names))
    with err.status("reading and measuring"):
        assign_state(model, read_checkpoint(checkpoint), source=str(checkpoint))
        bundle = write_bundle(
            model,
            bundle_folder,
            architecture=arch,
            classes=names,
            input_size=input_size,
            mean=parse_triple("--mean", mean),
            std=parse_triple("--std", std),
            gsd=gsd,
            layer=layer,
            probabilities=probabilities,
            overwrite=overwrite,
        )
    out.print(
        f"[bold]{bundle.name}[/]: {bundle.architecture}, {len(names)} classes, "
        f"cells of {bundle.stride} px at {bundle.module}. Use it with --model {bundle_folder}"
    )


@models.command(hidden=True)
def catalogue(
    target: Annotated[Path, typer.Argument()] = SHIPPED / "torchvision.json",
) -> None:
    """Write the description of torchvision's published models (for developers)."""
    from geogaze.networks.catalogue import describe_torchvision

    target.write_text(json.dumps(describe_torchvision(), indent=1) + "\n")


def _class_names(source: str) -> tuple[str, ...]:
    if source == "imagenet":
        return next(iter(torchvision_catalogue().values())).classes
    try:
        lines = Path(source).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"--classes: {source} cannot be read: {error}") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) < 2 or len(set(names)) < len(names):
        raise InvalidRequest(f"--classes: {source} must name two or more classes, each once.")
    return names


def _facts(bundle: Bundle) -> dict[str, object]:
    return bundle.model_dump(mode="json", exclude_none=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    export.add_to(models)
    app.add_typer(models, name="models")
