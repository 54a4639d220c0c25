"""A network in two pieces, between which a class's evidence is looked for."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Split:
    """A classifier in two pieces.

    ``trunk`` maps images (B, bands, T, T) to activations (B, C, g, g), ``head`` activations to
    logits (B, classes); ``module`` names the cut in the original network.
    """

    trunk: nn.Module
    head: nn.Module
    module: str
