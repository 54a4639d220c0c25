"""MobileNetV2, which pools by a function, and MobileNetV3."""

from __future__ import annotations

from torch import nn
from torchvision.models import MobileNetV2, MobileNetV3

from geogaze.networks.families.family import Family
from geogaze.networks.families.pooled import last_of, pooled
from geogaze.networks.split import Split


def _split(model: MobileNetV2 | MobileNetV3) -> Split:
    if isinstance(model, MobileNetV2):
        head = pooled(model.classifier)
    else:
        head = nn.Sequential(model.avgpool, nn.Flatten(1), model.classifier)
    return Split(model.features, head, last_of(model.features))


FAMILY = Family(("mobilenet",), (MobileNetV2, MobileNetV3), _split)
