"""EfficientNet and EfficientNetV2."""

from __future__ import annotations

from torch import nn
from torchvision.models import EfficientNet

from geogaze.networks.families.family import Family
from geogaze.networks.families.pooled import last_of
from geogaze.networks.split import Split


def _split(model: EfficientNet) -> Split:
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.classifier)
    return Split(model.features, head, last_of(model.features))


FAMILY = Family(("efficientnet",), (EfficientNet,), _split)
