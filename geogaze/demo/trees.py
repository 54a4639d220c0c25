"""Where trees grow in the demo scene."""

from __future__ import annotations

import numpy as np

from geogaze.demo.canvas import View
from geogaze.demo.roads import CAR_PARKS, CROSSING, FREEWAY, TOWN_STREETS
from geogaze.demo.shapes import Points, Sprite, beside, box, points
from geogaze.demo.town import places_along, places_in, tree

FORESTS = (
    (1930.0, -140.0, 2460.0, 250.0), (1630.0, 1930.0, 1772.0, 2460.0),
    (1430.0, -420.0, 1880.0, 44.0),
)  # fmt: skip
_HEDGES = (
    [(886, -60), (888, 262)], [(1139, -60), (1139, 262)], [(640, 284), (1390, 284)],
    [(1408, -80), (1412, 100)], [(640, -70), (1400, -70)], [(1888, 1960), (1888, 2400)],
    [(2170, 1780), (2170, 2070)], [(1888, 2076), (2400, 2074)],
)  # fmt: skip


def _groves(rng: np.random.Generator) -> list[tuple[Points, tuple[float, float]]]:
    """Places of trees and the range of their radii, wood by wood and hedge by hedge."""
    groves: list[tuple[Points, tuple[float, float]]] = []
    for x0, y0, x1, y1 in FORESTS:
        count = int((x1 - x0) * (y1 - y0) / 95)
        groves.append((places_in(rng, box(x0, y0, x1, y1), count), (4.5, 10.5)))
    for y in (1850.0, 1950.0, 2050.0, 2150.0, 2250.0):
        groves.append((places_in(rng, box(1066, y - 6, 1588, y + 6), 70), (3.0, 8.0)))
    for street in TOWN_STREETS:
        for side in (-1, 1):
            groves.append((places_along(rng, beside(street, side * 13), 46, 1.5), (3.0, 5.5)))
    groves += [(places_along(rng, points(hedge), 9, 2.5), (3.5, 6.5)) for hedge in _HEDGES]
    groves.append((places_along(rng, beside(FREEWAY, 66), 24, 6), (3.5, 8.0)))
    groves.append((places_along(rng, beside(FREEWAY, -66), 30, 6), (3.5, 8.0)))
    groves.append((places_along(rng, points([(1086, 1338), (1606, 1338)]), 22, 1), (3.0, 4.6)))
    groves.append((places_along(rng, points([(924, 1340), (924, 1620)]), 17, 1.5), (3.5, 6.5)))
    for x, y in ((1696, 1528), (1904, 1528), (1696, 1776), (1904, 1776)):
        groves.append((places_in(rng, box(x - 42, y - 42, x + 42, y + 42), 16), (3.0, 7.5)))
    groves.append((places_in(rng, box(470, 60, 620, 240), 46), (2.0, 5.0)))
    groves.append((places_in(rng, box(1110, 1575, 1560, 1600), 60), (3.5, 8.0)))
    for x0, y0, x1, y1, _ in CAR_PARKS[:2]:
        ends = [(x, y) for y in np.arange(y0 + 12, y1 - 10, 35.0) for x in (x0 + 4, x1 - 4)]
        groves.append((points(ends), (3.4, 5.0)))
    return groves


def scene_trees(rng: np.random.Generator, view: View) -> list[Sprite]:
    """All trees that the view shows."""
    return [
        tree(rng, float(x), float(y), float(rng.uniform(*sizes)))
        for places, sizes in _groves(rng)
        for x, y in places
        if view.shows(x, y, 40) and not _on_road(float(x), float(y))
    ]


def _on_road(x: float, y: float) -> bool:
    """Whether a tree would stand on the freeway, the arterial or one of its ramps."""
    near_arterial = abs(x - CROSSING[0]) < 34 and y > 1300
    near_freeway = float(np.hypot(*(FREEWAY - (x, y)).T).min()) < 54
    in_cloverleaf = abs(abs(x - CROSSING[0]) - 104) > 55 or abs(abs(y - CROSSING[1]) - 124) > 55
    near_ramps = in_cloverleaf and abs(x - CROSSING[0]) < 300 and abs(y - CROSSING[1]) < 270
    return bool(near_arterial or near_freeway or near_ramps)
