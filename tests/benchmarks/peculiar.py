"""Networks of people's own for the table, each peculiar in one thing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torchvision import models

from geogaze.networks.layouts import Tokens, channels_last
from tests.benchmarks.parts import (
    AttentionPooling,
    Blurs,
    Cropped,
    Enlarges,
    Fourier,
    GeM,
    Mean,
    Permute,
    Recurrent,
    ShiftsBy,
    Slices,
    Squeezing,
    TwoPools,
)
from tests.unit.evidence import strangers
from tests.unit.evidence.strangers import Net


def _with(*more: nn.Module, head: nn.Module | None = None) -> Callable[[int], nn.Module]:
    """A network whose trunk goes on with modules, or that has another head."""

    def make(classes: int) -> nn.Module:
        network = Net(classes)
        network.trunk.extend(copy.deepcopy(more))
        for part in network.trunk.modules():  # drawn when they were listed
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
        if head:
            network.head = nn.Sequential(copy.deepcopy(head), nn.Flatten(), nn.LazyLinear(classes))
            network(torch.zeros(1, 3, 128, 128))
        return network

    return make


def _classes(kind: Any, *given: Any) -> Callable[[int], nn.Module]:
    """A network of another module that takes no number of classes."""

    def make(classes: int) -> nn.Module:
        network: nn.Module = kind(*given)
        network.head[2] = nn.Linear(16, classes)  # type: ignore[index, operator, union-attr]
        return network

    return make


class ChannelsLast(Net):
    """Its trunk has channels last."""

    as_maps = staticmethod(channels_last)

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.trunk.append(Permute(0, 2, 3, 1))
        self.head = nn.Sequential(Mean(1, 2), nn.Linear(16, classes))


class OfTokens(Net):
    """Its trunk has tokens, mixed by attention."""

    as_maps = Tokens()

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.trunk.extend(
            [
                nn.Flatten(2),
                Permute(0, 2, 1),
                nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
            ]
        )
        self.head = nn.Sequential(Mean(1), nn.Linear(16, classes))


class Wrapping(nn.Module):
    """Holds its network under a name that wrappers use too."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.module = Net(classes)

    def forward(self, images: Tensor) -> Any:
        return self.module(images)


class Encoder(nn.Module):
    """A U-Net's encoder and decoder, whose pooled output is classified."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.fuse = nn.Conv2d(16, 16, 3, padding=1)
        self.fc = nn.Linear(16, classes)

    def forward(self, images: Tensor) -> Tensor:
        early = self.stem(images).relu()
        late = self.up(self.down(early).relu())
        return self.fc(self.fuse(torch.cat([early, late], 1)).relu().mean((2, 3)))


class Dated(nn.Module):
    """Takes one image, but works on three dates of one band each."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 4, stride=4)
        self.mix = nn.Conv2d(24, 16, 3, padding=1)
        self.fc = nn.Linear(16, classes)

    def forward(self, images: Tensor) -> Tensor:
        dates = self.conv(images.flatten(0, 1)[:, None]).unflatten(0, images.shape[:2])
        return self.fc(self.mix(dates.flatten(1, 2)).relu().mean((2, 3)))


def _normed(classes: int) -> nn.Module:
    network = Net(classes)
    parametrizations.weight_norm(network.trunk[0])
    parametrizations.spectral_norm(network.trunk[3])
    return network


def _twice(classes: int) -> nn.Module:
    network = strangers.Twice()
    network.fc = nn.Linear(8, classes)
    return network


def _double(classes: int) -> nn.Module:
    return Net(classes).double()


def _in_parallel(classes: int) -> nn.Module:
    return nn.DataParallel(Net(classes))


def _segmentation(kind: Any, classes: int) -> nn.Module:
    network: nn.Module = kind(weights=None, weights_backbone=None, num_classes=classes)
    return network


