"""Polygons, paths and sprites from which the demo scene is put together.

Layout coordinates are pixels of 0.5 m with x to the right and y downwards. Headings are degrees
clockwise from +x. Heights are metres. Everything here is a pure function of its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Colour = tuple[float, float, float]

METRE = 2.0
"""Layout pixels per metre."""

SUN = np.array([0.62, 0.785])
"""Horizontal unit vector from the ground towards the sun, in layout axes."""

SHADOW_PER_METRE = -SUN * METRE * 1.0
"""Displacement of a shadow, in layout pixels, per metre of height."""


@dataclass(frozen=True)
class Fill:
    """One filled polygon of a sprite: (N, 2) layout points and an RGB colour (0..255)."""

    points: Points
    colour: Colour


@dataclass(frozen=True)
class Label:
    """Class name and (N, 2) outline of an object that the scene lists."""

    name: str
    outline: Points


@dataclass(frozen=True)
class Sprite:
    """Something standing on the ground.

    Attributes:
        fills: Polygons, painted in order.
        shadows: Polygons (N, 3) of x, y and height in metres that are cast on what lies below.
        labels: The objects that it counts as; empty for scenery.
    """

    fills: tuple[Fill, ...] = ()
    shadows: tuple[Points, ...] = ()
    labels: tuple[Label, ...] = ()


def points(coordinates: Iterable[Sequence[float]]) -> Points:
    """(N, 2) float64 array of the given coordinate pairs."""
    return np.array([tuple(pair) for pair in coordinates], dtype=np.float64)


def rotation(heading: float) -> Points:
    """(2, 2) matrix that turns +x to `heading` degrees (clockwise on the picture)."""
    angle = np.deg2rad(heading)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return np.array([[c, -s], [s, c]])


def place(sprite: Sprite, x: float, y: float, heading: float) -> Sprite:
    """`sprite`, drawn about the origin facing +x, moved to (x, y) and turned to `heading`."""
    turn, shift = rotation(heading).T, np.array([x, y])
    return Sprite(
        tuple(Fill(fill.points @ turn + shift, fill.colour) for fill in sprite.fills),
        tuple(
            np.column_stack([shadow[:, :2] @ turn + shift, shadow[:, 2]])
            for shadow in sprite.shadows
        ),
        tuple(Label(label.name, label.outline @ turn + shift) for label in sprite.labels),
    )


def merged(sprites: Iterable[Sprite]) -> Sprite:
    """One sprite that paints the given ones in order."""
    parts = list(sprites)
    return Sprite(
        tuple(fill for part in parts for fill in part.fills),
        tuple(shadow for part in parts for shadow in part.shadows),
        tuple(label for part in parts for label in part.labels),
    )


def sun_in_frame(heading: float) -> Points:
    """`SUN` as seen in the axes of something that faces `heading`."""
    turned: Points = rotation(heading).T @ SUN
    return turned


def rectangle(x: float, y: float, length: float, width: float, heading: float = 0.0) -> Points:
    """(4, 2) corners of a rectangle centred on (x, y), `length` along `heading`."""
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (length / 2, width / 2)
    return half @ rotation(heading).T + (x, y)


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """(4, 2) corners of an upright rectangle."""
    return points([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def disc(x: float, y: float, radius: float, sides: int = 24) -> Points:
    """(sides, 2) regular polygon about (x, y)."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])


def blob(
    rng: np.random.Generator, x: float, y: float, radius: float, rough: float, sides: int = 11
) -> Points:
    """(sides, 2) irregular round outline; `rough` is the relative spread of its radius."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False) + rng.uniform(0, 1)
    reach = radius * (1 + rough * rng.uniform(-1, 1, sides))
    return np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)])


def slab(outline: Points, height: float) -> Points:
    """(N, 3) shadow caster: a thin plate with this outline at `height` metres."""
    return np.column_stack([outline, np.full(len(outline), height)])


def prism(outline: Points, height: float) -> tuple[Points, ...]:
    """Shadow casters of an upright block: its walls and its top."""
    following = np.roll(outline, -1, axis=0)
    walls = tuple(
        np.array([[*a, 0.0], [*b, 0.0], [*b, height], [*a, height]])
        for a, b in zip(outline, following, strict=True)
    )
    return (*walls, slab(outline, height))


def shade(colour: Colour, factor: float) -> Colour:
    """`colour` made brighter or darker."""
    red, green, blue = (min(255.0, max(0.0, channel * factor)) for channel in colour)
    return red, green, blue


def vary(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    """`colour` with a random brightness (relative `spread`) and a slight random tint."""
    whole, red, green, blue = rng.standard_normal(4).tolist()
    bright = 1 + whole * spread
    tinted = (
        colour[0] * (bright + red * spread / 4),
        colour[1] * (bright + green * spread / 4),
        colour[2] * (bright + blue * spread / 4),
    )
    return shade(tinted, 1.0)


def pick(rng: np.random.Generator, options: Sequence[Colour]) -> Colour:
    """One of the colours at random."""
    return options[int(rng.integers(len(options)))]


def onward(path: Points, x: float, y: float) -> Points:
    """The path with a straight piece to (x, y) at its end."""
    return np.vstack([path, [[x, y]]])


def smooth_path(corners: Iterable[Sequence[float]], step: float = 6.0) -> Points:
    """Catmull-Rom curve through the corners, resampled about every `step` pixels."""
    knots = points(corners)
    padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    pieces = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        count = max(2, int(np.hypot(*(p2 - p1)) / step))
        t = np.linspace(0, 1, count, endpoint=False)[:, None]
        pieces.append(
            0.5
            * (
                2 * p1
                + (p2 - p0) * t
                + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
                + (3 * p1 - p0 - 3 * p2 + p3) * t**3
            )
        )
    return np.vstack([*pieces, knots[-1:]])


def walk(path: Points, stops: NDArray[np.float64]) -> tuple[Points, Points]:
    """Positions (N, 2) and unit tangents (N, 2) at arc lengths `stops` (pixels) along `path`."""
    legs = np.hypot(*np.diff(path, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(legs)])
    at = np.column_stack([np.interp(stops, along, path[:, axis]) for axis in (0, 1)])
    leg = np.clip(np.searchsorted(along, stops, side="right") - 1, 0, len(legs) - 1)
    tangent = np.diff(path, axis=0)[leg] / np.maximum(legs[leg], 1e-9)[:, None]
    return at, tangent


def path_length(path: Points) -> float:
    """Arc length in pixels."""
    return float(np.hypot(*np.diff(path, axis=0).T).sum())


def beside(path: Points, offset: float) -> Points:
    """The path moved sideways; positive is to the right of its direction of travel."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    return path + offset * np.column_stack([-tangent[:, 1], tangent[:, 0]])


def dashes(path: Points, on: float, off: float, start: float = 0.0) -> list[Points]:
    """Pieces of the path: `on` pixels drawn, then `off` pixels left out, and so on."""
    pieces = []
    for begin in np.arange(start, path_length(path) - on, on + off):
        pieces.append(walk(path, np.linspace(begin, begin + on, 3))[0])
    return pieces
