"""MNASNet, which pools by a mean."""

from __future__ import annotations

from torchvision.models import MNASNet

from geogaze.networks.families.family import Family
from geogaze.networks.families.pooled import last_of, pooled
from geogaze.networks.split import Split


def _split(model: MNASNet) -> Split:
    return Split(model.layers, pooled(model.classifier), last_of(model.layers, "layers"))


FAMILY = Family(("mnasnet",), (MNASNet,), _split)
