"""Saliency."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.pixels.method import PixelMethod, Rows, Score


def saliency(score: Score, images: Tensor, rows: Rows) -> Tensor:
    """Max over bands of |∂score/∂x|, (B, T, T) (Simonyan et al. 2013, arXiv:1312.6034).

    Depends on all of the network's parameters (Adebayo et al. 2018, arXiv:1810.03292).
    """
    from captum.attr import Saliency

    gradient: Tensor = Saliency(score).attribute(images, additional_forward_args=rows)
    return gradient.amax(dim=1)


METHOD = PixelMethod(saliency)
