"""Guided Grad-CAM."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.pixels.method import PixelMethod, Rows, Score
from geogaze.evidence.pixels.relus import hooks_expected


def guided_gradcam(score: Score, images: Tensor, rows: Rows) -> Tensor:
    """Max over bands of |R · upsampled ReLU(Grad-CAM)|, (B, T, T) (Selvaraju et al. 2017,
    arXiv:1610.02391).

    R is that of guided backpropagation, Grad-CAM that of the trunk's activations, its gradients
    averaged, interpolated bilinearly. Detail comes from guided backpropagation and shares its
    insensitivity to parameters; only Grad-CAM tells classes apart (Adebayo et al. 2018,
    arXiv:1810.03292).
    """
    from captum.attr import GuidedGradCam

    with hooks_expected():
        product: Tensor = GuidedGradCam(score, score.trunk).attribute(
            images, additional_forward_args=rows, interpolate_mode="bilinear"
        )
    return product.abs().amax(dim=1)


METHOD = PixelMethod(guided_gradcam, replaces_relu=True, needs_maps=True)
