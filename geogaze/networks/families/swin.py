"""Swin, first and second version: the cut lies behind the last norm, before the pooling."""

from __future__ import annotations

from torch import nn
from torchvision.models import SwinTransformer

from geogaze.networks.families.family import Family
from geogaze.networks.split import Split


def _split(model: SwinTransformer) -> Split:
    trunk = nn.Sequential(model.features, model.norm, model.permute)
    head = nn.Sequential(model.avgpool, model.flatten, model.head)
    return Split(trunk, head, "permute", mixes=True)


FAMILY = Family(("swin_",), (SwinTransformer,), _split)
