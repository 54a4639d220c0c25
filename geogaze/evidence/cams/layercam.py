"""LayerCAM."""

from __future__ import annotations

from torch import Tensor

from geogaze.evidence.cams.cam import Cam, weigh
from geogaze.evidence.cams.hirescam import hirescam


def layercam(gradients: Tensor, activations: Tensor) -> Tensor:
    """LayerCAM: N Σ_k ReLU(G_k) ⊙ A_k (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943).

    Behind global average pooling it is Grad-CAM without the channels of negative weight.
    """
    return hirescam(gradients.relu(), activations)


def _pooled(weights: Tensor, activations: Tensor) -> Tensor:
    return weigh(weights.relu(), activations)


CAM = Cam(layercam, _pooled)
