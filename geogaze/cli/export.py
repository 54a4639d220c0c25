"""The command ``models export``: a model as a graph for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geogaze.cli.options import OverwriteOption
from geogaze.cli.terminal import err, out
from geogaze.config import get_settings
from geogaze.models.registry import find_model
from geogaze.outputs import check_file


def export(
    model: Annotated[str, typer.Argument(help="A model's name or a bundle's folder.")],
    onnx: Annotated[Path, typer.Option("--onnx", help="The ONNX file to write.")],
    overwrite: OverwriteOption = False,
) -> None:
    """Write a model as an ONNX graph that gives evidence beside the logits, weights included.

    Any runtime then gives heat with ordinary inference. Input: image (N, bands, T, T), normalised;
    outputs: logits (N, classes) and evidence (N, classes, g, g), one grid for each class.

    Example:
        geogaze models export aerial-scenes --onnx aerial-scenes.onnx
    """
    bundle = find_model(model, get_settings(), allow_path=True)
    check_file(onnx, overwrite=overwrite)
    with err.status("tracing"):
        from geogaze.networks.cuts import cut_at
        from geogaze.networks.export import write_whole_graph
        from geogaze.networks.loading import load_model

        network = load_model(bundle)
        cut = cut_at(network, bundle.module)
        onnx.parent.mkdir(parents=True, exist_ok=True)
        write_whole_graph(network, cut, onnx, len(bundle.bands), bundle.input_size)
    mean, std = (", ".join(f"{part:g}" for part in values) for values in (bundle.mean, bundle.std))
    out.print(
        f"{onnx}: images of {bundle.input_size} × {bundle.input_size} pixels ("
        f"{', '.join(bundle.bands)}; mean {mean}; standard deviation {std}) to logits and evidence "
        f"of {len(bundle.classes)} classes.",
        highlight=False,
    )


def add_to(group: typer.Typer) -> None:
    """Register the command among those of models."""
    group.command()(export)
