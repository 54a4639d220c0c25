"""RegNet, X and Y."""

from __future__ import annotations

from torch import nn
from torchvision.models import RegNet

from geogaze.networks.families.family import Family
from geogaze.networks.split import Split


def _split(model: RegNet) -> Split:
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.fc)
    return Split(nn.Sequential(model.stem, model.trunk_output), head, "trunk_output")


# It computes its widths with tensors, which the meta device cannot read back.
FAMILY = Family(("regnet",), (RegNet,), _split, on_meta=False)
