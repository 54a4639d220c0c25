"""DenseNet: the ReLU behind its last norm is a function's, not a module's."""

from __future__ import annotations

from torch import nn
from torchvision.models import DenseNet

from geogaze.networks.families.family import Family
from geogaze.networks.families.pooled import pooled
from geogaze.networks.split import Split


def _split(model: DenseNet) -> Split:
    trunk = nn.Sequential(model.features, nn.ReLU())
    return Split(trunk, pooled(model.classifier), "relu(features.norm5)")


FAMILY = Family(("densenet",), (DenseNet,), _split)
