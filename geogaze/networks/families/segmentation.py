"""FCN, DeepLabV3 and LR-ASPP, which label pixels: looked at behind their encoder's last stage."""

from __future__ import annotations

from functools import partial

from torchvision import models
from torchvision.models.segmentation import FCN, LRASPP, DeepLabV3

from geogaze.networks.captured import Captured
from geogaze.networks.families.family import Family, torchvision_network

_PREFIXES = ("deeplabv3_", "fcn_", "lraspp_")


def _split(model: FCN | DeepLabV3 | LRASPP) -> Captured:
    """Not in two pieces, as decoders look at the image's size and at earlier stages."""
    return Captured(model, f"backbone.{list(model.backbone)[-1]}")


FAMILY = Family(
    _PREFIXES,
    (FCN, DeepLabV3, LRASPP),
    _split,
    partial(torchvision_network, weights_backbone=None),
    models.list_models(module=models.segmentation),
)
