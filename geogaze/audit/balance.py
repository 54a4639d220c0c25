"""The balance sheet: a logit as the sum of what each kind of ground says. Pure.

On a network that pools its last maps and ends in one linear layer, the mean of a class's evidence
over a tile's cells is the logit less a constant, the bias. So evidence can be added up by what
lies under it, and the sums are the logit: an identity, not a score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cell_pixels(size: int, cells: int, stride: float, first_center: float) -> Floats:
    """How much of each pixel belongs to each cell, along one axis: each point to the nearest cell.

    Args:
        size: pixels of a tile's side.
        cells: of its grid.
        stride: pixels from cell to cell.
        first_center: pixel on which the first cell is centred.

    Returns:
        (cells, size) in 0..1; each column sums to 1. A cell beyond the border has the pixel there
        too, so that no evidence lies nowhere.
    """
    inner = first_center + 0.5 + (np.arange(cells - 1) + 0.5) * stride
    edges = np.concatenate([[0.0], np.clip(inner, 0, size), [float(size)]])
    pixels = np.arange(size)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    owned = np.clip(high - low, 0, None)
    centres = np.clip(first_center + np.arange(cells) * stride, 0, size - 1).astype(int)
    beyond = owned.sum(axis=1) == 0
    owned[beyond, centres[beyond]] = 1
    return np.asarray(owned)


def cell_shares(masks: NDArray[np.bool_], pixels: Floats) -> Floats:
    """What share of each cell a mask covers.

    Args:
        masks: (…, T, T).
        pixels: (g, T), from :func:`cell_pixels`.

    Returns:
        (…, g, g) in 0..1.
    """
    length = pixels.sum(axis=1)
    return np.asarray(pixels @ masks.astype(np.float64) @ pixels.T / np.outer(length, length))


@dataclass(frozen=True)
class Bias:
    """What a logit is where there is no evidence; ``closure`` is how far it is off at most.

    ``closes`` says whether evidence adds up to the logit: as exactly as float32 does.
    """

    value: float
    closure: float
    closes: bool


def bias_of(logits: Floats, sums: Floats, exact: float = 1e-5) -> Bias:
    """The constant between logits and what their evidence adds up to.

    Args:
        logits: (n,) of one class.
        sums: (n,) of its evidence, in logits.
        exact: how far it may vary and still be constant, relative to the largest logit.
    """
    rest = logits - sums
    value = float(np.median(rest))
    closure = float(np.abs(rest - value).max(initial=0.0))
    largest = max(1.0, float(np.abs(logits).max(initial=0.0)))
    return Bias(value, closure, closure <= exact * largest)


def balance(evidence: Floats, shares: Floats) -> Floats:
    """The evidence of each layer: what its share of the cells says, in logits.

    Args:
        evidence: (n, g, g).
        shares: (n, layers, g, g) in 0..1, which sum to 1 over the layers.

    Returns:
        (n, layers); its sum over layers and the bias are the logit.
    """
    return np.asarray(np.einsum("nyx,nlyx->nl", evidence, shares) / evidence.shape[-1] ** 2)
