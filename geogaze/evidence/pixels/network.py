"""A classifier, ready to be explained pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from geogaze.doors import resolve
from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.evidence.pixels.method import PixelMethod, Rows, Score
from geogaze.evidence.pixels.relus import with_own_relus
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target
from geogaze.networks.layouts import maps
from geogaze.networks.split import Split


class PixelNetwork:
    """A classifier, ready to be explained pixel by pixel.

    The network given is used but not changed, nor does it ever carry hooks. It is to be in
    evaluation mode; that its parameters need no gradients saves memory. For one thread at a time.
    Its rewriting, at the first use of a method that needs that, must not coincide with another
    thread's running any network: torch.fx patches nn.Module meanwhile.
    """

    def __init__(self, cut: Split) -> None:
        self._plain = Score(cut.trunk, cut.head)
        self._has_maps = cut.as_maps is maps

    @cached_property
    def _rewritten(self) -> Score:
        return Score(with_own_relus(self._plain.trunk), with_own_relus(self._plain.head))

    def check(self, method: str) -> None:
        """See whether a method can be computed; costs at most a second, once.

        Raises:
            InvalidRequest: there is no such method.
            UnsupportedArchitecture: the method is not defined for this network.
        """
        self._score(method)

    def logits(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images, without gradients."""
        with torch.no_grad():
            return self._plain.logits(images)

    def attribute(self, method: str, images: Tensor, targets: Sequence[Target] | None) -> Tensor:
        """Maps (B, K, T, T) float32 of what each pixel contributes to K scores.

        Units, as the images are in standard deviations σ of their bands: logits for
        integrated-gradients, which is signed; logits/σ for the others, which are not negative,
        times logits per cell for guided-gradcam.

        Args:
            method: a method per pixel of :data:`geogaze.models.methods.METHODS`.
            images: (B, bands, T, T) float32, normalised, on the network's device.
            targets: K scores, or None for each image's own best class (K = 1).

        Raises:
            InvalidRequest: there is no such method.
            UnsupportedArchitecture: the method is not defined for this network.
        """
        attribute, score = self._method(method).attribute, self._score(method)
        # Of its own, so that captum marks no tensor of the caller's, nor warns that it does.
        images = images.detach().requires_grad_()
        rows = [_rows(target, images) for target in targets or ()]
        if targets is None:
            rows = [(self.logits(images).argmax(dim=1), None)]
        maps = [attribute(score, images, row) for row in rows]
        return torch.stack(maps, dim=1).detach().float()

    def _score(self, name: str) -> Score:
        method = self._method(name)
        if method.needs_maps and not self._has_maps:
            raise UnsupportedArchitecture(
                f"{name} is defined for networks whose activations are maps; those here are not."
            )
        return self._rewritten if method.replaces_relu else self._plain

    @staticmethod
    def _method(name: str) -> PixelMethod:
        per_pixel = {key: method for key, method in METHODS.items() if method.per_pixel}
        if name not in per_pixel:
            raise InvalidRequest(f"No pixel method {name!r}. There are: {', '.join(per_pixel)}.")
        method: PixelMethod = resolve(per_pixel[name].implementation)
        return method


def _rows(target: Target, images: Tensor) -> Rows:
    plus, minus = (
        None if index is None else torch.full((len(images),), index, device=images.device)
        for index in target
    )
    return plus, minus
