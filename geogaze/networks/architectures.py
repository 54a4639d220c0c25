"""Torchvision classifiers, cut where Grad-CAM looks: trunk → activations → head → logits.

The cut lies behind the last convolutional feature map, after its activation function where the
head sees that. ``head(trunk(x))`` equals ``model(x)`` for every family, which tests hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from importlib.metadata import EntryPoint, entry_points

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import (
    VGG,
    AlexNet,
    ConvNeXt,
    DenseNet,
    EfficientNet,
    GoogLeNet,
    Inception3,
    MNASNet,
    MobileNetV2,
    MobileNetV3,
    RegNet,
    ResNet,
    ShuffleNetV2,
    SqueezeNet,
)

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.captured import Captured

ENTRY_POINTS = "geogaze.architectures"
"""Group of entry points that name functions ``(classes: int) -> nn.Module``."""

FAMILIES = (
    "alexnet",
    "convnext",
    "densenet",
    "efficientnet",
    "googlenet",
    "inception",
    "mnasnet",
    "mobilenet",
    "regnet",
    "resnet",
    "resnext",
    "shufflenet",
    "squeezenet",
    "vgg",
    "wide_resnet",
)


@dataclass(frozen=True)
class Split:
    """A classifier in two pieces.

    ``trunk`` maps images (B, bands, T, T) to activations (B, C, g, g), ``head`` activations to
    logits (B, classes); ``module`` names the cut in the original network.
    """

    trunk: nn.Module
    head: nn.Module
    module: str


class _Preprocess(nn.Module):
    """A network's own input transform (GoogLeNet, Inception v3)."""

    def __init__(self, transform: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        return self.transform(x)


def architectures() -> list[str]:
    """Names of the torchvision classifiers that geogaze can explain."""
    names = models.list_models(module=models)
    return [name for name in names if name.startswith(FAMILIES)]


def own_architectures() -> dict[str, EntryPoint]:
    """Networks that installed packages offer, by name."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def build(
    architecture: str, classes: int, *, initialise: bool = False, published: bool = False
) -> nn.Module:
    """A classifier in evaluation mode, without trained weights.

    Args:
        architecture: torchvision's name, such as ``vgg16``, or that of an entry point.
        classes: number of logits.
        initialise: draw random weights; otherwise parameters live on the meta device, to be
            assigned from a state dict.
        published: for torchvision's own weights, which for GoogLeNet and Inception v3 come with a
            change of normalisation inside the network.

    Raises:
        UnsupportedArchitecture: there is no such classifier, or it is not convolutional.
    """
    if own := own_architectures().get(architecture):
        with torch.device("cpu" if initialise else "meta"):
            made: nn.Module = own.load()(classes)
        return made.eval()
    if architecture not in architectures():
        raise UnsupportedArchitecture(
            f"No architecture {architecture!r}. Convolutional classifiers of torchvision are "
            f"supported ({', '.join(FAMILIES)} families), and those that installed packages offer "
            f"as entry points of the group {ENTRY_POINTS!r}."
        )
    options = {}
    if architecture in {"googlenet", "inception_v3"}:
        # Their own initialisation takes a minute; torch's default will do for training.
        options = {"aux_logits": False, "init_weights": False, "transform_input": published}
    # RegNet computes its widths with tensors, which the meta device cannot read back.
    real = initialise or architecture.startswith("regnet")
    with torch.device("cpu" if real else "meta"):
        model: nn.Module = models.get_model(
            architecture, weights=None, num_classes=classes, **options
        )
    return model.eval()


def cut_at(model: nn.Module, layer: str | None = None) -> Split | Captured:
    """Cut a classifier at a layer.

    Args:
        model: the network.
        layer: a module's name; None for behind the last convolutional feature map.

    Raises:
        UnsupportedArchitecture: there is no such layer, or, without one, the family is unknown.
    """
    try:
        natural = split(model)
    except UnsupportedArchitecture:
        if layer is None:
            raise
        return Captured(model, layer)
    return natural if layer in {None, natural.module} else Captured(model, layer)


@singledispatch
def split(model: nn.Module) -> Split:
    """Cut a classifier behind its last convolutional feature map.

    Raises:
        UnsupportedArchitecture: the family is unknown.
    """
    # Not isinstance of the protocol, which from Python 3.12 on overlooks submodules.
    trunk, head = (getattr(model, name, None) for name in ("trunk", "head"))
    if isinstance(trunk, nn.Module) and isinstance(head, nn.Module):
        return Split(trunk, head, "trunk")
    raise UnsupportedArchitecture(
        f"{type(model).__name__} has no known cut between features and classifier. Name a layer, "
        "or give it the attributes trunk and head."
    )


def _pooled(*head: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), *head)


@split.register(AlexNet)
@split.register(VGG)
def _relu_before_pool(model: AlexNet | VGG) -> Split:
    last = len(model.features) - 1
    head = nn.Sequential(model.features[last], model.avgpool, nn.Flatten(1), model.classifier)
    return Split(model.features[:last], head, f"features.{last - 1}")


@split.register(MobileNetV2)
def _mobilenet_v2(model: MobileNetV2) -> Split:
    return Split(model.features, _pooled(model.classifier), _last(model.features))


@split.register(MobileNetV3)
@split.register(EfficientNet)
def _features_pool_classifier(model: MobileNetV3 | EfficientNet) -> Split:
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.classifier)
    return Split(model.features, head, _last(model.features))


@split.register(ConvNeXt)
def _convnext(model: ConvNeXt) -> Split:
    head = nn.Sequential(model.avgpool, model.classifier)
    return Split(model.features, head, _last(model.features))


@split.register(SqueezeNet)
def _squeezenet(model: SqueezeNet) -> Split:
    head = nn.Sequential(model.classifier, nn.Flatten(1))
    return Split(model.features, head, _last(model.features))


@split.register(DenseNet)
def _densenet(model: DenseNet) -> Split:
    trunk = nn.Sequential(model.features, nn.ReLU())
    return Split(trunk, _pooled(model.classifier), "relu(features.norm5)")


@split.register(MNASNet)
def _mnasnet(model: MNASNet) -> Split:
    return Split(model.layers, _pooled(model.classifier), _last(model.layers, "layers"))


@split.register(ResNet)
def _resnet(model: ResNet) -> Split:
    stem = (model.conv1, model.bn1, model.relu, model.maxpool)
    stages = (model.layer1, model.layer2, model.layer3, model.layer4)
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.fc)
    return Split(nn.Sequential(*stem, *stages), head, "layer4")


@split.register(RegNet)
def _regnet(model: RegNet) -> Split:
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.fc)
    return Split(nn.Sequential(model.stem, model.trunk_output), head, "trunk_output")


@split.register(ShuffleNetV2)
def _shufflenet(model: ShuffleNetV2) -> Split:
    stages = (model.conv1, model.maxpool, model.stage2, model.stage3, model.stage4, model.conv5)
    return Split(nn.Sequential(*stages), _pooled(model.fc), "conv5")


@split.register(GoogLeNet)
@split.register(Inception3)
def _inception(model: GoogLeNet | Inception3) -> Split:
    names = [name for name, _ in model.named_children()]
    stages = names[: names.index("avgpool")]
    stages = [name for name in stages if not name.lower().startswith("aux")]
    trunk = nn.Sequential(
        _Preprocess(model._transform_input),  # noqa: SLF001  part of its forward
        *(getattr(model, name) for name in stages),
    )
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.dropout, model.fc)
    return Split(trunk, head, stages[-1])


def _last(stages: nn.Sequential, name: str = "features") -> str:
    return f"{name}.{len(stages) - 1}"
