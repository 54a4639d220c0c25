"""Fields and open land of the demo scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geogaze.demo.canvas import Ground
from geogaze.demo.shapes import Colour, Points, beside, points
from geogaze.demo.texture import Material


@dataclass(frozen=True)
class Field:
    """A crop field.

    Attributes:
        outline: (N, 2) corners in layout pixels.
        heading: Direction of the furrows in degrees.
        pitch: Distance between furrows in pixels.
        contrast: Relative brightness of the furrows.
        soil: Its darker colour.
        crop: Its lighter colour.
    """

    outline: Points
    heading: float
    pitch: float
    contrast: float
    soil: Colour
    crop: Colour


FIELDS = (
    Field(points([(610, -40), (876, -60), (880, 262), (560, 262)]), 84, 5.0, 0.13,
          (96, 104, 66), (116, 120, 80)),
    Field(points([(894, -60), (1130, -60), (1130, 262), (898, 262)]), 2, 6.5, 0.15,
          (140, 122, 92), (164, 146, 114)),
    Field(points([(1148, -60), (1400, -60), (1400, 262), (1148, 262)]), 87, 4.2, 0.10,
          (150, 142, 98), (178, 166, 118)),
    Field(points([(650, -420), (1400, -420), (1400, -78), (640, -60)]), 4, 5.5, 0.12,
          (104, 108, 72), (122, 124, 84)),
    Field(points([(2080, 1790), (2160, 1790), (2160, 2060), (1888, 2070), (1888, 1950)]),
          38, 6.0, 0.15, (132, 114, 88), (152, 136, 106)),
    Field(points([(2180, 1790), (2560, 1790), (2560, 2060), (2180, 2060)]), 88, 4.6, 0.12,
          (94, 104, 64), (112, 120, 76)),
    Field(points([(1900, 2090), (2560, 2080), (2560, 2600), (1900, 2600)]), 3, 5.2, 0.12,
          (112, 114, 74), (136, 132, 92)),
)  # fmt: skip


def lay_fields(ground: Ground) -> None:
    """Paint all crop fields with furrows, tramlines and headlands."""
    for field in FIELDS:
        _lay_field(ground, field)


def _lay_field(ground: Ground, field: Field) -> None:
    mask = ground.mask().fill(field.outline)
    part = mask.part()
    if part is None:
        return
    window, alpha = part
    ground.lay(mask, Material(field.soil, field.crop, 3.5, 3.0, 3.5, 0.9))
    medium, fine, large = (
        noise[window] for noise in (ground.noise.medium, ground.noise.fine, ground.noise.large)
    )
    turn = np.deg2rad(field.heading)
    across = np.asarray(
        ground.y[window] * np.cos(turn) - ground.x[window] * np.sin(turn) + 1.1 * medium,
        np.float32,
    )
    furrow = np.sin(2 * np.pi * across / field.pitch)
    strength = np.clip(0.8 + 0.35 * medium + 0.3 * fine, 0, 1.8)
    tram = np.exp(-((np.mod(across, 46.0) - 23.0) ** 2) / 1.6)
    tram += np.exp(-((np.mod(across + 4.5, 46.0) - 23.0) ** 2) / 1.6)
    relief = field.contrast * strength * furrow * 0.6 - 0.16 * tram
    relief += 0.06 * large
    ground.image[window] *= np.asarray(1 + alpha * relief, np.float32)[..., None]
    edge = np.vstack([field.outline, field.outline[:1]])
    ground.smear([beside(edge, 0.0)], 6, 2.5, -0.14)
