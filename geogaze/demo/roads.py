"""Roads, the freeway with its interchange, car parks and cars of the demo scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geogaze.demo.canvas import Ground
from geogaze.demo.shapes import (
    SHADOW_PER_METRE,
    Colour,
    Fill,
    Label,
    Points,
    Sprite,
    beside,
    box,
    dashes,
    onward,
    path_length,
    pick,
    place,
    points,
    rectangle,
    shade,
    slab,
    smooth_path,
    vary,
    walk,
)
from geogaze.demo.texture import FREEWAY_CONCRETE, ROAD_ASPHALT, SHOULDER

FAR = 6000.0
CROSSING = (1800.0, 1652.0)
_WHITE: Colour = (222, 221, 212)
_AMBER: Colour = (196, 172, 96)
_LANE = 7.4
_BRIDGE_HEIGHT = 7.0
_PAINTS: tuple[Colour, ...] = (
    *[(222, 223, 222)] * 6, *[(168, 171, 174)] * 5, *[(96, 99, 103)] * 4, *[(38, 40, 44)] * 5,
    (52, 70, 112), (70, 88, 124), (134, 44, 42), (150, 60, 52), (176, 166, 144), (74, 84, 74),
)  # fmt: skip

FREEWAY = onward(
    smooth_path(
        [
            (2700, 1612),
            (2300, 1630),
            (1800, 1652),
            (1400, 1668),
            (1180, 1706),
            (1040, 1800),
            (980, 1960),
            (958, 2130),
            (950, 2300),
        ]
    ),
    950,
    FAR,
)
_FREEWAY_EAST = points([(2690, 1612.5), (FAR, 1464)])
ARTERIAL = points([(CROSSING[0], 1312), (CROSSING[0], 2052), (CROSSING[0], FAR)])
CURB_ROAD = points([(905, 1312), (FAR, 1312)])
HARBOUR_ROAD = onward(
    smooth_path(
        [
            (905, 800),
            (905, 1050),
            (905, 1300),
            (905, 1520),
            (900, 1640),
            (884, 1760),
            (874, 1880),
            (872, 2000),
        ]
    ),
    872,
    FAR,
)
PERIMETER_ROAD = smooth_path(
    [
        (905, 830),
        (888, 776),
        (820, 744),
        (700, 742),
        (560, 742),
        (240, 740),
        (186, 726),
        (172, 690),
        (172, 380),
        (180, 320),
        (230, 312),
        (600, 316),
        (1370, 316),
        (1402, 304),
        (1426, 286),
    ]
)
TOWN_STREETS = tuple(
    points([(1064, y), (1590, y)]) for y in (1800.0, 1900.0, 2000.0, 2100.0, 2200.0)
)
TOWN_AVENUE = points([(1325, 1772), (1325, 2400)])


CAR_PARKS = (
    (1100.0, 1346.0, 1440.0, 1530.0, 0.80),
    (1462.0, 1346.0, 1606.0, 1428.0, 0.66),
    (736.0, 1800.0, 846.0, 1990.0, 0.62),
    (2030.0, 1346.0, 2300.0, 1450.0, 0.72),
)
"""Corners x0, y0, x1, y1 and the share of stalls taken."""


def _ramps() -> list[Points]:
    """Four loops and four outer ramps of the cloverleaf."""
    cx, cy = CROSSING
    curves = []
    for sx in (-1, 1):
        for sy in (-1, 1):
            # From the arterial round the far side to the freeway, and along both a little.
            turn = np.linspace(np.pi, -np.pi / 2, 50)
            arc = np.column_stack([104 + 80 * np.cos(turn), 124 + 80 * np.sin(turn)])
            loop = np.vstack([[[22, 66]], arc, [[48, 41]]])
            curves.append(loop * (sx, sy) + (cx, cy))
            outer = [(380, 38), (285, 62), (212, 142), (146, 208), (62, 262), (20, 348)]
            curves.append(smooth_path([(cx + sx * x, cy + sy * y) for x, y in outer]))
    return curves


def _two_lane(ground: Ground, paths: list[Points], width: float) -> None:
    ground.lay(ground.mask().stroke(paths, width + 6), SHOULDER)
    ground.lay(ground.mask().stroke(paths, width), ROAD_ASPHALT)


def lay_roads(ground: Ground) -> None:
    """Paint all roads, lowest first; the arterial bridges the freeway."""
    streets = [*TOWN_STREETS, TOWN_AVENUE]
    _two_lane(ground, [PERIMETER_ROAD], 10)
    _two_lane(ground, streets, 15)
    _two_lane(ground, [HARBOUR_ROAD, CURB_ROAD], 34)
    ground.paint(ground.mask().stroke([PERIMETER_ROAD], 0.6), _WHITE, 0.4)
    for road in (HARBOUR_ROAD, CURB_ROAD):
        centre = [beside(road, offset) for offset in (-0.9, 0.9)]
        lanes = [d for offset in (-8.2, 8.2) for d in dashes(beside(road, offset), 6, 12)]
        ground.paint(ground.mask().stroke(centre, 0.6), _AMBER, 0.8)
        ground.paint(ground.mask().stroke(lanes, 0.6), _WHITE, 0.7)
    ground.lay(ground.mask().stroke(_ramps(), 20), SHOULDER)
    ground.lay(ground.mask().stroke([_FREEWAY_EAST], 90), FREEWAY_CONCRETE)
    _lay_freeway(ground)
    ground.lay(ground.mask().stroke(_ramps(), 13), FREEWAY_CONCRETE)
    ramp_edges = [beside(ramp, offset) for ramp in _ramps() for offset in (-5.6, 5.6)]
    ground.paint(ground.mask().stroke(ramp_edges, 0.6), _WHITE, 0.6)
    ground.smear(_ramps(), 4, 2, -0.08)
    _mark_freeway(ground)
    _lay_arterial(ground)


def _lay_freeway(ground: Ground) -> None:
    carriageways = [beside(FREEWAY, side * 21.0) for side in (-1, 1)]
    ground.lay(ground.mask().stroke([FREEWAY], 92), SHOULDER)
    ground.lay(ground.mask().stroke(carriageways, 35), FREEWAY_CONCRETE)
    tracks = [
        beside(FREEWAY, side * (9.2 + lane * 8.0 + track))
        for side in (-1, 1)
        for lane in range(3)
        for track in (2.2, 5.8)
    ]
    ground.smear(tracks, 2.0, 1.2, -0.10)
    joints = []
    at, tangent = walk(FREEWAY, np.arange(0, path_length(FREEWAY), 18))
    for point, (tx, ty) in zip(at, tangent, strict=True):
        normal = np.array([-ty, tx])
        joints += [np.array([point + s * 5 * normal, point + s * 38 * normal]) for s in (-1, 1)]
    ground.paint(ground.mask().stroke(joints, 0.5), (92, 90, 86), 0.28)


def _mark_freeway(ground: Ground) -> None:
    sides = (-1, 1)
    ground.lay(ground.mask().stroke([FREEWAY], 6), ROAD_ASPHALT)
    ground.paint(ground.mask().stroke([FREEWAY], 1.4), (206, 202, 192), 0.9)
    inner = [beside(FREEWAY, side * 8.4) for side in sides]
    outer = [beside(FREEWAY, side * 33.6) for side in sides]
    lanes = [
        piece
        for side in sides
        for offset in (17.2, 25.2)
        for piece in dashes(beside(FREEWAY, side * offset), 7, 17)
    ]
    ground.paint(ground.mask().stroke(inner, 0.8), _AMBER, 0.75)
    ground.paint(ground.mask().stroke(outer, 0.8).stroke(lanes, 0.8), _WHITE, 0.85)


def _lay_arterial(ground: Ground) -> None:
    cx, cy = CROSSING
    deck = box(cx - 22, cy - 54, cx + 22, cy + 54)
    cast = ground.mask().fill(deck + _BRIDGE_HEIGHT * SHADOW_PER_METRE).alpha()
    ground.tone(-0.58 * cast)
    ground.lay(ground.mask().stroke([ARTERIAL], 44), SHOULDER)
    ground.lay(ground.mask().stroke([ARTERIAL], 36), ROAD_ASPHALT)
    ground.lay(ground.mask().fill(deck), FREEWAY_CONCRETE)
    rails = [points([(cx + s * 21.4, cy - 54), (cx + s * 21.4, cy + 54)]) for s in (-1, 1)]
    ground.paint(ground.mask().stroke(rails, 1.4), (216, 213, 204), 0.95)
    lanes = [d for offset in (-8.6, 8.6) for d in dashes(beside(ARTERIAL, offset), 6, 12)]
    edges = [beside(ARTERIAL, offset) for offset in (-17, 17)]
    centre = [beside(ARTERIAL, offset) for offset in (-0.9, 0.9)]
    ground.smear([beside(ARTERIAL, offset) for offset in (-12.6, -4.4, 4.4, 12.6)], 4, 2, -0.07)
    ground.paint(ground.mask().stroke([*lanes, *edges], 0.7), _WHITE, 0.75)
    ground.paint(ground.mask().stroke(centre, 0.7), _AMBER, 0.8)


def car(rng: np.random.Generator, x: float, y: float, heading: float) -> Sprite:
    """Passenger car of about 9 x 4 layout pixels, labelled Car."""
    length, width = rng.uniform(8.4, 9.8), rng.uniform(3.7, 4.1)
    paint = vary(rng, pick(rng, _PAINTS), 0.05)
    a, b = length / 2, width / 2
    corners = [(-a, -b + 0.7), (-a + 0.7, -b), (a - 1.1, -b), (a, -b + 1.0), (a, b - 1.0)]
    body = points([*corners, (a - 1.1, b), (-a + 0.7, b), (-a, b - 0.7)])
    glass = rectangle(-0.06 * length, 0, 0.58 * length, width * 0.80)
    roof = rectangle(-0.09 * length, 0, 0.34 * length, width * 0.74)
    fills = (
        Fill(body, shade(paint, 0.92)),
        Fill(glass, (44, 49, 55)),
        Fill(roof, shade(paint, 1.08)),
    )
    sprite = Sprite(
        fills, (slab(body, 0.5), slab(body, 1.3)), (Label("Car", rectangle(0, 0, length, width)),)
    )
    return place(sprite, x, y, heading)


def truck(rng: np.random.Generator, x: float, y: float, heading: float) -> Sprite:
    """Articulated lorry; scenery, not listed."""
    length = rng.uniform(18, 28)
    colour = vary(rng, pick(rng, ((218, 218, 214), (190, 192, 192), (112, 78, 66))), 0.05)
    cargo = rectangle(-2.6, 0, length, 5.2)
    cab = rectangle(length / 2 + 0.6, 0, 4.4, 4.8)
    fills = (
        Fill(cab, vary(rng, pick(rng, _PAINTS), 0.05)),
        Fill(rectangle(length / 2 + 1.8, 0, 1.0, 4.2), (48, 52, 58)),
        Fill(cargo, shade(colour, 0.88)),
        Fill(rectangle(-2.6, 0, length - 1.4, 3.8), colour),
    )
    return place(Sprite(fills, (slab(cargo, 2.0), slab(cargo, 3.8))), x, y, heading)


def traffic(
    rng: np.random.Generator,
    path: Points,
    offset: float,
    gap: float,
    allowed: Callable[[float, float], bool],
    lorries: float = 0.08,
) -> list[Sprite]:
    """Vehicles in one lane; negative offsets drive against the direction of the path."""
    lane = beside(path, offset)
    stops = np.cumsum(rng.exponential(gap, 400) + 26)
    at, tangent = walk(lane, stops[stops < path_length(lane)])
    sprites = []
    for (x, y), (tx, ty) in zip(at, tangent, strict=True):
        heading = float(np.degrees(np.arctan2(ty, tx))) + (180 if offset < 0 else 0)
        if allowed(float(x), float(y)):
            make = truck if rng.random() < lorries else car
            sprites.append(make(rng, float(x), float(y + rng.normal(0, 0.3)), heading))
    return sprites


def lay_car_park(ground: Ground, x0: float, y0: float, x1: float, y1: float) -> None:
    """Asphalt and stall lines of a car park; rows run along x."""
    ground.lay(ground.mask().fill(box(x0 - 6, y0 - 6, x1 + 6, y1 + 6)), SHOULDER)
    ground.lay(ground.mask().fill(box(x0 - 3, y0 - 3, x1 + 3, y1 + 3)), ROAD_ASPHALT)
    lines = [
        points([(x, y - 10.5), (x, y + 10.5)])
        for y in _rows(y0, y1)
        for x in np.arange(x0 + 12, x1 - 10, 5.3)
    ]
    ground.paint(ground.mask().stroke(lines, 0.5), _WHITE, 0.55)
    spots = [points([(x, y), (x, y + 0.5)]) for y in _rows(y0, y1)
             for x in np.arange(x0 + 14, x1 - 10, 10.6)]  # fmt: skip
    ground.smear(spots, 12, 4, -0.07)


def _rows(y0: float, y1: float) -> list[float]:
    return [float(y) for y in np.arange(y0 + 12, y1 - 10, 35.0)]


def parked_cars(
    rng: np.random.Generator, x0: float, y0: float, x1: float, y1: float, occupancy: float
) -> list[Sprite]:
    """Cars in the stalls of a car park."""
    sprites = []
    for y in _rows(y0, y1):
        for side in (-1, 1):
            for x in np.arange(x0 + 12, x1 - 15, 5.3):
                if rng.random() < occupancy:
                    heading = 90.0 * (1 if rng.random() < 0.5 else -1) + rng.normal(0, 1.2)
                    sprites.append(
                        car(rng, float(x) + 2.65, y + side * 5.3 + rng.normal(0, 0.4), heading)
                    )
    return sprites
