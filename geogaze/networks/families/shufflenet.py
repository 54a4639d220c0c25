"""ShuffleNetV2, which pools by a mean."""

from __future__ import annotations

from torch import nn
from torchvision.models import ShuffleNetV2

from geogaze.networks.families.family import Family
from geogaze.networks.families.pooled import pooled
from geogaze.networks.split import Split


def _split(model: ShuffleNetV2) -> Split:
    stages = (model.conv1, model.maxpool, model.stage2, model.stage3, model.stage4, model.conv5)
    return Split(nn.Sequential(*stages), pooled(model.fc), "conv5")


FAMILY = Family(("shufflenet",), (ShuffleNetV2,), _split)
