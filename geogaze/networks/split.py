"""A network in two pieces, between which a class's evidence is looked for."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from geogaze.networks.class_token import TokenBlocks
from geogaze.networks.layouts import AsMaps, maps


@dataclass(frozen=True)
class Split:
    """A classifier in two pieces.

    ``trunk`` takes images (B, bands, T, T) to activations, ``head`` activations to logits
    (B, classes); ``module`` names the cut in the original network. ``as_maps`` makes maps
    (B, C, g, g) of activations; those of convolutional networks are maps already. ``mixes`` says
    that attention mixes places, so that where a cell looks cannot be measured: cells then divide
    the image evenly. ``blocks`` are those of a transformer that classifies by its class token.
    """

    trunk: nn.Module
    head: nn.Module
    module: str
    as_maps: AsMaps = maps
    mixes: bool = False
    blocks: TokenBlocks | None = None

    def maps(self, images: Tensor) -> Tensor:
        """Activations of images (B, bands, T, T), as maps (B, C, g, g)."""
        return self.as_maps(self.trunk(images))
