"""Where the textbook's Grad-CAM, pytorch-grad-cam, captum and ours agree, and where they differ.

Networks of torchvision with random weights, on a part of the drawn scene; the best
class, the last convolutional layer, one picture of 224 × 224 for all. Maps of 0 to 1 are compared.
Run: ``python -m tests.benchmarks.textbook`` (pytorch-grad-cam is left out unless it is installed:
``pip install grad-cam``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import torch
import torchvision
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

import geogaze
from geogaze.demo.scene import draw_demo_scene
from geogaze.networks.bundling import IMAGENET_MEAN, IMAGENET_STD
from geogaze.products.make.color import stretch
from geogaze.runner.textbook import textbook_heat

SIZE = 224
NETWORKS = {"vgg16": "features.29", "resnet18": "layer4"}
"""The last convolutional layer of each, behind its ReLU."""

Map = NDArray[np.float32]


def walk(model: nn.Module, layer: str, image: Tensor) -> Map:
    """The textbook, step by step: pooled gradients times maps, mean over channels, ReLU, over its
    maximum. (h, w)
    """
    kept: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda *of: kept.append(of[2]))
    logits = model(image)
    hook.remove()
    (gradient,) = torch.autograd.grad(logits[0].max(), kept)
    pooled = gradient[0].mean(dim=(1, 2))
    heat = (pooled[:, None, None] * kept[0][0]).mean(dim=0).clamp(min=0)
    return (heat / heat.max()).detach().numpy()


def by_captum(model: nn.Module, layer: str, image: Tensor) -> Map:
    """Captum's map (h, w), over its maximum."""
    best = int(model(image).argmax())
    found = LayerGradCam(model, model.get_submodule(layer)).attribute(
        image, best, relu_attributions=True
    )
    heat = found[0, 0].detach().numpy()
    return np.asarray(heat / heat.max())


def by_pytorch_grad_cam(model: nn.Module, layer: str, image: Tensor) -> Map:
    """pytorch-grad-cam's map, of the size of the image."""
    from pytorch_grad_cam import GradCAM

    return np.asarray(GradCAM(model, [model.get_submodule(layer)])(image, None)[0])


def measure(name: str, layer: str, picture: NDArray[np.uint8]) -> dict[str, Any]:
    """Largest differences, and how far our heat lies from the textbook's, pixels right and down."""
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None, num_classes=10).eval()
    mean, std = (np.array(of)[:, None, None] for of in (IMAGENET_MEAN, IMAGENET_STD))
    values = (picture.transpose(2, 0, 1) / 255 - mean) / std
    image = torch.from_numpy(values.astype(np.float32))[None].requires_grad_()
    best = int(model(image).argmax())
    ours = geogaze.explain(model, picture, layer=layer, classes=[best])
    grid = np.maximum(ours.evidence[0], 0)
    theirs = walk(model, layer, image)
    cell = (ours.transform.c, ours.transform.f, ours.transform.a)
    placed = stretch(grid, cell, (SIZE, SIZE))
    placed = placed / placed.max()
    enlarged = textbook_heat(theirs, (SIZE, SIZE))
    peers: dict[str, Callable[..., Map]] = {"captum": by_captum}
    if find_spec("pytorch_grad_cam"):
        peers["pytorch_grad_cam"] = by_pytorch_grad_cam
    centres = _centre(placed), _centre(enlarged)
    told: dict[str, Any] = {
        "grid": grid.shape[0],
        "ours_on_its_grid": _apart(grid / grid.max(), theirs),
        "ours_in_its_place": _apart(placed, enlarged),
        "moved_pixels": [round(b - a, 1) for a, b in zip(*centres, strict=True)],
    }
    for peer, find in peers.items():
        found = find(model, layer, image)
        same = found.shape == theirs.shape
        told[peer] = _apart(found, theirs if same else enlarged)
        told[f"{peer}_gives"] = list(found.shape)
    return told


def _apart(one: Map, other: Map) -> float:
    return float(np.abs(one - other).max())


def _centre(heat: Map) -> tuple[float, float]:
    """Of gravity: column and row."""
    rows, cols = np.indices(heat.shape)
    return float((cols * heat).sum() / heat.sum()), float((rows * heat).sum() / heat.sum())


def main() -> None:
    """Print a line of JSON for each network."""
    argparse.ArgumentParser().parse_args()
    scene = draw_demo_scene(2 * SIZE).image
    picture = np.asarray(cv2.resize(scene, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)
    for name, layer in NETWORKS.items():
        print(json.dumps({"network": name, "layer": layer, **measure(name, layer, picture)}))


if __name__ == "__main__":
    main()
