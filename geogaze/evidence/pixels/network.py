"""A network, ready to be explained pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geogaze.doors import resolve
from geogaze.errors import InvalidRequest
from geogaze.evidence.pixels.method import PixelMethod, Rows, Score
from geogaze.evidence.pixels.relus import with_own_relus
from geogaze.evidence.routes import Evidence, explain
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target
from geogaze.networks.captured import Captured
from geogaze.networks.logits import logits_of
from geogaze.networks.regions import Labelling, Labels, Regions
from geogaze.networks.split import Split


class PixelNetwork:
    """A network, ready to be explained pixel by pixel, in two pieces or as a whole.

    The network given is used but not changed, nor does it ever carry hooks. It is to be in
    evaluation mode; that its parameters need no gradients saves memory. For one thread at a time.
    Its rewriting, at the first use of a method that needs that, must not coincide with another
    thread's running any network: torch.fx patches nn.Module meanwhile.
    """

    def __init__(self, cut: Split | Captured) -> None:
        self._cut = cut
        self._regions: Regions | None = None
        if isinstance(cut, Captured):
            network, finish = cut.model, cut.finish
        else:
            labels = cut.head if isinstance(cut.head, Labelling) else None
            finish = labels.regions if labels else None
            network = nn.Sequential(cut.trunk, labels.network if labels else cut.head)
        self._regions = finish if isinstance(finish, Regions) else None
        self._plain = Score(network, finish)

    @cached_property
    def _rewritten(self) -> Score:
        return Score(with_own_relus(self._plain.network), self._plain.finish)

    def check(self, method: str) -> None:
        """See whether a method can be computed; costs at most a second, once.

        Raises:
            InvalidRequest: there is no such method.
            UnsupportedArchitecture: the method is not defined for this network.
        """
        self._score(method)

    def explain(self, images: Tensor, targets: Sequence[Target] | None, method: str) -> Evidence:
        """What the network says of images, and maps as :meth:`attribute` has them."""
        with torch.no_grad():
            answer = self._plain.answer(images)
        logits = logits_of(answer, len(images))
        shares = answer.shares if isinstance(answer, Labels) else None
        return Evidence(logits, self.attribute(method, images, targets), "pixels", shares)

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
        how, score = self._method(method), self._score(method)
        # Of its own, so that captum marks no tensor of the caller's, nor warns that it does.
        images = images.detach().requires_grad_()
        rows = [_rows(target, images) for target in targets or ()]
        with self._where_predicted(images):
            if targets is None:
                rows = [(self._best(images), None)]
            maps = torch.stack([how.attribute(score, images, row) for row in rows], dim=1)
        if how.times_gradcam:
            maps = maps * self._gradcam(images.detach(), targets)
        return maps.detach().float()

    def _best(self, images: Tensor) -> Tensor:
        """The best class (B,) of each image."""
        with torch.no_grad():
            answer = self._plain.answer(images)
        shares = answer.shares if isinstance(answer, Labels) else None
        return (logits_of(answer, len(images)) if shares is None else shares).argmax(dim=1)

    @contextmanager
    def _where_predicted(self, images: Tensor) -> Iterator[None]:
        """Let scores be sums over where these images' classes are, for other images too."""
        if self._regions is None:
            yield
            return
        with torch.no_grad():
            found = self._regions.places(self._plain.network(images))
        with self._regions.within(found):
            yield

    def _gradcam(self, images: Tensor, targets: Sequence[Target] | None) -> Tensor:
        """Grad-CAM (B, K, T, T), its positive part, stretched over the images."""
        evidence = explain(self._cut, images, targets).evidence.clamp(min=0)
        averaged = evidence / (evidence.shape[-2] * evidence.shape[-1])
        return F.interpolate(averaged, images.shape[2:], mode="bilinear")

    def _score(self, name: str) -> Score:
        return self._rewritten if self._method(name).replaces_relu else self._plain

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
