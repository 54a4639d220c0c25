"""Public Grad-CAM libraries on the same network and the same images."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn

from geogaze.bench.clock import seconds
from geogaze.errors import InvalidRequest
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at
from geogaze.networks.layouts import Tokens, maps
from geogaze.networks.split import Split

Maps = Callable[[int], Tensor]
"""Maps (B, rows, cols) of a class for the batch."""


_COMPARED = 5
"""Classes whose maps are compared."""


@dataclass(frozen=True)
class PeerResult:
    """Seconds for all classes, and the largest difference of a map, of its peak."""

    seconds: float
    max_relative_difference: float


def compare(
    model: nn.Module, prepared: Split | Captured, images: Tensor, evidence: Tensor
) -> dict[str, PeerResult]:
    """Run the peers on every class.

    They are timed on the network as its library builds it, as their users run it; their maps are
    compared on our prepared trunk, so that they differ by the method alone and not by the rounding
    of folded batch normalisation. Where the layer gives tokens, both are the network itself, with
    tokens made maps and tokens again there: what pytorch-grad-cam calls a reshape transform.

    Args:
        model: the network, its parameters requiring gradients as they do when built.
        prepared: our folded, channels-last network, float32.
        images: (B, bands, T, T).
        evidence: (B, K, g, g), ours, of classes 0 to K - 1.

    Raises:
        InvalidRequest: a peer is not installed, or the network labels pixels.
    """
    missing = [n for n in ("pytorch_grad_cam", "captum", "torchcam") if find_spec(n) is None]
    if missing:
        raise InvalidRequest(
            f"--peers needs {', '.join(missing)}; install them: pip install 'geogaze[bench]'"
        )
    classes = evidence.shape[1]
    plain = cut_at(model)
    results = {}
    for name, (peer, ours) in _PEERS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their own business
            each = peer(*_whole(model, plain), images.contiguous())
            each(0)  # warm
            took = seconds(partial(_every, each, classes), images.device)
            theirs = _every(peer(*_whole(model, prepared), images), min(classes, _COMPARED))
        mine = ours(evidence, images)[:, : theirs.shape[1]]
        results[name] = PeerResult(took, _difference(mine, theirs))
    return results


def _whole(model: nn.Module, cut: Split | Captured) -> tuple[nn.Module, nn.Module]:
    """A network of its own to hook, and the module of it that gives the target layer's maps."""
    if isinstance(cut, Split) and cut.as_maps is maps:
        trunk, head = copy.deepcopy(cut.trunk), copy.deepcopy(cut.head)
        return nn.Sequential(trunk, head).requires_grad_(True), trunk
    assert isinstance(cut.as_maps, Tokens), "networks for measuring give maps or tokens"
    whole = copy.deepcopy(model)
    layer = _Reshaped(whole.get_submodule(cut.module), cut.as_maps)
    whole.set_submodule(cut.module, layer)
    return whole.requires_grad_(True), layer.maps


class _Maps(nn.Module):
    """Tokens made maps."""

    def __init__(self, as_maps: Tokens) -> None:
        super().__init__()
        self.as_maps = as_maps

    def forward(self, tokens: Tensor) -> Tensor:
        return self.as_maps(tokens)


class _Reshaped(nn.Module):
    """A layer that gives tokens, made maps on their way."""

    def __init__(self, layer: nn.Module, as_maps: Tokens) -> None:
        super().__init__()
        self.layer, self.prefix, self.maps = layer, as_maps.prefix, _Maps(as_maps)

    def forward(self, tokens: Tensor) -> Tensor:
        given: Tensor = self.layer(tokens)
        places: Tensor = self.maps(given)
        return torch.cat([given[:, : self.prefix], places.flatten(2).transpose(1, 2)], dim=1)


def _every(each: Maps, classes: int) -> Tensor:
    return torch.stack([each(k).detach() for k in range(classes)], dim=1)


def _difference(ours: Tensor, theirs: Tensor) -> float:
    ours, theirs = ours.cpu(), theirs.cpu()
    peak = theirs.abs().amax(dim=(-2, -1), keepdim=True)
    return float(((ours - theirs).abs() / peak.clamp_min(1e-30)).nan_to_num(0).max())


def _pytorch_grad_cam(whole: nn.Module, layer: nn.Module, images: Tensor) -> Maps:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    cam = GradCAM(model=whole, target_layers=[layer])

    def each(index: int) -> Tensor:
        targets = [ClassifierOutputTarget(index)] * len(images)
        return torch.from_numpy(cam(input_tensor=images, targets=targets))

    return each


def _captum(whole: nn.Module, layer: nn.Module, images: Tensor) -> Maps:
    from captum.attr import LayerGradCam

    gradcam = LayerGradCam(whole, layer)

    def each(index: int) -> Tensor:
        found: Tensor = gradcam.attribute(images, target=index, relu_attributions=False)
        return found[:, 0]

    return each


def _torchcam(whole: nn.Module, layer: nn.Module, images: Tensor) -> Maps:
    from torchcam.methods import GradCAM

    extractor = GradCAM(whole, layer, input_shape=tuple(images.shape[1:]))

    def each(index: int) -> Tensor:
        logits = whole(images)
        found: Tensor = extractor([index] * len(images), logits)[0]
        return found

    return each


def _resized(evidence: Tensor, images: Tensor) -> Tensor:
    """As pytorch-grad-cam hands its maps out: 0 to 1 each, as large as the image."""
    from pytorch_grad_cam.utils.image import scale_cam_image

    size = images.shape[-1], images.shape[-2]
    relu = evidence.relu().cpu().numpy()
    scaled = [scale_cam_image(scale_cam_image(of_image, size)) for of_image in relu]
    return torch.from_numpy(np.stack(scaled))


def _averaged(evidence: Tensor, images: Tensor) -> Tensor:
    """As captum hands its maps out: weighed by mean gradients."""
    return evidence / (evidence.shape[-1] * evidence.shape[-2])


def _normalised(evidence: Tensor, images: Tensor) -> Tensor:
    """As torchcam hands its maps out: ReLU, then minimum to maximum as 0 to 1."""
    relu = evidence.relu()
    low = relu.amin(dim=(-2, -1), keepdim=True)
    return (relu - low) / (relu.amax(dim=(-2, -1), keepdim=True) - low)


_PEERS = {
    "pytorch-grad-cam": (_pytorch_grad_cam, _resized),
    "captum": (_captum, _averaged),
    "torchcam": (_torchcam, _normalised),
}
