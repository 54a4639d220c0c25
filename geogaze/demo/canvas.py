"""Rasteriser of the demo scene: a textured ground first, then sprites with shadows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.demo.shapes import SHADOW_PER_METRE, Colour, Points, Sprite, rotation
from geogaze.demo.texture import FloatImage, Material, Noise, textured

ByteImage = NDArray[np.uint8]
Window = tuple[slice, slice]

SUPERSAMPLING = 2
_FRACTION_BITS = 4
_SHADOW_BLUR = 1.5
_SHADOW_LIGHT = np.array([0.38, 0.42, 0.50], np.float32)
"""What is left of red, green and blue light in the shade (the sky is blue)."""


@dataclass(frozen=True)
class View:
    """Which part of the layout is drawn: pixel = turn @ (layout - centre) + size / 2."""

    size: int
    centre: tuple[float, float]
    heading: float

    def pixels(self, layout: Points) -> Points:
        """(N, 2) layout points as pixels; (0, 0) is the outer corner of the first pixel."""
        turned: Points = (layout - self.centre) @ rotation(self.heading).T + self.size / 2
        return turned

    def shows(self, x: float, y: float, reach: float = 80.0) -> bool:
        """Whether the layout point is within `reach` pixels of the picture."""
        column, row = self.pixels(np.array([[x, y]]))[0]
        low, high = -reach, self.size + reach
        return bool(low <= column <= high and low <= row <= high)

    def layout_grid(self) -> tuple[FloatImage, FloatImage]:
        """Layout x and y of every pixel centre, both (size, size) float32."""
        axis = np.arange(self.size, dtype=np.float32) + np.float32(0.5 - self.size / 2)
        turn = rotation(-self.heading)
        x = turn[0, 0] * axis[None, :] + turn[0, 1] * axis[:, None] + self.centre[0]
        y = turn[1, 0] * axis[None, :] + turn[1, 1] * axis[:, None] + self.centre[1]
        return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _fixed_point(pixels: Points, scale: int) -> NDArray[np.int32]:
    # OpenCV puts integer coordinates on pixel centres.
    shifted = (pixels * scale - 0.5) * (1 << _FRACTION_BITS)
    return np.round(shifted).astype(np.int32)


def _visible(view: View, polygons: Sequence[Points]) -> list[tuple[int, NDArray[np.int32]]]:
    """Index and fixed-point pixels of the (N, 2) polygons that touch the picture.

    All are transformed at once: one by one, the calls would cost more than the drawing.
    """
    if not polygons:
        return []
    counts = [len(polygon) for polygon in polygons]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    pixels = view.pixels(np.concatenate(polygons))
    low, high = np.minimum.reduceat(pixels, starts), np.maximum.reduceat(pixels, starts)
    seen = np.flatnonzero((high >= 0).all(axis=1) & (low <= view.size).all(axis=1))
    fixed = _fixed_point(pixels, SUPERSAMPLING)
    return [(int(i), fixed[starts[i] : starts[i] + counts[i]]) for i in seen]


def _outside(pixels: Points, size: int) -> bool:
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return bool((high < 0).any() or (low > size).any())


class Mask:
    """Coverage of part of the picture, drawn supersampled and read back anti-aliased."""

    def __init__(self, view: View) -> None:
        """An empty mask of what `view` shows."""
        self._view = view
        side = view.size * SUPERSAMPLING
        self._raster: ByteImage = np.zeros((side, side), np.uint8)
        self._low = np.array([view.size, view.size])
        self._high = np.array([0, 0])

    def _touch(self, pixels: Points, margin: float) -> None:
        low = np.floor(pixels.min(axis=0) - margin).astype(np.int64)
        high = np.ceil(pixels.max(axis=0) + margin).astype(np.int64)
        self._low = np.minimum(self._low, np.maximum(low, 0))
        self._high = np.maximum(self._high, np.minimum(high, self._view.size))

    def fill(self, *polygons: Points) -> Mask:
        """Add filled polygons (layout points)."""
        for polygon in polygons:
            pixels = self._view.pixels(polygon)
            if not _outside(pixels, self._view.size):
                self._touch(pixels, 2)
                fixed = _fixed_point(pixels, SUPERSAMPLING)
                cv2.fillPoly(self._raster, [fixed], 255, cv2.LINE_AA, _FRACTION_BITS)
        return self

    def stroke(self, paths: Iterable[Points], width: float) -> Mask:
        """Add lines of `width` pixels along the paths (layout points)."""
        thickness = max(1, round(width * SUPERSAMPLING))
        for path in paths:
            pixels = self._view.pixels(path)
            if not _outside(pixels, self._view.size + int(width)):
                self._touch(pixels, width / 2 + 2)
                fixed = _fixed_point(pixels, SUPERSAMPLING)
                cv2.polylines(
                    self._raster, [fixed], False, 255, thickness, cv2.LINE_AA, _FRACTION_BITS
                )
        return self

    def alpha(self) -> FloatImage:
        """Coverage (size, size) float32, 0..1."""
        alpha: FloatImage = np.zeros((self._view.size, self._view.size), np.float32)
        part = self.part()
        if part:
            window, alpha[window] = part[0], part[1]
        return alpha

    def part(self, margin: int = 0) -> tuple[Window, FloatImage] | None:
        """Where something is drawn, with a margin, and the coverage (0..1) there."""
        low = np.maximum(self._low - margin, 0)
        high = np.minimum(self._high + margin, self._view.size)
        if (high <= low).any():
            return None
        (x0, y0), (x1, y1) = low.tolist(), high.tolist()
        s = SUPERSAMPLING
        raster = self._raster[s * y0 : s * y1, s * x0 : s * x1]
        small = cv2.resize(raster, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        return (slice(y0, y1), slice(x0, x1)), np.asarray(
            np.asarray(small, np.float32) / 255, np.float32
        )


def rounded(alpha: FloatImage, radius: float) -> tuple[FloatImage, FloatImage]:
    """Fill the concave corners of a region with arcs, as taxiways are built.

    Args:
        alpha: Coverage (size, size), 0..1.
        radius: Radius of the fillets in pixels.

    Returns:
        Coverage with fillets, and the signed distance in pixels to its edge (inside positive).
    """
    padding = int(radius) + 2
    solid = np.pad(np.asarray(alpha > 0.5, np.uint8), padding, mode="edge")
    gap = cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    grown = np.asarray(gap <= radius, np.uint8)
    depth = cv2.distanceTransform(grown, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - radius
    closed = np.asarray(depth > 0, np.uint8)
    away = cv2.distanceTransform(1 - closed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    signed = np.where(closed > 0, depth, -away)[padding:-padding, padding:-padding]
    distance = np.asarray(signed, np.float32)
    return np.clip(distance + 0.5, 0, 1), distance


class Ground:
    """The flat part of the scene, (size, size, 3) float32 RGB 0..255, painted in place."""

    def __init__(self, view: View, noise: Noise, base: Material) -> None:
        """Ground that is all `base`."""
        self.view = view
        self.noise = noise
        self.x, self.y = view.layout_grid()
        everything = slice(0, view.size)
        self.image: FloatImage = textured(base, noise, everything, everything)

    def mask(self) -> Mask:
        """An empty mask of this ground."""
        return Mask(self.view)

    def _part(self, cover: Mask | FloatImage) -> tuple[Window, FloatImage] | None:
        if isinstance(cover, Mask):
            return cover.part()
        x, y, width, height = cv2.boundingRect(np.asarray(cover != 0, np.uint8))
        if not width or not height:
            return None
        window = slice(y, y + height), slice(x, x + width)
        return window, cover[window]

    def lay(self, cover: Mask | FloatImage, material: Material) -> None:
        """Cover a region with a material."""
        part = self._part(cover)
        if part:
            window, alpha = part
            under = self.image[window]
            under += alpha[..., None] * (textured(material, self.noise, *window) - under)

    def paint(self, cover: Mask | FloatImage, colour: Colour, opacity: float) -> None:
        """Apply worn paint, or any translucent colour."""
        part = self._part(cover)
        if part:
            window, alpha = part
            wear = np.clip(0.9 + 0.12 * self.noise.fine[window], 0.4, 1)
            weight = (alpha * wear * np.float32(opacity))[..., None]
            under = self.image[window]
            under += weight * (np.array(colour, np.float32) - under)

    def tone(self, amount: FloatImage) -> None:
        """Multiply the brightness by 1 + `amount` (size, size)."""
        part = self._part(amount)
        if part:
            window, change = part
            self.image[window] *= (1 + change)[..., None]

    def smear(self, paths: Sequence[Points], width: float, blur: float, amount: float) -> None:
        """Darken (negative) or brighten soft bands along paths: tyre dirt, oil, wear."""
        part = self.mask().stroke(paths, width).part(round(3 * blur))
        if part:
            window, alpha = part
            soft = cv2.GaussianBlur(alpha, (0, 0), blur)
            medium, fine = self.noise.medium[window], self.noise.fine[window]
            patchy = np.clip(0.75 + 0.3 * medium + 0.15 * fine, 0.1, 1.5)
            self.image[window] *= (1 + soft * patchy * np.float32(amount))[..., None]


class Stage:
    """The supersampled picture on which sprites stand, (2 size, 2 size, 3) uint8 RGB."""

    def __init__(self, ground: Ground) -> None:
        """A stage on a finished ground, which is copied."""
        self.view = ground.view
        side = self.view.size * SUPERSAMPLING
        base = np.clip(ground.image, 0, 255).astype(np.uint8)
        self.image: ByteImage = np.asarray(
            cv2.resize(base, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8
        )

    def draw(self, sprites: Sequence[Sprite]) -> None:
        """Cast the shadows of all these sprites on the picture, then paint the sprites."""
        self._cast([shadow for sprite in sprites for shadow in sprite.shadows])
        fills = [fill for sprite in sprites for fill in sprite.fills]
        for index, fixed in _visible(self.view, [fill.points for fill in fills]):
            cv2.fillPoly(self.image, [fixed], fills[index].colour, cv2.LINE_AA, _FRACTION_BITS)

    def _cast(self, shadows: Sequence[Points]) -> None:
        side = self.view.size * SUPERSAMPLING
        shaded: ByteImage = np.zeros((side, side), np.uint8)
        cast = [shadow[:, :2] + shadow[:, 2:] * SHADOW_PER_METRE for shadow in shadows]
        for _, fixed in _visible(self.view, cast):
            cv2.fillPoly(shaded, [fixed], 255, cv2.LINE_AA, _FRACTION_BITS)
        soft = cv2.GaussianBlur(shaded, (0, 0), _SHADOW_BLUR)
        levels = np.arange(256, dtype=np.float32)[:, None] / 255
        light = (255 * (1 - levels * (1 - _SHADOW_LIGHT))).round().astype(np.uint8)
        for channel in range(3):
            factor = cv2.LUT(soft, light[:, channel])
            cv2.multiply(self.image[..., channel], factor, dst=factor, scale=1 / 255)
            self.image[..., channel] = factor

    def finished(self) -> FloatImage:
        """The picture at its final size: (size, size, 3) float32, 0..255."""
        size = self.view.size
        small = cv2.resize(self.image, (size, size), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32)
