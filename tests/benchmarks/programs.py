"""Networks that come as programs of ``torch.export``, without an architecture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from tests.benchmarks import peculiar
from tests.benchmarks.brought import Brought, Save
from tests.benchmarks.plain import as_they_are, patches
from tests.unit.evidence import strangers

_FAMILIES = (
    *("alexnet", "vgg11_bn", "resnet18", "resnext50_32x4d", "densenet121"),
    *("mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "squeezenet1_1"),
    *("regnet_y_400mf", "shufflenet_v2_x0_5", "googlenet", "mnasnet0_5"),
)
_WATCHED = {"densenet121": "relu(features.norm5)"}
_OWN = ("GroupNorm", "keyword convolutions", "dict output", "softmax as last module")


def programs() -> Iterator[Brought]:
    """One of most families, transformers, and some of people's own."""
    for arch in _FAMILIES:
        yield Brought(
            f"program: {arch}",
            arch,
            size=224,
            save=_exported(3, 224),
            exported=True,
            watched=_WATCHED.get(arch, ""),
            # It has a map for each class, of which five are too few to see a place by.
            classes=60 if arch == "squeezenet1_1" else 5,
        )
    for arch in ("swin_t", "vit_b_32"):
        yield Brought(
            f"program: {arch}",
            arch,
            size=224,
            save=_exported(3, 224),
            places=patches if arch.startswith("vit") else as_they_are,
            spatial=False,
            exported=True,
        )
    for name in _OWN:
        make = peculiar.LET_IN[name]
        yield Brought(f"program: {name}", make=make, save=_exported(3, 128), exported=True)
    yield Brought(
        "program: own, 13 bands",
        make=lambda classes: strangers.Net(classes, bands=13),
        bands=13,
        save=_exported(13, 128),
        exported=True,
    )


def _exported(bands: int, size: int) -> Save:
    """A program for any number of images of one size."""

    def save(network: nn.Module, folder: Path) -> Path:
        path = folder / "network.pt2"
        images = torch.randn(2, bands, size, size)
        free = ({0: torch.export.Dim("batch")},)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own code
            program = torch.export.export(network, (images,), dynamic_shapes=free)
            torch.export.save(program, path)
        return path

    return save
