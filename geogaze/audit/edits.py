"""Changing the world in a picture: objects taken out, surroundings replaced, cues laid over. Pure.

Pictures are (bands, T, T) float32 in 0..1, whatever their bands.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]

_GROWN = 4  # pixels beyond an outline that belong to the object: its shadow, its blurred edge
_SOFT = 2.0  # sigma of the edge of what is put in
_REACH = 12.0  # sigma of the surroundings that fill a hole
_CAST = 0.06
_SHARP = 1.0  # sigma of the blur
_ALIKE = 0.15  # of values in 0..1: what differs by less is texture, by more an edge
_NEAR = 4.0  # sigma of pixels over which texture is smoothed
_PIECES = 6  # along a side, when shape is taken away
_SHUFFLE = 0  # seed: the same for all tiles and models, so that they compare


def hole_of(mask: Mask) -> Mask:
    """What is to be replaced of a tile (T, T) for an object to be gone."""
    kernel = np.ones((2 * _GROWN + 1,) * 2, np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def replaced(picture: Picture, other: Picture, where: Mask) -> Picture:
    """One picture with another where a mask is, softly at its edge."""
    alpha = cv2.GaussianBlur(where.astype(np.float32), (0, 0), _SOFT)
    return np.asarray(picture + alpha * (other - picture), dtype=np.float32)


def filled_in(picture: Picture, hole: Mask) -> Picture:
    """What a hole would show if its surroundings went on in it: their means, the nearer the more.

    A tile that is all hole becomes its own mean.
    """
    known = (~hole).astype(np.float32)
    if not known.any():
        return np.broadcast_to(picture.mean(axis=(1, 2), keepdims=True), picture.shape).copy()
    filled, weight, sigma = np.zeros_like(picture), np.zeros_like(known), _REACH
    while True:  # ever wider, until nothing is left open
        near = cv2.GaussianBlur(known, (0, 0), sigma)
        fresh = (near > 1e-3) & (weight == 0)
        for band, values in enumerate(picture):
            blurred = cv2.GaussianBlur(values * known, (0, 0), sigma)
            np.divide(blurred, near, out=filled[band], where=fresh)
        weight[fresh] = 1
        if weight.all():
            return filled
        sigma *= 2


def elsewhere(hole: Mask) -> Mask:
    """The same hole in another place of the tile, off the object: what mere editing does."""
    half = hole.shape[0] // 2
    return np.roll(hole, (half, half), (0, 1)) & ~hole


def look_of(picture: Picture, where: Mask) -> NDArray[np.float64]:
    """What ground looks like, to find some alike: means and deviations (2 · bands,)."""
    seen = picture[:, where].astype(np.float64)
    if not seen.size:
        seen = picture.reshape(len(picture), -1).astype(np.float64)
    return np.concatenate([seen.mean(axis=1), seen.std(axis=1)])


def warmer(picture: Picture) -> Picture:
    """A cast: the first band up, the last one down."""
    cast = np.linspace(1 + _CAST, 1 - _CAST, len(picture), dtype=np.float32)
    return np.asarray(np.clip(picture * cast[:, None, None], 0, 1))


def cooler(picture: Picture) -> Picture:
    """The opposite cast."""
    return warmer(picture[::-1])[::-1]


def blurred(picture: Picture) -> Picture:
    """Less sharp."""
    return np.stack([cv2.GaussianBlur(band, (0, 0), _SHARP) for band in picture])


def sharpened(picture: Picture) -> Picture:
    """Sharper, by as much as blurring takes away."""
    return np.asarray(np.clip(2 * picture - blurred(picture), 0, 1))


def untextured(picture: Picture) -> Picture:
    """Without texture: smooth between its edges (a bilateral filter)."""
    return np.stack([cv2.bilateralFilter(band, -1, _ALIKE, _NEAR) for band in picture])


def unshaped(picture: Picture) -> Picture:
    """Without shape: cut into squares that lie elsewhere."""
    side = picture.shape[1]
    ends = np.linspace(0, side, _PIECES + 1).astype(int)
    small = int(np.diff(ends).min())
    starts = [(top, left) for top in ends[:-1] for left in ends[:-1]]
    order = np.random.default_rng(_SHUFFLE).permutation(len(starts))
    shuffled = picture.copy()
    for (top, left), other in zip(starts, order, strict=True):
        row, col = starts[other]
        piece = picture[:, row : row + small, col : col + small]
        shuffled[:, top : top + small, left : left + small] = piece
    return shuffled


def uncoloured(picture: Picture) -> Picture:
    """Without colour: the mean of its bands in each."""
    return np.broadcast_to(picture.mean(axis=0, keepdims=True), picture.shape).copy()


SUPPRESSED = {"texture": untextured, "shape": unshaped, "colour": uncoloured}
"""What is taken from whole pictures in turn, to see what a class relies on (arXiv:2509.20234)."""

PROBES = {"warmer": warmer, "cooler": cooler, "blurred": blurred, "sharpened": sharpened}
"""Cues that lie over a whole picture, tried on empty ground."""
