"""Runway, taxiways and aprons of the demo scene, with their markings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geogaze.demo.canvas import Ground, rounded
from geogaze.demo.shapes import (
    Colour,
    Points,
    beside,
    box,
    dashes,
    points,
    smooth_path,
)
from geogaze.demo.texture import (
    CONCRETE,
    FREEWAY_CONCRETE,
    RUNWAY_ASPHALT,
    SHOULDER,
    TAXIWAY_ASPHALT,
    FloatImage,
    Material,
)

FAR = 6000.0
RUNWAY_Y = 430.0
RUNWAY_START = 226.0
TAXIWAY_Y = 650.0
_RUNWAY_HALF = 45.0
_TAXIWAY_WIDTH = 46.0
_SHOULDER = 15.0
_FILLET = 42.0
_WHITE: Colour = (226, 225, 216)
_YELLOW: Colour = (194, 168, 92)
_JOINT: Colour = (96, 92, 84)
_PANEL = 15.0
_PATCH: Material = Material((122, 118, 109), (138, 133, 122), 2.5, 2.0, 2.5)

_RUNWAY = points([(RUNWAY_START, RUNWAY_Y), (FAR, RUNWAY_Y)])
_TAXIWAY = points([(250, TAXIWAY_Y), (FAR, TAXIWAY_Y)])
_LINKS = (
    smooth_path([(300, RUNWAY_Y), (262, 470), (258, 540), (262, 600), (310, TAXIWAY_Y)]),
    smooth_path([(480, RUNWAY_Y), (442, 470), (436, 540), (442, 600), (490, TAXIWAY_Y)]),
    smooth_path([(960, RUNWAY_Y), (1090, 458), (1230, 545), (1330, 622), (1450, TAXIWAY_Y)]),
    smooth_path([(1900, RUNWAY_Y), (1770, 458), (1630, 545), (1530, 622), (1410, TAXIWAY_Y)]),
    smooth_path([(2150, RUNWAY_Y), (2112, 470), (2108, 540), (2112, 600), (2150, TAXIWAY_Y)]),
    smooth_path([(1010, TAXIWAY_Y), (1048, 676), (1056, 740), (1056, 806)]),
    smooth_path([(1440, TAXIWAY_Y), (1496, 680), (1506, 740), (1506, 806)]),
    smooth_path([(1860, TAXIWAY_Y), (1906, 680), (1916, 740), (1916, 806)]),
    smooth_path([(1500, RUNWAY_Y), (1568, 400), (1584, 340), (1586, 300)]),
)
_APRON = box(940, 752, FAR, 1200)
_LIGHT_APRON = box(1430, 110, 1890, 296)
_GATE_LINES = (
    points([(940, 806), (FAR, 806)]),
    points([(1506, 806), (1506, 1160)]),
    points([(1164, 806), (1164, 1140)]),
    points([(1846, 806), (1846, 1150)]),
    points([(1470, 262), (1860, 262)]),
)


def lay_airfield(ground: Ground, rng: np.random.Generator) -> None:
    """Paint all pavement of the airport and its markings."""
    _lay_taxiways(ground)
    for apron in (_APRON, _LIGHT_APRON):
        _lay_apron(ground, apron, rng)
    _mark_taxi_lines(ground)
    _lay_runway(ground, rng)
    _mark_runway(ground)


def _lay_taxiways(ground: Ground) -> None:
    strips = ground.mask().stroke([_TAXIWAY, *_LINKS], _TAXIWAY_WIDTH)
    strips.stroke([_RUNWAY], 2 * _RUNWAY_HALF).fill(_APRON, _LIGHT_APRON)
    paved, distance = rounded(strips.alpha(), _FILLET)
    edge = np.clip(distance + _SHOULDER + 0.5, 0, 1)
    worn = np.clip(1 - np.abs(distance + _SHOULDER + 5) / 9, 0, 1)
    ground.tone(np.asarray(-0.10 * worn, np.float32))
    ground.lay(np.asarray(edge, np.float32), SHOULDER)
    ground.lay(paved, TAXIWAY_ASPHALT)
    for at in (3.0, 5.0):
        line = np.clip(1 - np.abs(distance - at) / 0.9, 0, 1)
        ground.paint(np.asarray(line, np.float32), _YELLOW, 0.55)
    seams = [beside(_TAXIWAY, offset) for offset in (-15, -7.5, 7.5, 15)]
    ground.paint(ground.mask().stroke(seams, 0.5), (84, 84, 80), 0.35)
    ticks = [
        points([(x, TAXIWAY_Y + side * 27), (x, TAXIWAY_Y + side * 35)])
        for x in np.arange(520, FAR, 44)
        for side in (-1, 1)
    ]
    ticks_mask = ground.mask().stroke(ticks, 1.2).alpha() * (1 - paved) * edge
    ground.paint(np.asarray(ticks_mask, np.float32), _YELLOW, 0.7)


def _lay_apron(ground: Ground, outline: Points, rng: np.random.Generator) -> None:
    alpha = ground.mask().fill(outline).alpha()
    ground.lay(alpha, CONCRETE)
    panel = _panel_tones(ground, rng)
    ground.tone(np.asarray(alpha * panel, np.float32))
    left, top = outline.min(axis=0)
    right, bottom = np.minimum(outline.max(axis=0), 2700)
    joints = [points([(x, top), (x, bottom)]) for x in np.arange(left, right, _PANEL)]
    joints += [points([(left, y), (right, y)]) for y in np.arange(top, bottom, _PANEL)]
    ground.paint(ground.mask().stroke(joints, 0.5), _JOINT, 0.42)


def _panel_tones(ground: Ground, rng: np.random.Generator) -> FloatImage:
    """Slightly different brightness per concrete panel and per strip of panels."""
    table = rng.normal(0, 0.016, (64, 64)).astype(np.float32)
    table += rng.normal(0, 0.02, (64, 1)).astype(np.float32)
    replaced = rng.random((64, 64)) < 0.02
    table[replaced] += rng.choice([-0.09, 0.09], int(replaced.sum()))
    column = np.floor(ground.x / _PANEL).astype(np.int64) % 64
    row = np.floor((ground.y - 2) / _PANEL).astype(np.int64) % 64
    return np.asarray(table[row, column], np.float32)


def _mark_taxi_lines(ground: Ground) -> None:
    lines = [_TAXIWAY, *_LINKS, *_GATE_LINES]
    ground.smear(lines, 16, 7, -0.10)
    ground.smear(lines, 5, 3, -0.07)
    ground.paint(ground.mask().stroke(lines, 2.4), (70, 70, 68), 0.30)
    ground.paint(ground.mask().stroke(lines, 1.0), _YELLOW, 0.95)
    holds = [
        points([(x - 26, RUNWAY_Y + 78 + gap), (x + 26, RUNWAY_Y + 78 + gap)])
        for x in (258, 438, 2110)
        for gap in (0, 3)
    ]
    ground.paint(ground.mask().stroke(holds, 1.2), _YELLOW, 0.9)


def _lay_runway(ground: Ground, rng: np.random.Generator) -> None:
    ground.lay(ground.mask().stroke([_RUNWAY], 2 * (_RUNWAY_HALF + 12)), SHOULDER)
    ground.lay(ground.mask().stroke([_RUNWAY], 2 * _RUNWAY_HALF), RUNWAY_ASPHALT)
    threshold = box(RUNWAY_START - 44, RUNWAY_Y - 57, RUNWAY_START, RUNWAY_Y + 57)
    ground.lay(ground.mask().fill(threshold), SHOULDER)
    ground.lay(
        ground.mask().fill(box(RUNWAY_START - 22, RUNWAY_Y - 45, RUNWAY_START + 96, RUNWAY_Y + 45)),
        FREEWAY_CONCRETE,
    )
    seams = [beside(_RUNWAY, offset) for offset in np.arange(-37.5, 40, 7.5)]
    ground.paint(ground.mask().stroke(seams, 0.5), (66, 66, 66), 0.4)
    for _ in range(16):
        x = rng.uniform(400, 2200)
        y = RUNWAY_Y + rng.choice([-30, -15, 15, 30]) + rng.uniform(-3, 3)
        patch = box(x, y, x + rng.uniform(14, 60), y + rng.uniform(6, 13))
        ground.paint(ground.mask().fill(patch), (76, 76, 76), float(rng.uniform(0.2, 0.5)))
    _lay_rubber(ground, rng)


def _lay_rubber(ground: Ground, rng: np.random.Generator) -> None:
    """Tyre marks: many thin streaks around the two wheel tracks of the touch-down zones."""
    ground.smear([points([(420, RUNWAY_Y), (1500, RUNWAY_Y)])], 20, 9, -0.20)
    for low, high, count in ((400, 1150, 210), (1650, 2300, 120)):
        streaks = []
        for _ in range(count):
            x = rng.triangular(low, (low + high) / 2, high)
            y = RUNWAY_Y + rng.choice([-7.0, 7.0]) + rng.normal(0, 4.5)
            end = x + rng.uniform(50, 190)
            streaks.append(points([(x, y), (end, y + rng.normal(0, 0.8))]))
        ground.paint(ground.mask().stroke(streaks[::2], 1.0), (48, 48, 50), 0.42)
        ground.smear(streaks[1::2], 1.6, 1.1, -0.22)


def _mark_runway(ground: Ground) -> None:
    y = RUNWAY_Y
    start = RUNWAY_START + 10
    bars = [
        box(start, y + side * offset - 1.9, start + 60, y + side * offset + 1.9)
        for offset in np.arange(5.4, 42, 7.0)
        for side in (-1, 1)
    ]
    blocks = [
        box(x0, y + side * 12, x1, y + side * 26)
        for x0, x1 in ((610.0, 710.0), (2010.0, 2110.0))
        for side in (-1, 1)
    ]
    zones = [
        box(x, y + side * (14 + 5.2 * k), x + 45, y + side * (14 + 5.2 * k + 3.2))
        for x, count in ((440.0, 3), (880.0, 2), (1020.0, 1), (1820.0, 2))
        for k in range(count)
        for side in (-1, 1)
    ]
    centre = dashes(points([(start + 130, y), (2700, y)]), 60, 40)
    edges = [beside(_RUNWAY, -42.0), beside(_RUNWAY, 42.0)]
    end_line = points([(RUNWAY_START + 2, y - 42), (RUNWAY_START + 2, y + 42)])
    mask = ground.mask().fill(*bars, *blocks, *zones)
    mask.stroke(centre, 2.0).stroke([*edges, end_line], 2.0)
    mask.stroke(_digits("09", start + 76, y), 3.4)
    ground.paint(mask, _WHITE, 0.88)
    chevrons = [
        points([(x + 20, y - 40), (x, y), (x + 20, y + 40)])
        for x in (RUNWAY_START - 40.0, RUNWAY_START - 26.0)
    ]
    ground.paint(ground.mask().stroke(chevrons, 2.0), _YELLOW, 0.7)


_DIGIT_STROKES: dict[str, list[list[tuple[float, float]]]] = {
    "0": [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]],
    "9": [[(1, 0.45), (0, 0.45), (0, 0), (1, 0), (1, 1), (0, 1)]],
}


def _digits(text: str, x: float, y: float) -> list[Points]:
    """Strokes of a runway number that is read by someone moving towards +x."""
    height, width, pitch = 30.0, 10.0, 18.0
    strokes = []
    for index, digit in enumerate(text):
        left = y + (index - (len(text) - 1) / 2) * pitch - width / 2
        for stroke in _DIGIT_STROKES[digit]:
            strokes.append(points([(x + height * (1 - v), left + width * u) for u, v in stroke]))
    return strokes


def mark_stands(
    ground: Ground, stands: Sequence[tuple[float, float, float]], rng: np.random.Generator
) -> None:
    """Lead-in lines, stop bars and oil stains of aircraft stands.

    Args:
        ground: What to paint on.
        stands: x, y of the aircraft's middle and its heading in degrees.
        rng: For the stains.
    """
    lead, bars, stains = [], [], []
    for x, y, heading in stands:
        ahead = np.array([np.cos(np.deg2rad(heading)), np.sin(np.deg2rad(heading))])
        side = np.array([-ahead[1], ahead[0]])
        middle = np.array([x, y])
        lead.append(np.array([middle - 62 * ahead, middle + 40 * ahead]))
        bars.append(np.array([middle + 36 * ahead - 6 * side, middle + 36 * ahead + 6 * side]))
        for _ in range(7):
            spot = middle + ahead * rng.normal(0, 16) + side * rng.normal(0, 9)
            stains.append(np.array([spot, spot + rng.normal(0, 4, 2)]))
    ground.smear(stains, 7, 3.5, -0.34)
    ground.smear(lead, 20, 9, -0.12)
    ground.paint(ground.mask().stroke(lead, 1.0), _YELLOW, 0.9)
    ground.paint(ground.mask().stroke(bars, 1.2), _WHITE, 0.8)
    if stands:
        for x, y, heading in list(stands)[::3]:
            corner = _stand_patch(x, y, heading)
            ground.paint(ground.mask().fill(corner), _PATCH.dark, 0.35)


def _stand_patch(x: float, y: float, heading: float) -> Points:
    """Darker concrete square under some stands."""
    turn = np.deg2rad(heading)
    ahead = np.array([np.cos(turn), np.sin(turn)])
    side = np.array([-ahead[1], ahead[0]])
    corners = [(-52, -38), (46, -38), (46, 38), (-52, 38)]
    return np.array([np.array([x, y]) + u * ahead + v * side for u, v in corners])
