"""MaxViT, whose blocks attend within windows and across them; its last ones give maps."""

from __future__ import annotations

from torch import nn
from torchvision.models import MaxVit

from geogaze.networks.families.family import Family
from geogaze.networks.families.pooled import last_of
from geogaze.networks.split import Split


def _split(model: MaxVit) -> Split:
    trunk = nn.Sequential(model.stem, *model.blocks)
    return Split(trunk, model.classifier, last_of(model.blocks, "blocks"), mixes=True)


FAMILY = Family(("maxvit_",), (MaxVit,), _split)
