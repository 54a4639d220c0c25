"""Networks as people bring them to ``geogaze models import``: the list of the table."""

from __future__ import annotations

import argparse
import collections
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from geogaze.networks.trial import trial_images
from tests.benchmarks import peculiar
from tests.benchmarks.plain import Places, as_they_are, patches
from tests.unit.evidence import strangers

Save = Callable[[nn.Module, Path], Path]
"""Writes a checkpoint into a folder and says which file it is."""


def under(*keys: str, prefix: str = "", **beside: Any) -> Save:
    """A checkpoint of a state dict under these keys, its names behind a prefix."""

    def save(network: nn.Module, folder: Path) -> Path:
        content: Any = {prefix + name: value for name, value in network.state_dict().items()}
        for key in reversed(keys):
            content = {key: content, **beside}
        if not keys:
            content |= beside
        torch.save(content, folder / "weights.pth")
        return folder / "weights.pth"

    return save


def in_parts(network: nn.Module, folder: Path) -> Path:
    """As safetensors."""
    state = {name: value.contiguous().clone() for name, value in network.state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def as_of_old(network: nn.Module, folder: Path) -> Path:
    """As torch wrote before version 1.6."""
    torch.save(network.state_dict(), folder / "weights.pth", _use_new_zipfile_serialization=False)
    return folder / "weights.pth"


def pickled(network: nn.Module, folder: Path) -> Path:
    """The network itself, which would be code."""
    torch.save(network, folder / "weights.pth")
    return folder / "weights.pth"


def not_a_number(network: nn.Module, folder: Path) -> Path:
    """One weight is none."""
    state = network.state_dict()
    name = next(name for name, value in state.items() if value.ndim > 1)
    state[name] = torch.full_like(state[name], float("nan"))
    torch.save(state, folder / "weights.pth")
    return folder / "weights.pth"


def in_half(network: nn.Module, folder: Path) -> Path:
    """In half precision, statistics too, which is then the network."""
    state = network.state_dict()
    halved = {n: v.half() if v.is_floating_point() else v for n, v in state.items()}
    network.load_state_dict(halved)
    torch.save(halved, folder / "weights.pth")
    return folder / "weights.pth"


@dataclass(frozen=True)
class Brought:
    """A network at the door.

    ``make`` builds it, from a number of classes; None stands for torchvision's of the name
    ``arch``. ``names`` is how many class names come with it, where that is another number.
    ``proposed`` says that its owner takes the layer that the door proposes, ``exported`` that it
    comes as a program, which needs no architecture. ``watched`` is where the network as it was has
    the layer, if that is called otherwise.
    """

    name: str
    arch: str = ""
    make: Callable[[int], nn.Module] | None = None
    classes: int = 5
    bands: int = 3
    size: int = 128
    layer: str | None = None
    task: str | None = None
    save: Save = field(default=under())
    places: Places = as_they_are
    names: int | None = None
    proposed: bool = False
    exported: bool = False
    watched: str = ""
    spatial: bool = True

    def built(self) -> nn.Module:
        """The network, with drawn weights that half precision can hold, in evaluation mode."""
        torch.manual_seed(0)
        if self.make:
            network = self.make(self.classes)
        elif self.arch.startswith("timm:"):
            import timm

            network = timm.create_model(self.arch.removeprefix("timm:"), num_classes=self.classes)
        else:
            alone = {"aux_logits": False} if self.arch in {"googlenet", "inception_v3"} else {}
            plain = {"init_weights": False} if alone else {}
            if self.arch in models.list_models(module=models.segmentation):
                plain = {"weights_backbone": None}
            network = models.get_model(
                self.arch, weights=None, num_classes=self.classes, **alone, **plain
            )
            if self.bands != 3:
                _take_bands(network, self.bands)
        network = _settled(strangers.drawn(network), self.bands, self.size)
        for weight in network.parameters():
            weight.data = weight.data.half().to(weight.dtype)
        return network


def _settled(network: nn.Module, bands: int, size: int) -> nn.Module:
    """The network with the running statistics that images give it, as after training."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if any(norm.running_var is None for norm in norms):
        return network
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        with suppress(Exception), torch.no_grad():  # what fails is for the door to tell
            network(trial_images(bands, size))
    for norm in norms:
        norm.eval().momentum = 0.1
        norm.running_var.clamp_(min=_LEAST)  # of two images, gates have none
    return network


def _take_bands(network: nn.Module, bands: int) -> None:
    """Replace the first layer, as people do."""
    name, old = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    new = nn.Conv2d(
        bands, old.out_channels, old.kernel_size, old.stride, old.padding, bias=old.bias is not None
    )
    network.get_submodule(name.rpartition(".")[0]).register_module(name.rpartition(".")[2], new)


_LEAST = 0.05
SEE_ALL = {"swin_t": 224, "swin_v2_t": 256, "maxvit_t": 224, "vit_b_32": 224}
TORCHVISION = (
    *("alexnet", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d"),
    *("densenet121", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("efficientnet_b0", "efficientnet_v2_s", "convnext_tiny", "squeezenet1_0", "squeezenet1_1"),
    *("regnet_x_400mf", "regnet_y_400mf", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0"),
    *("googlenet", "inception_v3", "mnasnet0_5", "mnasnet1_0"),
)


def torchvisions() -> Iterator[Brought]:
    """One or more of each family, some for other bands and tasks."""
    for arch in TORCHVISION:
        yield Brought(arch, arch, size=224)
    for arch, size in SEE_ALL.items():
        places = patches if arch.startswith("vit") else as_they_are
        yield Brought(arch, arch, size=size, places=places, spatial=False)
    for arch, bands in (("resnet18", 13), ("efficientnet_b0", 13)):
        yield Brought(f"{arch}, {bands} bands", arch, bands=bands, classes=10, size=192)
    yield Brought("convnext_tiny, 6 bands", "convnext_tiny", bands=6, size=192)
    yield Brought("swin_t, 4 bands", "swin_t", bands=4, size=224, spatial=False)
    yield Brought("resnet18, 2 bands (SAR)", "resnet18", bands=2, size=192)
    yield Brought("resnet18, gray", "resnet18", bands=1, size=192)
    yield Brought("mobilenet_v3_small, gray", "mobilenet_v3_small", bands=1, size=192)
    yield Brought("resnet18, one logit", "resnet18", classes=1, size=192)
    yield Brought("swin_t, one logit", "swin_t", classes=1, size=224, spatial=False)
    yield Brought("densenet121, multi-label", "densenet121", task="sigmoid", size=192)
    yield Brought(
        "vit_b_32, multi-label", "vit_b_32", task="sigmoid", size=224, spatial=False, places=patches
    )
    yield Brought(
        "shufflenet_v2_x0_5, regression", "shufflenet_v2_x0_5", classes=1, task="none", size=224
    )
    # Dilated, they look at all of a smaller image; gates over the whole map blur the square, too.
    segmentation = {
        "fcn_resnet50": 224,
        "deeplabv3_mobilenet_v3_large": 512,
        "lraspp_mobilenet_v3_large": 512,
    }
    for arch, size in segmentation.items():
        yield Brought(arch, arch, size=size)
    yield Brought("lraspp_mobilenet_v3_large, one logit", "lraspp_mobilenet_v3_large", classes=1)
    yield Brought(
        "lraspp_mobilenet_v3_large, multi-label", "lraspp_mobilenet_v3_large", task="sigmoid"
    )
    yield Brought("resnet18 at layer2", "resnet18", layer="layer2")
    yield Brought("densenet121 at denseblock3", "densenet121", layer="features.denseblock3")
    yield Brought("mobilenet_v2, a class too few", "mobilenet_v2", names=4)
    yield Brought("vit_b_32, images of 192", "vit_b_32", size=192, spatial=False, places=patches)


def checkpoints() -> Iterator[Brought]:
    """A small network in each kind of checkpoint."""
    hyper = argparse.Namespace(lr=1e-3, net="resnet")
    kinds: dict[str, Save] = {
        "state_dict": under("state_dict", epoch=3, best=np.float64(0.9)),
        "model": under("model", optimizer={"state": {}, "param_groups": []}),
        "model_state_dict": under("model_state_dict", loss=torch.tensor(0.1)),
        "Lightning, model.": under(
            "state_dict", prefix="model.", hyper_parameters=hyper, callbacks={"a": {"b": 1}}
        ),
        "Lightning, net.": under("state_dict", prefix="net.", epoch=1),
        "_orig_mod.": under(prefix="_orig_mod."),
        "module.": under("state_dict", prefix="module."),
        "module._orig_mod.": under("model", prefix="module._orig_mod."),
        "Lightning, compiled": under("state_dict", prefix="model._orig_mod."),
        "SWA": under(prefix="module.", n_averaged=torch.tensor(7)),
        "EMA": under("state_dict_ema", prefix="module."),
        "nested": under("checkpoint", "model"),
        "a loss beside": under("state_dict", prefix="model."),
        "safetensors": in_parts,
        "before torch 1.6": as_of_old,
        "half precision": in_half,
        "pickled module": pickled,
        "NaN in a weight": not_a_number,
        "OrderedDict": _ordered,
    }
    for kind, save in kinds.items():
        yield Brought(f"checkpoint: {kind}", make=strangers.Net, save=save)
    yield Brought(
        "checkpoint: has a module of its own", make=peculiar.Wrapping, layer="module.trunk"
    )


def _ordered(network: nn.Module, folder: Path) -> Path:
    torch.save(collections.OrderedDict(network.state_dict()), folder / "weights.pth")
    return folder / "weights.pth"


def owns() -> Iterator[Brought]:
    """Networks of people's own, each peculiar in one thing."""
    for name, make in peculiar.LET_IN.items():
        yield Brought(name, make=make)
    for name, make in peculiar.ONE_LOGIT.items():
        yield Brought(name, make=make, classes=1)
    yield Brought("own, 13 bands", make=lambda n: strangers.Net(n, bands=13), bands=13)
    yield Brought(
        "own, gray, multi-label", make=lambda n: strangers.Net(n, 1), bands=1, task="sigmoid"
    )
    yield Brought("labels pixels, one logit", make=strangers.Segmenting, classes=1, layer="encoder")
    yield Brought("own, 13 bands, 3 said", make=lambda n: strangers.Net(n, bands=13))
    for name, (make, layer) in peculiar.NAMED.items():
        yield Brought(name, make=make, layer=layer)
    for name, make in peculiar.PROPOSED.items():
        yield Brought(name, make=make, proposed=True)
    yield Brought(
        "channels last", make=peculiar.ChannelsLast, places=lambda a: a.permute(0, 3, 1, 2)
    )
    yield Brought("tokens", make=peculiar.OfTokens, places=patches, spatial=False)


def images_of(brought: Brought, count: int = 1) -> Tensor:
    """Values (count, bands, T, T) of bytes, for a network to be compared on."""
    generator = torch.Generator().manual_seed(1)
    shape = (count, brought.bands, brought.size, brought.size)
    return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)
