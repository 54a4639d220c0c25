"""Integrated gradients."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.pixels.method import PixelMethod, Rows, Score

STEPS = 50
"""Points of the Gauss-Legendre quadrature."""


def integrated_gradients(score: Score, images: Tensor, rows: Rows) -> Tensor:
    """Σ over bands of x · ∫₀¹ ∂score(αx)/∂x dα, (B, T, T), signed, in logits.

    The baseline 0 is the normalisation's mean; a map sums to score(x) - score(0), up to the error
    of the quadrature (Sundararajan et al. 2017, arXiv:1703.01365). The factor x makes maps resemble
    the image whatever the network is (Adebayo et al. 2018, arXiv:1810.03292).
    """
    from captum.attr import IntegratedGradients

    shares: Tensor = IntegratedGradients(score).attribute(
        images,
        additional_forward_args=rows,
        n_steps=STEPS,
        method="gausslegendre",
        internal_batch_size=len(images),  # a step at a time: the memory of one gradient
    )
    return shares.sum(dim=1)


METHOD = PixelMethod(integrated_gradients)
