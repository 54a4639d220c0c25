"""ResNet, ResNeXt and Wide ResNet, which are one class."""

from __future__ import annotations

from torch import nn
from torchvision.models import ResNet

from geogaze.networks.families.family import Family
from geogaze.networks.split import Split


def _split(model: ResNet) -> Split:
    stem = (model.conv1, model.bn1, model.relu, model.maxpool)
    stages = (model.layer1, model.layer2, model.layer3, model.layer4)
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.fc)
    return Split(nn.Sequential(*stem, *stages), head, "layer4")


FAMILY = Family(("resnet", "resnext", "wide_resnet"), (ResNet,), _split)
