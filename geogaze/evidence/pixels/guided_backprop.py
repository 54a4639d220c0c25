"""Guided backpropagation."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.pixels.method import PixelMethod, Rows, Score
from geogaze.evidence.pixels.relus import hooks_expected


def guided_backprop(score: Score, images: Tensor, rows: Rows) -> Tensor:
    """Max over bands of |R|, (B, T, T) (Springenberg et al. 2014, arXiv:1412.6806).

    R is the gradient with the backward pass of ReLU replaced: from g it makes max(g, 0) where its
    input was positive, else 0. Hardly depends on the parameters of higher layers (Adebayo et al.
    2018, arXiv:1810.03292), hence on the class (Nie et al. 2018, arXiv:1805.07039).
    """
    from captum.attr import GuidedBackprop

    with hooks_expected():
        signal: Tensor = GuidedBackprop(score).attribute(images, additional_forward_args=rows)
    return signal.abs().amax(dim=1)


METHOD = PixelMethod(guided_backprop, replaces_relu=True)
