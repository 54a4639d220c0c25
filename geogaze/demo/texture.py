"""Noise fields and ground materials of the demo scene."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.demo.shapes import Colour

FloatImage = NDArray[np.float32]


@dataclass(frozen=True)
class Noise:
    """Noise fields (size, size) float32, each with mean 0 and deviation 1.

    Attributes:
        grain: Pixel to pixel.
        fine: Blotches of 2 to 8 pixels.
        medium: Blotches of 16 to 64 pixels.
        large: Blotches of 128 to 512 pixels.
    """

    grain: FloatImage
    fine: FloatImage
    medium: FloatImage
    large: FloatImage

    def window(self, rows: slice, columns: slice) -> Noise:
        """The fields over a part of the picture."""
        at = rows, columns
        return Noise(self.grain[at], self.fine[at], self.medium[at], self.large[at])


@dataclass(frozen=True)
class Material:
    """How a ground cover looks.

    Attributes:
        dark: One RGB colour of its large blotches.
        light: The other.
        medium: Amplitude of medium noise, in grey levels.
        fine: Amplitude of fine noise.
        grain: Amplitude of pixel noise.
        patchiness: How much medium noise, against large, decides between the two colours.
    """

    dark: Colour
    light: Colour
    medium: float = 2.0
    fine: float = 2.0
    grain: float = 2.0
    patchiness: float = 0.5


GRASS = Material((88, 94, 64), (132, 126, 92), 2.0, 7.5, 6.5, 0.55)
LAWN = Material((82, 95, 62), (110, 114, 80), 2.0, 7.0, 6.0, 0.6)
RUNWAY_ASPHALT = Material((88, 88, 87), (104, 103, 100), 2.2, 1.6, 2.2, 0.4)
TAXIWAY_ASPHALT = Material((112, 111, 106), (127, 125, 118), 2.5, 1.8, 2.2, 0.5)
SHOULDER = Material((138, 133, 120), (152, 147, 132), 3.0, 2.2, 2.5, 0.6)
ROAD_ASPHALT = Material((106, 106, 104), (122, 121, 117), 2.5, 2.0, 2.5, 0.6)
FREEWAY_CONCRETE = Material((148, 146, 139), (163, 160, 151), 2.5, 1.8, 2.5, 0.5)
CONCRETE = Material((164, 159, 146), (187, 181, 167), 2.5, 2.0, 2.5, 0.6)
YARD = Material((124, 121, 114), (143, 139, 130), 4.0, 2.8, 3.0, 0.8)
QUAY = Material((158, 153, 141), (176, 170, 157), 3.0, 2.5, 3.0, 0.7)
SAND = Material((192, 176, 144), (213, 198, 167), 3.0, 2.2, 2.5, 0.7)
WET_SAND = Material((136, 121, 97), (153, 138, 112), 2.5, 1.5, 2.0, 0.6)
GRAVEL = Material((160, 152, 136), (176, 168, 150), 3.5, 3.5, 4.0, 0.7)
FOREST_FLOOR = Material((52, 60, 42), (70, 76, 52), 4.0, 5.0, 4.0, 0.8)
SCRUB = Material((104, 106, 74), (146, 138, 104), 7.0, 9.0, 6.0, 0.9)


def _unit(field: FloatImage) -> FloatImage:
    centred = field - float(field.mean())
    return np.asarray(centred / max(float(centred.std()), 1e-6), dtype=np.float32)


def blotches(rng: np.random.Generator, size: int, cells: tuple[int, ...]) -> FloatImage:
    """Sum of smooth noise, one octave per cell width (pixels), coarse ones stronger."""
    total = np.zeros((size, size), np.float32)
    for cell in cells:
        knots = size // cell + 4
        coarse = rng.standard_normal((knots, knots), dtype=np.float32)
        enlarged = cv2.resize(coarse, (knots * cell, knots * cell), interpolation=cv2.INTER_CUBIC)
        total += enlarged[cell : cell + size, cell : cell + size] * np.float32(cell**0.5)
    return _unit(total)


def streaks(
    rng: np.random.Generator, shape: tuple[int, int], length: float, width: float
) -> FloatImage:
    """Horizontal streaks of this shape with the given correlation lengths in pixels."""
    white = rng.standard_normal(shape, dtype=np.float32)
    blurred = cv2.GaussianBlur(white, (0, 0), sigmaX=length, sigmaY=width)
    return _unit(np.asarray(blurred, dtype=np.float32))


def make_noise(rng: np.random.Generator, size: int) -> Noise:
    """All noise fields of a scene of `size` pixels."""
    return Noise(
        grain=rng.standard_normal((size, size), dtype=np.float32),
        fine=blotches(rng, size, (2, 4, 8)),
        medium=blotches(rng, size, (16, 32, 64)),
        large=blotches(rng, size, (128, 256, 512)),
    )


def textured(material: Material, noise: Noise, rows: slice, columns: slice) -> FloatImage:
    """The material over one window: (height, width, 3) float32 RGB, 0..255."""
    window = rows, columns
    large, medium = noise.large[window], noise.medium[window]
    mix = np.clip(0.5 + 0.28 * large + 0.28 * material.patchiness * medium, 0, 1)
    dark = np.array(material.dark, np.float32)
    light = np.array(material.light, np.float32)
    relief = (
        material.medium * medium
        + material.fine * noise.fine[window]
        + material.grain * noise.grain[window]
    )
    colour = dark + mix[..., None] * (light - dark) + relief[..., None]
    return np.asarray(colour, dtype=np.float32)
