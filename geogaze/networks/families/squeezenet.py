"""SqueezeNet, whose classifier gives each class a map of its own before it pools."""

from __future__ import annotations

from torch import nn
from torchvision.models import SqueezeNet

from geogaze.networks.families.family import Family
from geogaze.networks.families.pooled import last_of
from geogaze.networks.split import Split


def _split(model: SqueezeNet) -> Split:
    head = nn.Sequential(model.classifier, nn.Flatten(1))
    return Split(model.features, head, last_of(model.features))


FAMILY = Family(("squeezenet",), (SqueezeNet,), _split)
