"""XGrad-CAM."""

from __future__ import annotations

import torch
from torch import Tensor

from geogaze.evidence.cams.cam import Cam, positions, weigh


def xgradcam(gradients: Tensor, activations: Tensor) -> Tensor:
    """XGrad-CAM: N Σ_k (Σ_ij G_kij A_kij / Σ_ij A_kij) A_k (Fu et al. 2020, arXiv:2008.02312).

    Equals Grad-CAM behind global average pooling. A channel whose activations sum to 0 has weight
    0.
    """
    share = (gradients * activations).sum(dim=(-2, -1))
    total = activations.sum(dim=(-2, -1))
    weights = torch.where(total == 0, 0, share / torch.where(total == 0, 1, total))
    return weigh(positions(activations) * weights, activations)


CAM = Cam(xgradcam, weigh)
