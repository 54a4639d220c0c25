"""Grad-CAM for every class of a batch from one forward pass.

Method: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via
Gradient-based Localization" (arXiv:1610.02391).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geogaze.explain.architectures import Split


@dataclass(frozen=True)
class Explanation:
    """What a network says of a batch, and why.

    ``logits`` (B, classes) float32; ``evidence`` (B, K, g, g) float32, signed, in logits: on a
    network that pools globally and ends in one linear layer, its spatial mean is the class's logit
    less its bias. ``classes`` (B, K) int64: whose evidence it is.
    """

    logits: Tensor
    evidence: Tensor
    classes: Tensor


def explain(split: Split, images: Tensor, classes: tuple[int, ...] | None) -> Explanation:
    """Signed class evidence, exact: Σ_k (Σ_ij ∂y_c/∂A_kij) · A_k for activations A.

    This is Grad-CAM without its ReLU, scaled by the number of activations, which makes maps of
    different grid sizes comparable. The trunk runs once, without gradients; only the head is
    differentiated, once for each class.

    Args:
        split: the network; its parameters need no gradients.
        images: (B, bands, T, T) float32, normalised, on the network's device.
        classes: K positions in the logits, or None for each image's own best class (K = 1).
    """
    with torch.no_grad():
        activations = split.trunk(images)
    activations = activations.detach().requires_grad_()
    logits = split.head(activations)
    if classes is None:
        chosen = logits.argmax(dim=1, keepdim=True)
    else:
        chosen = torch.tensor(classes, device=logits.device).expand(len(logits), -1)
    maps = []
    for k in range(chosen.shape[1]):
        score = logits.gather(1, chosen[:, k : k + 1]).sum()
        (gradient,) = torch.autograd.grad(score, activations, retain_graph=True)
        weights = gradient.sum(dim=(2, 3))
        maps.append(torch.einsum("bc,bchw->bhw", weights, activations.detach()))
    return Explanation(logits.detach(), torch.stack(maps, dim=1), chosen)
