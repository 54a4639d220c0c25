"""Networks by name: those of the families, and those that installed packages offer."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import torch
from torch import nn
from torchvision import models

from geogaze.errors import UnsupportedArchitecture
from geogaze.extras import need
from geogaze.networks.families import FAMILIES
from geogaze.networks.families.family import Family
from geogaze.wording import one_line

ENTRY_POINTS = "geogaze.architectures"
"""Group of entry points that name functions ``(classes: int) -> nn.Module``."""


def architectures() -> list[str]:
    """Names of the classifiers of all families."""
    return sorted(name for family in FAMILIES for name in family.architectures)


def torchvision_architectures() -> list[str]:
    """Those of them that are torchvision's, which published weights for each."""
    published = set(models.list_models(module=models))
    return [name for name in architectures() if name in published]


def own_architectures() -> dict[str, EntryPoint]:
    """Networks that installed packages offer, by name."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


_COLOURS = 3
_TIMM = "timm:"
_NAMED = 8  # of timm's networks, beside one that it does not have

_OFFERED_HERE: dict[str, Callable[[int], nn.Module]] = {}


def offer(architecture: str, build_network: Callable[[int], nn.Module]) -> None:
    """Offer a network in this process only, as an installed package would in all."""
    _OFFERED_HERE[architecture] = build_network


def withdraw(architecture: str) -> None:
    """Offer a network no longer, and let go of it."""
    _OFFERED_HERE.pop(architecture, None)


def build(
    architecture: str,
    classes: int,
    bands: int = _COLOURS,
    *,
    initialise: bool = False,
    published: bool = False,
) -> nn.Module:
    """A classifier in evaluation mode, without trained weights.

    Args:
        architecture: torchvision's name, such as ``vgg16``, timm's behind ``timm:``, or that of an
            entry point.
        classes: number of logits.
        bands: channels of its images, where torchvision made it; a network of one's own knows them.
        initialise: draw random weights; otherwise parameters of torchvision's networks live on the
            meta device, to be assigned from a state dict. Networks of one's own are built for real,
            as they may compute with what they hold.
        published: for torchvision's own weights, which for GoogLeNet and Inception v3 come with a
            change of normalisation inside the network.

    Raises:
        UnsupportedArchitecture: there is no such classifier.
    """
    build_own = _OFFERED_HERE.get(architecture)
    if build_own is None and (point := own_architectures().get(architecture)):
        build_own = point.load()
    if build_own:
        return _own(architecture, build_own, classes, initialise=initialise).eval()
    if architecture.startswith(_TIMM):
        return _of_timm(architecture, classes, bands, initialise=initialise).eval()
    family = _family(architecture)
    on_meta = family.on_meta and not initialise
    with torch.device("meta" if on_meta else "cpu"):
        network = family.build(architecture, classes, published)
        if bands != _COLOURS:
            _take_bands(network, bands)
    return network.eval()


def _take_bands(network: nn.Module, bands: int) -> None:
    """Give a network of three bands a first layer for others; made on the device of the context."""
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    alike: dict[str, Any] = {
        part: getattr(first, part) for part in ("kernel_size", "stride", "padding", "dilation")
    }
    layer = nn.Conv2d(bands, first.out_channels, bias=first.bias is not None, **alike)
    network.set_submodule(name, layer)


def _own(
    architecture: str, build_network: Callable[[int], nn.Module], classes: int, *, initialise: bool
) -> nn.Module:
    """A network of somebody's package; unless ``initialise``, torch's random state is left alone.

    Raises:
        UnsupportedArchitecture: its function fails, or gives no module.
    """
    with torch.random.fork_rng(devices=[], enabled=not initialise), torch.device("cpu"):
        try:
            network = build_network(classes)
        except Exception as error:  # whatever it does
            raise UnsupportedArchitecture(
                f"The network {architecture!r} cannot be built for {classes} classes: its function "
                f"fails with {type(error).__name__}: {one_line(error)}"
            ) from error
    if not isinstance(network, nn.Module):
        raise UnsupportedArchitecture(
            f"The network {architecture!r} is a {type(network).__name__}: its function must take "
            "the number of classes and give a torch.nn.Module."
        )
    return network


def _of_timm(architecture: str, classes: int, bands: int, *, initialise: bool) -> nn.Module:
    """A network of timm, built for real; unless ``initialise``, the random state is left alone.

    Raises:
        UnsupportedArchitecture: timm has none of that name.
        LibraryAbsent: timm is not installed.
    """
    need("timm", "timm", architecture)
    import timm

    name = architecture.removeprefix(_TIMM)
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name.partition('_')[0]}*")[:_NAMED])
        raise UnsupportedArchitecture(
            f"timm {timm.__version__} has no network {name!r}. Near ones: {near or 'none'}."
        )
    with torch.random.fork_rng(devices=[], enabled=not initialise), torch.device("cpu"):
        network: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=classes, in_chans=bands
        )
    return network


def _family(architecture: str) -> Family:
    for family in FAMILIES:
        if architecture in family.architectures:
            return family
    if architecture in models.list_models(module=models.detection):
        raise UnsupportedArchitecture(
            f"{architecture} detects objects: it gives boxes, not one score of a class for an "
            "image. Import a classifier, or a network that labels pixels."
        )
    prefixes = sorted(prefix for family in FAMILIES for prefix in family.prefixes)
    raise UnsupportedArchitecture(
        f"No architecture {architecture!r}. Classifiers of torchvision are "
        f"supported ({', '.join(prefixes)} families), timm's as timm:NAME, and those that "
        f"installed packages offer as entry points of the group {ENTRY_POINTS!r}."
    )