LET_IN: dict[str, Callable[[int], nn.Module]] = {
    "own": Net,
    "GroupNorm": lambda n: Net(n, norm=nn.GroupNorm(2, 8)),
    "InstanceNorm": lambda n: Net(n, norm=nn.InstanceNorm2d(8)),
    "InstanceNorm with statistics": lambda n: Net(
        n, norm=nn.InstanceNorm2d(8, track_running_stats=True)
    ),
    "batch statistics": lambda n: Net(n, norm=nn.BatchNorm2d(8, track_running_stats=False)),
    "keyword convolutions": _classes(strangers.Keywords),
    "transposed convolution": _classes(strangers.Transposed),
    "attention in the trunk": _classes(strangers.Attending),
    "meta-hostile": _classes(strangers.Scaled),
    "meta-hostile, cut beside": _classes(strangers.MetaHostile),
    "dict output": strangers.AsDict,
    "tuple output": strangers.AsTuple,
    "output object": strangers.AsObject,
    "as segmentation": strangers.AsSegmentation,
    "dropout active": strangers.Dropping,
    "softmax as last module": partial(strangers.Ending, nn.Softmax(1)),
    "log-softmax as last module": partial(strangers.Ending, nn.LogSoftmax(1)),
    "sigmoid as last module": partial(strangers.Ending, nn.Sigmoid()),
    "softmax inside": partial(strangers.Function, partial(torch.softmax, dim=1)),
    "sigmoid inside": partial(strangers.Function, torch.sigmoid),
    "norm between": strangers.Between,
    "dicts from the trunk": _classes(strangers.TrunkOfDicts),
    "trunk ends in 4 cells": _classes(strangers.Pooled, 4),
    "trunk ends in 8 cells": _classes(strangers.Pooled, 8),
    "failing": strangers.Failing,
    "detects": strangers.Detecting,
    "slices": _with(Slices(), nn.Conv2d(64, 16, 1)),
    "pixel unshuffle": _with(nn.PixelUnshuffle(2), nn.Conv2d(64, 16, 1)),
    "pixel shuffle": _with(nn.Conv2d(16, 64, 1), nn.PixelShuffle(2)),
    "nearest enlarged": _with(Enlarges("nearest")),
    "bilinear enlarged": _with(Enlarges("bilinear")),
    "blur pooling": _with(Blurs(16)),
    "dilated": _with(nn.Conv2d(16, 16, 3, padding=2, dilation=2), nn.ReLU()),
    "dilated max pooling": _with(nn.MaxPool2d(3, 1, 1, dilation=2)),
    "reflected border": _with(nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect")),
    "circular border": _with(nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular")),
    "padding same": _with(nn.Conv2d(16, 16, 4, padding="same")),
    "moves by two cells": _with(ShiftsBy()),
    "cropped": _with(Cropped()),
    "Fourier": _with(Fourier()),
    "einsum gates": _with(Squeezing()),
    "one cell": _with(nn.AdaptiveAvgPool2d(1)),
    "GeM pooling": _with(head=GeM()),
    "attention pooling": _with(head=AttentionPooling()),
    "mean and maximum": _with(head=TwoPools()),
    "flattened": _with(head=nn.Flatten()),
    "recurrent": _with(head=Recurrent()),
    "weight and spectral norm": _normed,
    "double precision": _double,
    "DataParallel": _in_parallel,
}
ONE_LOGIT: dict[str, Callable[[int], nn.Module]] = {
    "one logit, own": Net,
    "one logit, squeezed": lambda _: strangers.Squeezed(),
    "one logit, sigmoid as last module": partial(strangers.Ending, nn.Sigmoid()),
}
NAMED: dict[str, tuple[Callable[[int], nn.Module], str]] = {
    "U-Net, at its last map": (Encoder, "fuse"),
    "U-Net, at its narrowest": (Encoder, "down"),
    "own at an inner layer": (Net, "trunk.0"),
    "a layer that is not there": (Net, "trnk.3"),
    "a layer that runs twice": (_twice, "block"),
    "dates by turns": (Dated, "mix"),
    "dates by turns, before": (Dated, "conv"),
    "a layer behind the pooling": (Encoder, "fc"),
    "labels pixels": (strangers.Segmenting, "encoder"),
    "labels pixels, softmax as last module": (
        lambda n: nn.Sequential(strangers.Segmenting(n), nn.Softmax2d()),
        "0.encoder",
    ),
    "Faster R-CNN, detects": (
        partial(_segmentation, models.detection.fasterrcnn_mobilenet_v3_large_320_fpn),
        "backbone",
    ),
}
PROPOSED: dict[str, Callable[[int], nn.Module]] = {
    "U-Net, layer as proposed": Encoder,
    "dates by turns, layer as proposed": Dated,
    "runs twice, layer as proposed": _twice,
    "labels pixels, layer as proposed": strangers.Segmenting,
}
