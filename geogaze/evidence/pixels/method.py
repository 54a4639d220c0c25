"""What a method per pixel is: the score that captum differentiates, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from geogaze.networks.logits import logits_of

Rows = tuple[Tensor | None, Tensor | None]
"""A target for each image of a batch: positions (B,) int64 in its logits, or None."""


class Score(nn.Module):
    """A network as captum wants it: from images (B, bands, T, T) to one score each, (B,).

    Args:
        network: the whole of it.
        finish: its answer of what the network gives, where that is no logits.
    """

    def __init__(self, network: nn.Module, finish: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        self.network = network
        self.finish = finish

    def answer(self, images: Tensor) -> Any:
        """What the network says of images, of which logits (B, classes) can be had."""
        output = self.network(images)
        return self.finish(output) if self.finish else output

    def forward(self, images: Tensor, plus: Tensor | None, minus: Tensor | None) -> Tensor:
        """Logits at ``plus`` less those at ``minus``; None leaves a term out."""
        logits = logits_of(self.answer(images), len(images))
        score = logits.new_zeros(len(logits))
        if plus is not None:
            score = score + logits.gather(1, plus[:, None])[:, 0]
        if minus is not None:
            score = score - logits.gather(1, minus[:, None])[:, 0]
        return score


@dataclass(frozen=True)
class PixelMethod:
    """A way to attribute a score to pixels.

    ``attribute`` gives a map (B, T, T) of images (B, bands, T, T) for a score of each.
    ``replaces_relu`` says that it replaces what ReLU does in the backward pass, so that it is
    defined only where ReLU is the only nonlinearity; ``times_gradcam`` that its maps are multiplied
    by Grad-CAM at the layer that is looked at.
    """

    attribute: Callable[[Score, Tensor, Rows], Tensor]
    replaces_relu: bool = False
    times_gradcam: bool = False
