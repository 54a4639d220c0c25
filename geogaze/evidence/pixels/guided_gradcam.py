"""Guided Grad-CAM: max over bands of |R · upsampled ReLU(Grad-CAM)| (Selvaraju et al. 2017,
arXiv:1610.02391).

R is that of guided backpropagation, Grad-CAM that of the layer looked at, its gradients averaged,
interpolated bilinearly. As Grad-CAM is the same for all bands and not negative, it multiplies what
guided backpropagation makes of them. Detail comes from that and shares its insensitivity to
parameters; only Grad-CAM tells classes apart (Adebayo et al. 2018, arXiv:1810.03292).
"""

from __future__ import annotations

from geogaze.evidence.pixels.guided_backprop import guided_backprop
from geogaze.evidence.pixels.method import PixelMethod

METHOD = PixelMethod(guided_backprop, replaces_relu=True, times_gradcam=True)
