"""Deconvnet."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.pixels.method import PixelMethod, Rows, Score
from geogaze.evidence.pixels.relus import hooks_expected


def deconvnet(score: Score, images: Tensor, rows: Rows) -> Tensor:
    """Max over bands of |R|, (B, T, T) (Zeiler and Fergus 2014, arXiv:1311.2901).

    R is the gradient with the backward pass of ReLU replaced: from g it makes max(g, 0), whatever
    its input was. It tends to recover the image rather than explain the class (Nie et al. 2018,
    arXiv:1805.07039; Sixt et al. 2020, arXiv:1912.09818).
    """
    from captum.attr import Deconvolution

    with hooks_expected():
        signal: Tensor = Deconvolution(score).attribute(images, additional_forward_args=rows)
    return signal.abs().amax(dim=1)


METHOD = PixelMethod(deconvnet, replaces_relu=True)
