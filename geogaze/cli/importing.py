"""The command ``models import``: weights of one's own, run once before they are let in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geogaze.cli.describing import (
    BandsOption,
    GsdTrainOption,
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
    from torch import nn

    from geogaze.evidence.findings import Admitted
    from geogaze.networks.words import Texts


def import_checkpoint(
    checkpoint: Annotated[
        Path, typer.Argument(help="A checkpoint: .pth, .pt or .safetensors. Or a program: .pt2.")
    ],
    bundle_folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="The bundle to write. Default: FILE's name.")
    ] = None,
    *,
    arch: Annotated[
        str | None,
        typer.Option(
            help="A torchvision architecture, timm:NAME, an entry point's name. None for a .pt2."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="imagenet, or a text file with one class name per line. Default: imagenet, or "
            "the texts' own names."
        ),
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(
            min=32, help="Pixels per side of a model input. Default: a .pt2's own, or 224."
        ),
    ] = None,
    gsd: GsdTrainOption = None,
    bands: BandsOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    rescale: RescaleOption = None,
    layer: Annotated[
        str | None, typer.Option(help="A module to explain at. Default: the last feature map.")
    ] = None,
    task: TaskOption = None,
    text_embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Embeddings of texts, the classes of an image network such as CLIP's: .npy with "
            "--classes, or .safetensors of a vector for each text by its name."
        ),
    ] = None,
    logit_scale: Annotated[
        float | None,
        typer.Option(min=0.001, help="What cosines are multiplied by, with texts. Default: 100."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a checkpoint into a bundle. Pickles are read without executing what they contain.

    The network is run on two images first: what would be explained wrongly is refused.

    Examples:
        geogaze models import weights.pth --arch resnet50 --classes names.txt --out land-use

        geogaze models import exported.pt2 --classes names.txt --out land-use

        geogaze models import s2.ckpt --arch my-net --classes names.txt --bands B04,B03,B02,B08
        --mean 0.1,0.1,0.1,0.2 --std 0.1,0.1,0.1,0.1 --rescale 0,10000 --task sigmoid --out crops
    """
    from geogaze.evidence.admission import admit, check_stored
    from geogaze.evidence.findings import Said
    from geogaze.networks.bundling import check_target, write_bundle

    if logit_scale is not None and text_embeddings is None:
        raise InvalidRequest("--logit-scale is of texts, and there are no --text-embeddings.")
    texts = _texts(text_embeddings) if text_embeddings else None
    names = _class_names(classes, texts)
    taken = described_input(bands, mean, std, rescale)
    folder = bundle_folder or Path(checkpoint.stem)
    check_target(folder, names, overwrite=overwrite)
    with err.status("reading, running and measuring"):
        if arch is None:
            model, arch, size = _program(checkpoint, len(taken.bands), input_size)
        else:
            outputs, size = texts.features if texts else len(names), input_size or 224
            model = _weighted(checkpoint, arch, outputs, len(taken.bands))
        if texts:
            model = texts.behind(model, 100.0 if logit_scale is None else logit_scale)
        found = admit(model, Said(names, taken.bands, size, layer, task))
        bundle = write_bundle(
            model,
            folder,
            architecture=arch,
            classes=names,
            input_size=size,
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
            features=texts.features if texts else None,
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


def _weighted(checkpoint: Path, arch: str, classes: int, bands: int) -> nn.Module:
    """A known network with a checkpoint's weights."""
    from geogaze.networks.architectures import build
    from geogaze.networks.checkpoints import fitted, read_checkpoint
    from geogaze.networks.loading import assign_state

    model = build(arch, classes, bands)
    state = fitted(read_checkpoint(checkpoint), model.state_dict())
    assign_state(model, state, source=str(checkpoint))
    return model


def _program(path: Path, bands: int, size: int | None) -> tuple[nn.Module, str, int]:
    """A network that a file holds itself, what its bundle is to say of it, and its images' side.

    Raises:
        InvalidRequest: the file is no program, or one for other images.
    """
    from geogaze.networks.programs.archive import SUFFIX, read_program
    from geogaze.networks.programs.program import ARCHITECTURE, Program

    if path.suffix != SUFFIX:
        raise InvalidRequest(
            f"Say --arch, the network that {path} holds weights of; programs of torch.export "
            f"({SUFFIX}) need none."
        )
    found = read_program(path)
    taken, rows, cols = found.steps.images
    if taken not in {None, bands}:
        raise InvalidRequest(
            f"{path} takes images of {taken} band(s), not {bands}: give --bands, --mean and --std "
            f"with {taken} value(s) each."
        )
    if rows != cols:
        raise InvalidRequest(
            f"{path} takes images of {rows} × {cols} pixels: export it for square ones."
        )
    if size and rows not in {None, size}:
        raise InvalidRequest(f"{path} takes images of {rows} pixels: leave out --input-size.")
    return Program(found.steps, found.state), ARCHITECTURE, rows or size or 224


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


def _texts(path: Path) -> Texts:
    from geogaze.networks.words import read_texts

    return read_texts(path)


def _class_names(source: str | None, texts: Texts | None) -> tuple[str, ...]:
    """Names of the classes, as many as texts where those are the classes.

    Raises:
        InvalidRequest: they cannot be read, repeat, are not as many, or the texts have names.
    """
    if texts and texts.names:
        if source is not None:
            raise InvalidRequest("--text-embeddings has names of its own: leave out --classes.")
        return texts.names
    names = _listed(source or "imagenet")
    if texts and len(names) != len(texts.embeddings):
        raise InvalidRequest(
            f"--text-embeddings has {len(texts.embeddings)} texts, but --classes {len(names)} "
            "names: give a file with one name for each, in their order."
        )
    return names


def _listed(source: str) -> tuple[str, ...]:
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
