"""The families of networks that geogaze can build and cut: one file and one line for each.

The cut lies behind the last feature map, after its activation function where the head sees that:
behind the last norm of transformers that pool, before the last attention of those that do not.
``head(trunk(x))`` equals ``model(x)`` for every family, which tests hold.
"""

from __future__ import annotations

from geogaze.networks.families import (
    convnext,
    densenet,
    efficientnet,
    inception,
    maxvit,
    mnasnet,
    mobilenet,
    regnet,
    resnet,
    segmentation,
    shufflenet,
    squeezenet,
    swin,
    vgg,
    vit,
)
from geogaze.networks.families.family import Family

FAMILIES: list[Family] = [
    convnext.FAMILY,
    densenet.FAMILY,
    efficientnet.FAMILY,
    inception.FAMILY,
    maxvit.FAMILY,
    mnasnet.FAMILY,
    mobilenet.FAMILY,
    regnet.FAMILY,
    resnet.FAMILY,
    segmentation.FAMILY,
    shufflenet.FAMILY,
    squeezenet.FAMILY,
    swin.FAMILY,
    vgg.FAMILY,
    vit.FAMILY,
]
