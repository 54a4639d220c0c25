"""How images become a network's input: varied as views from above may differ, or plain."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2


def transforms(
    size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[nn.Module, nn.Module]:
    """How images become a network's input: varied, to train by, and plain.

    Args:
        size: pixels of a side.
        mean: of each band, of values in 0..1.
        std: likewise.
    """
    to_unit = v2.ToDtype(torch.float32, scale=True)
    normalise = v2.Normalize(list(mean), list(std))
    colours = v2.ColorJitter(0.3, 0.3, 0.3, 0.05) if len(mean) == 3 else _Light(0.3)
    resize = v2.Resize((size, size), antialias=True)
    augment = v2.Compose(
        [
            resize,
            v2.RandomChoice([v2.RandomRotation((a, a)) for a in (0, 90, 180, 270)]),
            v2.RandomHorizontalFlip(),
            _RandomZoom(0.5, 1.5),
            to_unit,
            colours,
            normalise,
        ]
    )
    return augment, v2.Compose([resize, to_unit, normalise])


class _Light(nn.Module):
    """More or less light and contrast, in all bands alike; colours of other than three bands are
    nobody's to turn.
    """

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def forward(self, image: Tensor) -> Tensor:
        light, contrast = (1 + self.most * (2 * torch.rand(2) - 1)).tolist()
        mean = image.mean(dim=(-2, -1), keepdim=True)
        varied: Tensor = ((image - mean) * contrast + mean) * light
        return varied


class _RandomZoom(nn.Module):
    """Zoom about a random point; zooming out mirrors the image at its border."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, image: Any) -> Any:
        height, width = image.shape[-2:]
        zoom = float(torch.empty(()).uniform_(self.low, self.high))
        if zoom >= 1:
            crop = v2.RandomCrop((round(height / zoom), round(width / zoom)))
            return v2.functional.resize(crop(image), [height, width], antialias=True)
        small = v2.functional.resize(
            image, [round(height * zoom), round(width * zoom)], antialias=True
        )
        missing = [height - small.shape[-2], width - small.shape[-1]]
        top, left = (int(torch.randint(m + 1, ())) for m in missing)
        padding = [left, top, missing[1] - left, missing[0] - top]
        return v2.functional.pad(small, padding, padding_mode="symmetric")
