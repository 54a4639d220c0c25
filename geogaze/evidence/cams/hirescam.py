"""HiResCAM."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.cams.cam import Cam, positions, weigh


def hirescam(gradients: Tensor, activations: Tensor) -> Tensor:
    """HiResCAM: N Σ_k G_k ⊙ A_k (Draelos and Carin 2020, arXiv:2011.08891).

    Equals Grad-CAM where the gradient is the same everywhere: behind global average pooling.
    """
    return positions(activations) * (gradients * activations).sum(dim=2).transpose(0, 1)


CAM = Cam(hirescam, weigh)
