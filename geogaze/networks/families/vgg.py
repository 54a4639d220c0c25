"""AlexNet and VGG: the cut lies behind the last ReLU, before the last pooling."""

from __future__ import annotations

from torch import nn
from torchvision.models import VGG, AlexNet

from geogaze.networks.families.family import Family
from geogaze.networks.split import Split


def _split(model: AlexNet | VGG) -> Split:
    last = len(model.features) - 1
    head = nn.Sequential(model.features[last], model.avgpool, nn.Flatten(1), model.classifier)
    return Split(model.features[:last], head, f"features.{last - 1}")


FAMILY = Family(("alexnet", "vgg"), (AlexNet, VGG), _split)
