"""ConvNeXt: its classifier normalises what was pooled, channel by channel."""

from __future__ import annotations

from torch import nn
from torchvision.models import ConvNeXt

from geogaze.networks.families.family import Family
from geogaze.networks.families.pooled import last_of
from geogaze.networks.split import Split


def _split(model: ConvNeXt) -> Split:
    head = nn.Sequential(model.avgpool, model.classifier)
    return Split(model.features, head, last_of(model.features))


FAMILY = Family(("convnext",), (ConvNeXt,), _split)
