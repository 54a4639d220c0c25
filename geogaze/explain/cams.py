"""Class activation maps: one core, five ways to weigh activations by a gradient.

Every map is scaled by the number N of activations where its formula averages over them, so that
values are logits per cell and maps of different grid sizes compare. Shapes throughout: activations
A (B, C, h, w); gradients G (K, B, C, h, w) of K scores; channel weights (K, B, C); maps
(B, K, h, w). All float32 (or the activations' dtype), signed; ReLU comes with normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


def weigh(weights: Tensor, activations: Tensor) -> Tensor:
    """Σ_k w_k A_k: weights (K, B or 1, C) and activations (B, C, h, w) to maps (B, K, h, w)."""
    batch, channels, rows, cols = activations.shape
    flat = activations.reshape(batch, channels, rows * cols)
    each = weights.expand(-1, batch, -1).transpose(0, 1)
    return (each @ flat).reshape(batch, -1, rows, cols)


def gradcam(gradients: Tensor, activations: Tensor) -> Tensor:
    """Grad-CAM: Σ_k (Σ_ij G_kij) A_k (Selvaraju et al. 2017, arXiv:1610.02391)."""
    return weigh(gradients.sum(dim=(-2, -1)), activations)


def hirescam(gradients: Tensor, activations: Tensor) -> Tensor:
    """HiResCAM: N Σ_k G_k ⊙ A_k (Draelos and Carin 2020, arXiv:2011.08891).

    Equals Grad-CAM where the gradient is the same everywhere: behind global average pooling.
    """
    return _positions(activations) * (gradients * activations).sum(dim=2).transpose(0, 1)


def layercam(gradients: Tensor, activations: Tensor) -> Tensor:
    """LayerCAM: N Σ_k ReLU(G_k) ⊙ A_k (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943).

    Behind global average pooling it is Grad-CAM without the channels of negative weight.
    """
    return hirescam(gradients.relu(), activations)


def xgradcam(gradients: Tensor, activations: Tensor) -> Tensor:
    """XGrad-CAM: N Σ_k (Σ_ij G_kij A_kij / Σ_ij A_kij) A_k (Fu et al. 2020, arXiv:2008.02312).

    Equals Grad-CAM behind global average pooling. A channel whose activations sum to 0 has weight
    0.
    """
    share = (gradients * activations).sum(dim=(-2, -1))
    total = activations.sum(dim=(-2, -1))
    weights = torch.where(total == 0, 0, share / torch.where(total == 0, 1, total))
    return weigh(_positions(activations) * weights, activations)


def gradcam_plus_plus(gradients: Tensor, activations: Tensor) -> Tensor:
    """Grad-CAM++: Σ_k (Σ_ij α_kij ReLU(G_kij)) A_k (Chattopadhay et al. 2018, arXiv:1710.11063).

    α = G² / (2 G² + G³ Σ_ab A_ab). The paper's factor exp(y), which is the same for the whole map
    and would only make tiles incomparable, is left out, as in public implementations. With G > 0
    (others fall to the ReLU) the weight is G / (2 + G Σ A), which needs no epsilon.
    """
    positive = gradients.relu()
    total = activations.sum(dim=(-2, -1))[..., None, None]
    return weigh((positive / (2 + positive * total)).sum(dim=(-2, -1)), activations)


def _pooled_layercam(weights: Tensor, activations: Tensor) -> Tensor:
    return weigh(weights.relu(), activations)


def _pooled_plus_plus(weights: Tensor, activations: Tensor) -> Tensor:
    positive = weights.relu() / _positions(activations)
    total = activations.sum(dim=(-2, -1))
    return weigh(_positions(activations) * positive / (2 + positive * total), activations)


def _positions(activations: Tensor) -> int:
    return activations.shape[-2] * activations.shape[-1]


@dataclass(frozen=True)
class Cam:
    """A method's two forms: ``positional`` takes gradients (K, B, C, h, w); ``pooled`` takes
    channel weights N · G (K, B or 1, C) of a head that begins with global average pooling, where
    the gradient is the same at every position.
    """

    positional: Callable[[Tensor, Tensor], Tensor]
    pooled: Callable[[Tensor, Tensor], Tensor]


CAMS: dict[str, Cam] = {
    "gradcam": Cam(gradcam, weigh),
    "gradcam++": Cam(gradcam_plus_plus, _pooled_plus_plus),
    "hirescam": Cam(hirescam, weigh),
    "layercam": Cam(layercam, _pooled_layercam),
    "xgradcam": Cam(xgradcam, weigh),
}
