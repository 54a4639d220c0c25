"""Buildings, tanks, houses and trees of the demo scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from geogaze.demo.shapes import (
    SUN,
    Colour,
    Fill,
    Label,
    Points,
    Sprite,
    blob,
    disc,
    path_length,
    pick,
    place,
    prism,
    rectangle,
    shade,
    slab,
    sun_in_frame,
    vary,
    walk,
)

ROOFS: tuple[Colour, ...] = (
    (168, 166, 160), (188, 184, 174), (146, 144, 140), (198, 196, 190), (158, 150, 136),
)  # fmt: skip
_TILES: tuple[Colour, ...] = (
    (132, 96, 80), (140, 106, 90), (118, 108, 101), (104, 103, 103), (130, 119, 108),
    (118, 88, 76),
)  # fmt: skip
_CROWNS: tuple[Colour, ...] = (
    (74, 88, 56), (82, 95, 60), (66, 82, 56), (92, 101, 66), (78, 88, 64),
)  # fmt: skip
_PARAPET = 2.0
_CROWN_SHAPES = 32
_CROWN_SEED = 20


def _roof_unit(
    rng: np.random.Generator, x: float, y: float, size: float, cast: Points
) -> list[Fill]:
    """Air handling unit with its shadow painted on the roof."""
    outline = rectangle(x, y, size, size * rng.uniform(0.6, 1.0))
    colour = vary(rng, (176, 177, 174), 0.08)
    return [
        Fill(outline + cast * 2.6, (82, 84, 86)),
        Fill(outline + cast * 1.3, (82, 84, 86)),
        Fill(outline, shade(colour, 0.9)),
        Fill(rectangle(x, y, size * 0.5, size * 0.4), shade(colour, 0.7)),
    ]


def _parapet_shade(length: float, width: float, sun: Points) -> list[Fill]:
    """Dark strips that the sunward parapets cast on the roof."""
    strips = []
    x_side, y_side = np.sign(sun[0]), np.sign(sun[1])
    across, along = 2.4 * abs(sun[0]), 2.4 * abs(sun[1])
    x = x_side * (length / 2 - _PARAPET - across / 2)
    strips.append(rectangle(x, 0, across, width - 2 * _PARAPET))
    y = y_side * (width / 2 - _PARAPET - along / 2)
    strips.append(rectangle(0, y, length - 2 * _PARAPET, along))
    return [Fill(strip, (92, 92, 92)) for strip in strips]


def flat_roof(
    rng: np.random.Generator,
    x: float,
    y: float,
    length: float,
    width: float,
    heading: float,
    height: float,
    colour: Colour,
    units: int,
) -> Sprite:
    """Building with a flat roof, parapet, seams and roof units, labelled Building."""
    sun = sun_in_frame(heading)
    outline = rectangle(0, 0, length, width)
    roof = rectangle(0, 0, length - 2 * _PARAPET, width - 2 * _PARAPET)
    fills = [Fill(outline, shade(colour, 1.12)), Fill(roof, colour)]
    for _ in range(max(3, int(length * width / 1500))):
        size = rng.uniform(6, 26), rng.uniform(5, 16)
        px = rng.uniform(-0.5, 0.5) * (length - size[0] - 6)
        py = rng.uniform(-0.5, 0.5) * (width - size[1] - 6)
        fills.append(Fill(rectangle(px, py, *size), shade(colour, float(rng.uniform(0.93, 1.05)))))
    for at in np.arange(-length / 2 + 20, length / 2 - 10, 24):
        fills.append(Fill(rectangle(at, 0, 0.8, width - 2 * _PARAPET), shade(colour, 0.9)))
    fills += _parapet_shade(length, width, sun)
    for _ in range(units):
        px = rng.uniform(-0.5, 0.5) * (length - 24)
        py = rng.uniform(-0.5, 0.5) * (width - 20)
        fills += _roof_unit(rng, px, py, float(rng.uniform(4, 9)), -sun)
    label = (Label("Building", outline),) if min(length, width) > 12 else ()
    return place(Sprite(tuple(fills), prism(outline, height), label), x, y, heading)


def ribbed_roof(
    x: float, y: float, length: float, width: float, heading: float, height: float, colour: Colour
) -> Sprite:
    """Hall with a low metal gable along its length and rows of skylights."""
    sun = sun_in_frame(heading)
    fills = []
    for side in (-1, 1):
        tone = shade(colour, 1.0 + 0.10 * side * float(sun[1]))
        fills.append(Fill(rectangle(0, side * width / 4, length, width / 2), tone))
        for at in np.arange(-length / 2 + 6, length / 2, 7.5):
            fills.append(Fill(rectangle(at, side * width / 4, 0.7, width / 2), shade(tone, 0.93)))
        for at in np.arange(-length / 2 + 18, length / 2 - 12, 30):
            light = rectangle(at, side * width / 4, 3.0, width * 0.30)
            fills.append(Fill(light, shade(tone, 1.16 if colour[0] < 190 else 0.86)))
    fills.append(Fill(rectangle(0, 0, length, 1.4), shade(colour, 1.14)))
    outline = rectangle(0, 0, length, width)
    edge = rectangle(0, np.sign(sun[1]) * (width / 2 - 0.6), length, 1.2)
    fills.append(Fill(edge, shade(colour, 1.18)))
    sprite = Sprite(tuple(fills), prism(outline, height), (Label("Building", outline),))
    return place(sprite, x, y, heading)


def house(rng: np.random.Generator, x: float, y: float, heading: float) -> Sprite:
    """House with a hipped roof whose four faces are lit by the sun, labelled Building."""
    length, width = rng.uniform(24, 34), rng.uniform(17, 23)
    sun = sun_in_frame(heading)
    colour = vary(rng, pick(rng, _TILES), 0.08)
    a, b, inset = length / 2, width / 2, width * 0.42
    ridge = np.array([[-a + inset, 0], [a - inset, 0]])
    corner = np.array([[-a, -b], [a, -b], [a, b], [-a, b]])
    faces = (
        (np.array([corner[0], corner[1], ridge[1], ridge[0]]), (0.0, -1.0)),
        (np.array([corner[2], corner[3], ridge[0], ridge[1]]), (0.0, 1.0)),
        (np.array([corner[1], corner[2], ridge[1]]), (1.0, 0.0)),
        (np.array([corner[3], corner[0], ridge[0]]), (-1.0, 0.0)),
    )
    fills = [
        Fill(face, shade(colour, 1.0 + 0.24 * float(np.array(normal) @ sun)))
        for face, normal in faces
    ]
    fills.append(
        Fill(rectangle(ridge[:, 0].mean(), 0, length - 2 * inset, 0.9), shade(colour, 1.2))
    )
    chimney = rectangle(a * 0.3, -b * 0.3, 2.2, 2.2)
    fills += [Fill(chimney - sun * 2.0, shade(colour, 0.5)), Fill(chimney, (150, 134, 124))]
    outline = rectangle(0, 0, length, width)
    label = Label("Building", outline)
    return place(Sprite(tuple(fills), prism(outline, 5.5), (label,)), x, y, heading)


def storage_tank(
    rng: np.random.Generator, x: float, y: float, radius: float, floating: bool
) -> Sprite:
    """White round tank with rim, stair and (for a floating roof) an inner shadow."""
    white = vary(rng, (222, 221, 214), 0.03)
    outline = disc(x, y, radius, 40)
    fills = [Fill(outline, shade(white, 1.04))]
    if floating:
        well = disc(x, y, radius - 2.2, 40)
        fills.append(Fill(well, (92, 94, 96)))
        # The rim throws a crescent of shade on the sunken roof.
        lit = disc(x - SUN[0] * 3.4, y - SUN[1] * 3.4, radius - 4.2, 40)
        fills.append(Fill(lit, (188, 187, 181)))
        heading = float(rng.uniform(0, 360))
        reach = np.deg2rad(heading)
        ladder = rectangle(
            x + np.cos(reach) * radius * 0.45, y + np.sin(reach) * radius * 0.45,
            radius * 0.9, 1.8, heading,
        )  # fmt: skip
        fills.append(Fill(ladder, (128, 128, 126)))
    else:
        for step in range(6):
            share = step / 6
            lit = disc(
                x + SUN[0] * share * radius * 0.3, y + SUN[1] * share * radius * 0.3,
                (radius - 1.8) * (1 - share), 32,
            )  # fmt: skip
            fills.append(Fill(lit, shade(white, 0.90 + 0.028 * step)))
        fills.append(Fill(disc(x, y, 1.8, 10), (150, 150, 148)))
        fills.append(Fill(rectangle(x + radius * 0.5, y, radius, 1.3), (184, 183, 178)))
    height = 9.0 + radius * 0.12
    return Sprite(
        tuple(fills), prism(disc(x, y, radius, 20), height), (Label("StorageTank", outline),)
    )


@dataclass(frozen=True)
class _Crown:
    """Tree crown of radius 1 about the origin: outlines and their relative brightness."""

    outlines: tuple[Points, ...]
    light: tuple[float, ...]


@cache
def _crowns() -> tuple[_Crown, ...]:
    """Crown shapes that all trees share: a dark outline, then lighter tufts towards the sun."""
    rng = np.random.default_rng(_CROWN_SEED)
    crowns = []
    for _ in range(_CROWN_SHAPES):
        outlines, light = [blob(rng, 0, 0, 1, 0.18, 12)], [0.70]
        for _ in range(9):
            angle, reach = rng.uniform(0, 2 * np.pi), 0.68 * rng.random() ** 0.5
            x, y = reach * np.cos(angle), reach * np.sin(angle)
            outlines.append(blob(rng, x, y, rng.uniform(0.22, 0.40), 0.2, 8))
            light.append(0.95 + 0.34 * float(SUN @ (x, y)) + float(rng.normal(0, 0.05)))
        crowns.append(_Crown(tuple(outlines), tuple(light)))
    return tuple(crowns)


def tree(rng: np.random.Generator, x: float, y: float, radius: float) -> Sprite:
    """Broad-leaved tree."""
    colour = vary(rng, pick(rng, _CROWNS), 0.09)
    crown = _crowns()[int(rng.integers(_CROWN_SHAPES))]
    parts = len(crown.outlines) if radius > 5 else 6
    fills = tuple(
        Fill(outline * radius + (x, y), shade(colour, light))
        for outline, light in zip(crown.outlines[:parts], crown.light[:parts], strict=True)
    )
    foot = fills[0].points
    return Sprite(fills, (slab(foot, radius * 0.4), slab(foot, radius * 0.8)))


def places_in(rng: np.random.Generator, area: Points, count: int) -> Points:
    """(count, 2) random points in the upright rectangle that bounds `area`."""
    return rng.uniform(area.min(axis=0), area.max(axis=0), (count, 2))


def places_along(rng: np.random.Generator, path: Points, pitch: float, jitter: float) -> Points:
    """(N, 2) points every `pitch` pixels along a path, each randomly off it by `jitter`."""
    at, _ = walk(path, np.arange(0, path_length(path), pitch))
    return at + rng.normal(0, jitter, at.shape)
