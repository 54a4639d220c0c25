"""The command ``models import``: weights of one's own, run once before they are let in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geogaze.cli.describing import (
    ArchOption,
    BandsOption,
    GsdTrainOption,
    InputSizeOption,
    MeanOption,
    RescaleOption,
    StdOption,
    TaskOption,
    described_input,
)
from geogaze.cli.options import JsonOption, OverwriteOption
from geogaze.cli.terminal import err, out, print_json
from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Bundle
from geogaze.models.registry import torchvision_catalogue

if TYPE_CHECKING:  # torch takes its time to load
    from geogaze.evidence.findings import Admitted


def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint: .pth, .pt or .safetensors.")],
    bundle_folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="The bundle to write. Default: FILE's name.")
    ] = None,
    *,
    arch: ArchOption,
    classes: Annotated[
        str, typer.Option(help="imagenet, or a text file with one class name per line.")
    ] = "imagenet",
    input_size: InputSizeOption = 224,
    gsd: GsdTrainOption = None,
    bands: BandsOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    rescale: RescaleOption = None,
    layer: Annotated[
        str | None, typer.Option(help="A module to explain at. Default: the last feature map.")
    ] = None,
    task: TaskOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a checkpoint into a bundle. Pickles are read without executing what they contain.

    The network is run on two images first: what would be explained wrongly is refused.

    Examples:
        geogaze models import weights.pth --arch resnet50 --classes names.txt --out land-use

        geogaze models import s2.ckpt --arch my-net --classes names.txt --bands B04,B03,B02,B08
        --mean 0.1,0.1,0.1,0.2 --std 0.1,0.1,0.1,0.1 --rescale 0,10000 --task sigmoid --out crops
    """
    from geogaze.evidence.admission import admit, check_stored
    from geogaze.evidence.findings import Said
    from geogaze.networks.architectures import build
    from geogaze.networks.bundling import check_target, write_bundle
    from geogaze.networks.checkpoints import fitted, read_checkpoint
    from geogaze.networks.loading import assign_state

    names = _class_names(classes)
    taken = described_input(bands, mean, std, rescale)
    folder = bundle_folder or Path(checkpoint.stem)
    check_target(folder, names, overwrite=overwrite)
    model = build(arch, len(names), len(taken.bands))
    with err.status("reading, running and measuring"):
        state = fitted(read_checkpoint(checkpoint), model.state_dict())
        assign_state(model, state, source=str(checkpoint))
        found = admit(model, Said(names, taken.bands, input_size, layer, task))
        bundle = write_bundle(
            model,
            folder,
            architecture=arch,
            classes=names,
            input_size=input_size,
            bands=taken.bands,
            mean=taken.mean,
            std=taken.std,
            rescale=taken.rescale,
            gsd=gsd,
            layer=layer,
            registration=found.registration,
            probabilities=found.task,
            stripped=found.stripped,
            half=found.half,
            labels_pixels=found.labels_pixels,
            check=partial(check_stored, found=found),
            overwrite=overwrite,
        )
    if as_json:
        print_json(_report(bundle, found))
        return
    out.print(f"[bold]{bundle.name}[/]: {found.told()}", highlight=False, soft_wrap=True)
    out.print(
        f"{bundle.architecture}, {len(names)} class{'es' * (len(names) != 1)}. Use it with --model "
        f"{folder}",
        highlight=False,
        soft_wrap=True,
    )


def _report(bundle: Bundle, found: Admitted) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "bands": list(bundle.bands),
        "classes": list(bundle.classes),
        "task": bundle.probabilities,
        **({"labels": "pixels"} if bundle.labels_pixels else {}),
        "path": found.route,
        "stride": bundle.stride,
        "first_center": bundle.first_center,
        "cells": bundle.cells,
        "layer": bundle.module,
        "checks": dict.fromkeys(found.checks, True),
    }


def _class_names(source: str) -> tuple[str, ...]:
    if source == "imagenet":
        return next(iter(torchvision_catalogue().values())).classes
    try:
        lines = Path(source).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"--classes: {source} cannot be read: {error}") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names or len(set(names)) < len(names):
        raise InvalidRequest(f"--classes: {source} must name one class or more, each once.")
    return names


def add_to(group: typer.Typer) -> None:
    """Register the command among those of models."""
    group.command("import")(import_checkpoint)
