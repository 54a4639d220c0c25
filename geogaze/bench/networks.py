"""Networks to measure with: any architecture, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from geogaze.models.bundles import Bundle
from geogaze.models.registry import torchvision_catalogue
from geogaze.networks.architectures import build
from geogaze.networks.bundling import write_bundle
from geogaze.networks.registration import Registration
from geogaze.networks.timm_cuts import side_of_timm

_SEED = 0
_HEAD_STD = 0.05


def random_bundle(folder: Path, architecture: str, classes: int, *, graph: bool = False) -> Bundle:
    """A bundle with random weights, and batch statistics as training would leave them.

    With its graph only on demand, as tracing takes its time.

    Raises:
        UnsupportedArchitecture: there is no such network.
    """
    torch.manual_seed(_SEED)
    known = torchvision_catalogue().get(architecture)
    model = build(architecture, classes, initialise=True).requires_grad_(False)
    size = known.input_size if known else side_of_timm(model)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        model(torch.randn(4, 3, size, size))
    for part in model.modules():
        if isinstance(part, nn.Linear) and not part.weight.any():  # ViT's last, before training
            nn.init.normal_(part.weight, std=_HEAD_STD)
    registration = (
        Registration(known.stride, known.first_center, known.cells, known.halo) if known else None
    )
    names = tuple(f"class-{i:04d}" for i in range(classes))
    return write_bundle(
        model.eval(),
        folder,
        architecture=architecture,
        classes=names,
        input_size=size,
        registration=registration,
        graph=graph,
    )
