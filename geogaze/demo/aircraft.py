"""Aircraft of the demo scene, seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geogaze.demo.shapes import (
    METRE,
    Colour,
    Fill,
    Label,
    Points,
    Sprite,
    disc,
    merged,
    place,
    points,
    rectangle,
    shade,
    slab,
    sun_in_frame,
)


@dataclass(frozen=True)
class AircraftType:
    """Dimensions of an aircraft.

    Attributes:
        length: Nose to tail in metres.
        span: Wing tip to wing tip in metres.
        sweep: Sweep of the leading edge in degrees.
        engines: Places of engines on one wing, as fractions of the half span; empty when the
            engines sit at the tail.
        root_chord: Chord at the fuselage over the length.
        fuselage: Half width of the fuselage over the length.
        propellers: Whether the engines drive propellers.
    """

    length: float
    span: float
    sweep: float
    engines: tuple[float, ...]
    root_chord: float
    fuselage: float
    propellers: bool = False


@dataclass(frozen=True)
class Livery:
    """Colours of an airline."""

    body: Colour
    tail: Colour
    engine: Colour


NARROW = AircraftType(37.6, 34.1, 27.0, (0.34,), 0.19, 0.053)
NARROW_LONG = AircraftType(44.5, 35.8, 27.0, (0.33,), 0.165, 0.046)
WIDE = AircraftType(63.7, 60.3, 32.0, (0.32,), 0.185, 0.046)
JUMBO = AircraftType(70.6, 64.4, 39.0, (0.36, 0.64), 0.205, 0.047)
REGIONAL = AircraftType(31.0, 26.0, 25.0, (), 0.165, 0.046)
TURBOPROP = AircraftType(27.2, 27.0, 4.0, (0.30,), 0.105, 0.052, True)
BUSINESS = AircraftType(20.5, 19.5, 28.0, (), 0.19, 0.058)
LIGHT = AircraftType(9.5, 12.0, 2.0, (0.26,), 0.175, 0.066, True)

_WHITE: Colour = (233, 234, 232)
LIVERIES = (
    Livery(_WHITE, (44, 66, 118), _WHITE),
    Livery(_WHITE, (172, 48, 46), (206, 206, 204)),
    Livery((236, 236, 234), (208, 112, 42), (206, 110, 44)),
    Livery((228, 230, 231), (34, 92, 86), (44, 96, 92)),
    Livery(_WHITE, (216, 186, 70), (214, 214, 212)),
    Livery((222, 223, 222), (58, 60, 66), (70, 72, 78)),
    Livery((74, 92, 136), (60, 76, 122), (200, 202, 204)),
    Livery(_WHITE, (120, 136, 160), _WHITE),
)

_NOSE_TO_TAIL = (0.0, 0.01, 0.03, 0.06, 0.10, 0.14, 0.58, 0.68, 0.78, 0.88, 0.95, 1.0)
_HALF_WIDTH = (0.05, 0.34, 0.60, 0.82, 0.95, 1.0, 1.0, 0.96, 0.80, 0.52, 0.28, 0.12)
_WING: Colour = (202, 204, 203)
_WING_HEIGHT = 4.2
_INTAKE: Colour = (66, 68, 72)
_GLASS: Colour = (48, 54, 62)


def _fuselage(kind: AircraftType, low: float = -1.0, high: float = 1.0) -> Points:
    """Strip of the fuselage between two fractions of its half width."""
    along = kind.length * (0.5 - np.array(_NOSE_TO_TAIL))
    across = kind.length * kind.fuselage * np.array(_HALF_WIDTH)
    right = np.column_stack([along, high * across])
    left = np.column_stack([along, low * across])[::-1]
    return np.vstack([right, left])


def _wing(kind: AircraftType, side: int) -> Points:
    half, length = kind.span / 2, kind.length
    root = length * kind.fuselage * 0.5
    front = length * (0.5 - (0.36 if kind.engines else 0.43))
    if kind.propellers:
        front = length * 0.09
    chord = kind.root_chord * length
    drop = np.tan(np.deg2rad(kind.sweep)) * (half - root)
    tip_chord = chord * (0.55 if kind.propellers else 0.24)
    kink = root + 0.36 * (half - root)
    kink_rear = front - chord - 0.10 * drop
    outline = [
        (front, root),
        (front - drop, half),
        (front - drop - tip_chord, half),
        (kink_rear if not kind.propellers else front - chord, kink),
        (front - chord - (0.0 if kind.propellers else 0.01 * length), root),
    ]
    return points([(x, side * y) for x, y in outline])


def _tailplane(kind: AircraftType, side: int) -> Points:
    half, length = kind.span * 0.18, kind.length
    front = length * (0.5 - 0.865)
    drop = np.tan(np.deg2rad(kind.sweep + 5)) * half
    chord = kind.root_chord * length * 0.50
    outline = [(front, 0.0), (front - drop, half), (front - drop - chord * 0.42, half)]
    return points([(x, side * y) for x, y in [*outline, (front - chord, 0.0)]])


def _engine(kind: AircraftType, livery: Livery, side: int, at: float) -> list[Fill]:
    half = kind.span / 2
    radius = kind.length * (0.024 if kind.propellers else 0.029)
    y = side * at * half
    front = kind.length * 0.14 - np.tan(np.deg2rad(kind.sweep)) * at * half
    reach = radius * 2.0
    body = rectangle(front + 0.1 * reach, y, reach * 2.2, radius * 2)
    lip = rectangle(front + 1.12 * reach, y, 0.28 * reach, radius * 1.7)
    fills = [
        Fill(body, shade(livery.engine, 0.88)),
        Fill(rectangle(front, y - radius * 0.2, reach * 2.0, radius), shade(livery.engine, 1.02)),
        Fill(lip, _INTAKE),
    ]
    if kind.propellers:
        fills.append(Fill(rectangle(front + reach * 1.3, y, 0.25, radius * 6), (150, 150, 150)))
    return fills


def _tail_engines(kind: AircraftType, livery: Livery) -> list[Fill]:
    offset = kind.length * kind.fuselage * 1.55
    x = -0.27 * kind.length
    size = kind.length * 0.125, kind.length * 0.047
    return [
        fill
        for side in (-1, 1)
        for fill in (
            Fill(rectangle(x, side * offset, *size), shade(livery.engine, 0.86)),
            Fill(rectangle(x + size[0] * 0.48, side * offset, 0.7, size[1] * 0.8), _INTAKE),
        )
    ]


def _surfaces(kind: AircraftType, livery: Livery, sun_across: float) -> list[Fill]:
    """Wings and tailplane; the side whose dihedral faces the sun is brighter."""
    fills = []
    for side in (-1, 1):
        colour = shade(_WING, 1.0 - 0.09 * side * sun_across)
        wing = _wing(kind, side)
        front, tip, tip_rear, kink, root_rear = wing
        flap = np.array([tip_rear, kink, root_rear])
        inner = flap + np.array([kind.length * 0.016, 0.0])
        fills += [
            Fill(wing, colour),
            Fill(np.vstack([flap, inner[::-1]]), shade(colour, 0.84)),
            Fill(np.array([front, tip, tip - (0.5, 0), front - (0.5, 0)]), shade(colour, 1.10)),
            Fill(_tailplane(kind, side), shade(colour, 1.02)),
        ]
        if not kind.propellers:
            inward = np.array([0.0, -0.7 * side])
            winglet = [tip, tip_rear, tip_rear + inward, tip + inward]
            fills.append(Fill(np.array(winglet), shade(livery.tail, 1.05)))
    return fills


def _body(kind: AircraftType, livery: Livery, sun_across: float) -> list[Fill]:
    """Fuselage as a lit cylinder, cockpit and fin."""
    light = 1.0 if sun_across >= 0 else -1.0
    strips = ((-1.0, 1.0, 0.74), (-0.72, 1.0, 0.88), (-0.45, 0.96, 0.98), (-0.05, 0.72, 1.06))
    fills = []
    for low, high, factor in strips:
        edges = sorted((low * light, high * light))
        fills.append(Fill(_fuselage(kind, *edges), shade(livery.body, factor)))
    length, radius = kind.length, kind.length * kind.fuselage
    cockpit = [(0.472, -0.5), (0.484, -0.25), (0.484, 0.25), (0.472, 0.5), (0.462, 0.35)]
    glass = points([(x * length, y * radius) for x, y in [*cockpit, (0.462, -0.35)]])
    fin = [(-0.30, 0.05), (-0.36, 0.24), (-0.475, 0.17), (-0.475, -0.17), (-0.36, -0.24)]
    tail = points([(x * length, y * radius) for x, y in [*fin, (-0.30, -0.05)]])
    rear = [(-0.33, 0.82), (-0.38, 0.56), (-0.45, 0.28), (-0.45, -0.28), (-0.38, -0.56)]
    band = points([(x * length, y * radius) for x, y in [*rear, (-0.33, -0.82)]])
    fills += [Fill(glass, _GLASS), Fill(band, shade(livery.tail, 1.12))]
    fills.append(Fill(tail, shade(livery.tail, 0.86)))
    return fills


def _shadows(kind: AircraftType) -> list[Points]:
    radius = kind.length * kind.fuselage
    height = _WING_HEIGHT * kind.length / 40
    fin_base, fin_top = height + radius, height + radius + 0.15 * kind.length
    fin = [(-0.31, fin_base), (-0.45, fin_top), (-0.50, fin_top), (-0.475, fin_base)]
    casters = [slab(_fuselage(kind), height), slab(_fuselage(kind), height * 0.4)]
    for side in (-1, 1):
        casters += [slab(_wing(kind, side), height), slab(_tailplane(kind, side), fin_base)]
        for at in kind.engines:
            front = kind.length * 0.13 - np.tan(np.deg2rad(kind.sweep)) * at * kind.span / 2
            pod = rectangle(front, side * at * kind.span / 2, kind.length * 0.12, radius)
            casters.append(slab(pod, height * 0.5))
    casters.append(np.array([(x * kind.length, 0.0, z) for x, z in fin]))
    return casters


def aircraft(kind: AircraftType, livery: Livery, x: float, y: float, heading: float) -> Sprite:
    """One aircraft with its middle at (x, y), labelled Airplane with its oriented box."""
    sun_across = float(sun_in_frame(heading)[1])
    fills: list[Fill] = []
    for side in (-1, 1):
        for at in kind.engines:
            fills += _engine(kind, livery, side, at)
    fills += _surfaces(kind, livery, sun_across)
    if not kind.engines:
        fills += _tail_engines(kind, livery)
    fills += _body(kind, livery, sun_across)
    if kind is LIGHT:
        fills = [*fills, Fill(disc(0.16 * kind.length, 0, 0.45, 8), _GLASS)]
    outline = rectangle(0, 0, kind.length, kind.span)
    scaled = Sprite(
        tuple(Fill(fill.points * METRE, fill.colour) for fill in fills),
        tuple(shadow * (METRE, METRE, 1.0) for shadow in _shadows(kind)),
        (Label("Airplane", outline * METRE),),
    )
    return place(scaled, x, y, heading)


def jet_bridge(
    plane: tuple[float, float, float], kind: AircraftType, root: tuple[float, float]
) -> Sprite:
    """Passenger bridge from a building at `root` to the forward left door of an aircraft."""
    x, y, heading = plane
    turn = np.deg2rad(heading)
    ahead = np.array([np.cos(turn), np.sin(turn)])
    left = np.array([ahead[1], -ahead[0]])
    door = np.array([x, y]) + METRE * (
        ahead * kind.length * 0.36 + left * (kind.length * kind.fuselage + 2.4)
    )
    elbow = np.array(root) + 0.25 * (door - root) + left * 6
    parts = [_tunnel(elbow, door, 7.0), _tunnel(np.array(root), elbow, 6.0)]
    rotunda = disc(elbow[0], elbow[1], 5.2, 12)
    hub = Sprite((Fill(rotunda, (150, 150, 148)),), (slab(rotunda, 5.0),))
    head = disc(door[0], door[1], 5.0, 10)
    cab = Sprite((Fill(head, (128, 130, 132)),), (slab(head, 5.0),))
    return merged([*parts, hub, cab])


def _tunnel(start: Points, end: Points, width: float) -> Sprite:
    middle, reach = (start + end) / 2, end - start
    heading = float(np.degrees(np.arctan2(reach[1], reach[0])))
    length = float(np.hypot(*reach))
    outline = rectangle(middle[0], middle[1], length, width, heading)
    ridge = rectangle(middle[0], middle[1], length, width * 0.45, heading)
    fills = Fill(outline, (150, 152, 152)), Fill(ridge, (184, 185, 182))
    return Sprite(fills, (slab(outline, 5.0), slab(outline, 3.0)))
