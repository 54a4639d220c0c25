"""Grad-CAM."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.cams.cam import Cam, weigh


def gradcam(gradients: Tensor, activations: Tensor) -> Tensor:
    """Grad-CAM: Σ_k (Σ_ij G_kij) A_k (Selvaraju et al. 2017, arXiv:1610.02391)."""
    return weigh(gradients.sum(dim=(-2, -1)), activations)


CAM = Cam(gradcam, weigh)
