"""Grad-CAM++."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.cams.cam import Cam, positions, weigh


def gradcam_plus_plus(gradients: Tensor, activations: Tensor) -> Tensor:
    """Grad-CAM++: Σ_k (Σ_ij α_kij ReLU(G_kij)) A_k (Chattopadhay et al. 2018, arXiv:1710.11063).

    α = G² / (2 G² + G³ Σ_ab A_ab). The paper's factor exp(y), which is the same for the whole map
    and would only make tiles incomparable, is left out, as in public implementations. With G > 0
    (others fall to the ReLU) the weight is G / (2 + G Σ A), which needs no epsilon.
    """
    positive = gradients.relu()
    total = activations.sum(dim=(-2, -1))[..., None, None]
    return weigh((positive / (2 + positive * total)).sum(dim=(-2, -1)), activations)


def _pooled(weights: Tensor, activations: Tensor) -> Tensor:
    positive = weights.relu() / positions(activations)
    total = activations.sum(dim=(-2, -1))
    return weigh(positions(activations) * positive / (2 + positive * total), activations)


CAM = Cam(gradcam_plus_plus, _pooled)
