"""Scores of networks that label pixels: a class's logits, summed over where it is predicted.

So a class has one score in an image, whose evidence can be looked for as that of a classifier's
logit (Vinogradova, Dibrov and Myers 2020, "Towards interpretable semantic segmentation via
gradient-weighted class activation mapping", arXiv:2002.11434). Where a class is predicted is what
the network says, not what is differentiated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geogaze.models.bundles import Bundle, Probabilities
from geogaze.networks.captured import Captured
from geogaze.networks.logits import scores_in
from geogaze.networks.split import Split


class Labels(NamedTuple):
    """What a network that labels pixels says of images.

    ``logits`` (B, K) are the classes' scores, ``shares`` (B, K) of the pixels that each is
    predicted on; None where nothing is predicted, as by regression.
    """

    logits: Tensor
    shares: Tensor | None


class Regions(nn.Module):
    """From maps of logits (B, K, h, w), or an output that holds them, to :class:`Labels`.

    Args:
        rule: which classes a pixel is of: by ``softmax`` the one of the highest logit, by
            ``sigmoid`` each whose logit is positive; by ``none`` all scores count everywhere.
    """

    def __init__(self, rule: Probabilities) -> None:
        super().__init__()
        self.rule = rule
        self._places: Tensor | None = None

    @contextmanager
    def within(self, places: Tensor | None) -> Iterator[None]:
        """Meanwhile scores are sums over these places, whatever is predicted there.

        Args:
            places: (B, 1 or K, H, W) bool, at any resolution; None for where a class is predicted.
        """
        before, self._places = self._places, places
        try:
            yield
        finally:
            self._places = before

    def places(self, output: Any) -> Tensor:
        """Where each class's scores are summed, (B, K, h, w) bool, of a network's output."""
        maps = scores_in(output)
        if self._places is None:
            return self._predicted(maps)
        inside = F.interpolate(self._places.to(maps.dtype), maps.shape[2:])
        return inside.expand_as(maps).bool()

    def _predicted(self, maps: Tensor) -> Tensor:
        """Where each class is predicted, (B, K, h, w) bool, by maps of logits."""
        if self.rule == "none":
            return torch.ones_like(maps, dtype=torch.bool)
        if self.rule == "sigmoid":
            return maps > 0
        best = maps.argmax(dim=1, keepdim=True)
        return torch.zeros_like(maps, dtype=torch.bool).scatter_(1, best, value=True)

    def forward(self, output: Any) -> Labels:
        """Scores and shares of classes."""
        maps = scores_in(output)
        with torch.no_grad():
            places, found = self.places(maps), self._predicted(maps)
            inside = torch.ones_like(places) if self._places is None else places
            shares = (found & inside).sum(dim=(2, 3)) / inside.sum(dim=(2, 3))
        scores = (maps * places).sum(dim=(2, 3))
        return Labels(scores, None if self.rule == "none" else shares)


class Labelling(nn.Module):
    """A network, or the head of one, that labels pixels, as one that gives :class:`Labels`."""

    def __init__(self, network: nn.Module, regions: Regions) -> None:
        super().__init__()
        self.network, self.regions = network, regions

    def forward(self, given: Tensor) -> Labels:
        """Labels of images, or of activations."""
        labels: Labels = self.regions(self.network(given))
        return labels


def regions_of(bundle: Bundle) -> Regions | None:
    """How a bundle's network labels pixels; None where it gives logits of images."""
    return Regions(bundle.probabilities) if bundle.labels_pixels else None


def labelled(cut: Split | Captured, regions: Regions | None) -> Split | Captured:
    """A cut network whose scores are those of regions; as it is without any."""
    if regions is None:
        return cut
    if isinstance(cut, Split):
        return replace(cut, head=Labelling(cut.head, regions))
    return Captured(cut.model, cut.module, cut.as_maps, regions)
