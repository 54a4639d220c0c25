"""What a method of a transformer's attention is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from geogaze.models.targets import Target
from geogaze.networks.class_token import TokenBlocks
from geogaze.networks.layouts import AsMaps


@dataclass(frozen=True)
class AttentionMethod:
    """A way to attribute a score to places by what blocks attend to.

    ``explain`` takes a network's blocks, how its tokens become maps, images (B, bands, T, T) and K
    scores (None: each image's best class) to logits (B, classes) and maps (B, K, g, g).
    """

    explain: Callable[[TokenBlocks, AsMaps, Tensor, Sequence[Target] | None], tuple[Tensor, Tensor]]
