"""Ships, containers, cranes and the marina of the demo scene."""

from __future__ import annotations

import numpy as np

from geogaze.demo.canvas import View
from geogaze.demo.coast import MARINA_X, QUAY_X
from geogaze.demo.shapes import (
    Colour,
    Fill,
    Label,
    Points,
    Sprite,
    box,
    disc,
    merged,
    pick,
    place,
    points,
    prism,
    rectangle,
    rotation,
    shade,
    slab,
    sun_in_frame,
    vary,
)

CONTAINER_COLOURS: tuple[Colour, ...] = (
    (128, 62, 52), (140, 74, 58), (52, 78, 116), (66, 96, 134), (72, 104, 96), (88, 112, 84),
    (158, 158, 154), (192, 190, 184), (172, 110, 66), (104, 106, 108), (178, 152, 96),
)  # fmt: skip
_LONG, _WIDE, _TALL = 24.4, 4.9, 2.6
_BAY, _ROW = 26.0, 5.3
_HULLS: tuple[Colour, ...] = ((58, 68, 84), (106, 58, 52), (64, 88, 82))
_STEEL: Colour = (86, 110, 138)
_CABIN: Colour = (228, 228, 224)
_COVERS: tuple[Colour, ...] = (
    (226, 226, 222), (226, 226, 222), (46, 76, 128), (62, 72, 84), (186, 176, 154),
    (70, 108, 122), (206, 204, 198),
)  # fmt: skip


def container_stacks(
    rng: np.random.Generator,
    bays: int,
    tiers: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    sun: Points,
    base: float,
) -> Sprite:
    """Stacked containers with their long sides along +x, starting at the origin.

    Args:
        rng: For their colours.
        bays: Containers one behind the other.
        tiers: Height of every stack, (rows, bays), in containers.
        sun: Horizontal sun vector in this frame.
        base: Height of the deck or ground in metres.
    """
    rows = tiers.shape[0]
    sunny = 1 if sun[1] > 0 else -1
    fills, shadows = [], []
    for row in range(rows):
        for bay in range(bays):
            count = int(tiers[row, bay])
            if not count:
                continue
            left, top = bay * _BAY, row * _ROW
            colour = vary(rng, pick(rng, CONTAINER_COLOURS), 0.07)
            colour = shade(colour, 0.86 + 0.05 * count)
            outline = box(left, top, left + _LONG, top + _WIDE)
            fills.append(Fill(outline, shade(colour, 0.78)))
            fills.append(Fill(box(left + 0.7, top + 0.7, left + _LONG - 0.7, top + 4.2), colour))
            neighbour = row + sunny
            above = int(tiers[neighbour, bay]) - count if 0 <= neighbour < rows else 0
            if above > 0:
                depth = min(_WIDE, above * 2.4)
                start = top + _WIDE - depth if sunny > 0 else top
                fills.append(
                    Fill(box(left, start, left + _LONG, start + depth), shade(colour, 0.5))
                )
            if bay % 2 == 0 or row in (0, rows - 1):
                shadows += list(prism(outline, base + count * _TALL))
    return Sprite(tuple(fills), tuple(shadows))


def _stack_heights(
    rng: np.random.Generator, rows: int, bays: int, highest: int, emptiness: float
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    typical = rng.integers(1, highest + 1, (1, bays))
    heights = np.clip(typical + rng.integers(-1, 2, (rows, bays)), 0, highest)
    heights[rng.random((rows, bays)) < emptiness] = 0
    return np.asarray(heights, np.int64)


def container_yard(rng: np.random.Generator, x: float, y: float, rows: int, bays: int) -> Sprite:
    """One block of the yard, long sides of the containers along y, upper left at (x, y)."""
    tiers = _stack_heights(rng, rows, bays, 4, 0.12)
    block = container_stacks(rng, bays, tiers, sun_in_frame(90), 0.0)
    return place(block, x + rows * _ROW, y, 90)


def _hull(length: float, beam: float, stern: float = 0.86) -> Points:
    """(N, 2) deck outline about the origin with its bow towards +x."""
    along = np.array([-0.5, -0.47, -0.40, 0.26, 0.36, 0.43, 0.475, 0.5])
    across = np.array([stern * 0.8, stern, 1.0, 1.0, 0.86, 0.58, 0.28, 0.0]) / 2
    right = np.column_stack([along * length, across * beam])
    return np.vstack([right, right[-2::-1] * (1, -1)])


def _superstructure(x: float, width: float, depth: float, height: float) -> Sprite:
    block = rectangle(x, 0, depth, width)
    wings = rectangle(x + depth * 0.32, 0, depth * 0.22, width * 1.12)
    funnel = rectangle(x - depth * 0.75, 0, depth * 0.5, width * 0.25)
    fills = (
        Fill(block, shade(_CABIN, 0.90)),
        Fill(rectangle(x - 1, 0, depth * 0.6, width * 0.8), _CABIN),
        Fill(wings, shade(_CABIN, 0.97)),
        Fill(rectangle(x + depth * 0.46, 0, 1.4, width * 0.9), (70, 78, 86)),
        Fill(rectangle(x - 2, width * 0.2, 4, 3), (150, 150, 146)),
        Fill(funnel, (74, 84, 104)),
        Fill(rectangle(x - depth * 0.75, 0, depth * 0.3, width * 0.12), (40, 42, 46)),
    )
    return Sprite(fills, (*prism(block, height), *prism(funnel, height + 4)))


def container_ship(
    rng: np.random.Generator, x: float, y: float, heading: float, length: float, beam: float
) -> Sprite:
    """Loaded container ship, labelled Ship; dimensions in layout pixels."""
    hull, colour = _hull(length, beam), pick(rng, _HULLS)
    inner = hull * (0.985, 0.90)
    fills = Fill(hull, shade(colour, 1.15)), Fill(inner, (104, 96, 88))
    label = Label("Ship", rectangle(0, 0, length, beam))
    shell = Sprite(fills, prism(hull, 7.0), (label,))
    sun = sun_in_frame(heading)
    rows = int(beam * 0.92 // _ROW)
    bridge = -0.30 * length
    parts = [shell]
    for start, end in ((-0.46 * length, bridge - 26), (bridge + 16, 0.36 * length)):
        bays = int((end - start) // _BAY)
        if bays > 0:
            tiers = _stack_heights(rng, rows, bays, 5, 0.05)
            cargo = container_stacks(rng, bays, tiers, sun, 6.0)
            parts.append(place(cargo, start, -rows * _ROW / 2, 0))
    forecastle = points([(0.40 * length, -3), (0.46 * length, 0), (0.40 * length, 3)])
    parts.append(Sprite((Fill(forecastle, (150, 144, 134)),)))
    parts.append(_superstructure(bridge, beam * 0.9, 17, 26))
    return place(merged(parts), x, y, heading)


def tanker(x: float, y: float, heading: float, length: float, beam: float) -> Sprite:
    """Tanker with deck pipes, labelled Ship."""
    hull = _hull(length, beam)
    fills = [Fill(hull, (52, 54, 60)), Fill(hull * (0.985, 0.90), (124, 74, 62))]
    for offset in (-0.07, 0.0, 0.07):
        pipe = rectangle(0.05 * length, offset * beam, 0.62 * length, 1.1)
        fills.append(Fill(pipe, (176, 168, 156)))
    for at in np.arange(-0.2, 0.34, 0.06):
        fills.append(Fill(rectangle(at * length, 0, 1.2, 0.8 * beam), (104, 66, 56)))
        for side in (-1, 1):
            hatch = disc(at * length + 5, side * 0.27 * beam, 1.9, 10)
            fills.append(Fill(hatch, (158, 116, 100)))
    manifold = rectangle(0.06 * length, 0, 6, 0.84 * beam)
    fills.append(Fill(manifold, (150, 142, 132)))
    label = Label("Ship", rectangle(0, 0, length, beam))
    shell = Sprite(tuple(fills), prism(hull, 6.0), (label,))
    return place(
        merged([shell, _superstructure(-0.39 * length, beam * 0.86, 20, 20)]), x, y, heading
    )


def quay_crane(y: float, colour: Colour) -> Sprite:
    """Ship-to-shore gantry crane on the container quay, its boom out over the ship."""
    near, far, reach = QUAY_X + 8, QUAY_X + 62, QUAY_X - 74
    legs = [box(x - 2, y + s * 16 - 2, x + 2, y + s * 16 + 2) for x in (near, far) for s in (-1, 1)]
    sills = [box(x - 1.6, y - 18, x + 1.6, y + 18) for x in (near, far)]
    ties = [box(near, y + s * 16 - 1.2, far, y + s * 16 + 1.2) for s in (-1, 1)]
    girders = [box(reach, y + s * 4.5 - 1.3, far + 26, y + s * 4.5 + 1.3) for s in (-1, 1)]
    braces = [box(x, y - 5, x + 1.2, y + 5) for x in np.arange(reach, far + 26, 9.0)]
    house = box(far - 6, y - 8, far + 16, y + 8)
    trolley = box(reach + 46, y - 5, reach + 55, y + 5)
    fills = [Fill(p, shade(colour, 0.72)) for p in (*legs, *sills, *ties)]
    fills += [Fill(p, shade(colour, 1.0)) for p in braces]
    fills += [Fill(p, shade(colour, 1.2)) for p in girders]
    fills += [Fill(house, (196, 198, 196)), Fill(trolley, (212, 206, 190))]
    fills.append(Fill(box(far - 3, y - 5, far + 12, y + 2), (214, 215, 212)))
    shadows = [slab(p, 32.0) for p in (*girders, *braces, house)]
    shadows += [slab(p, 20.0) for p in (*ties, *sills)]
    for leg in legs:
        shadows += list(prism(leg, 32.0))
    return Sprite(tuple(fills), tuple(shadows))


def yard_crane(x0: float, x1: float, y: float) -> Sprite:
    """Rubber-tyred gantry over one block of the container yard."""
    beams = [box(x0, y + s * 6 - 1.4, x1, y + s * 6 + 1.4) for s in (-1, 1)]
    sides = [box(x - 1.5, y - 9, x + 1.5, y + 9) for x in (x0, x1)]
    trolley = rectangle((x0 * 2 + x1) / 3, y, 8, 11)
    fills = [Fill(p, (176, 148, 72)) for p in sides] + [Fill(p, (206, 178, 96)) for p in beams]
    fills.append(Fill(trolley, (200, 200, 194)))
    shadows = [slab(p, 19.0) for p in (*beams, trolley)] + [slab(p, 9.0) for p in sides]
    return Sprite(tuple(fills), tuple(shadows))


def boat(rng: np.random.Generator, x: float, y: float, heading: float, length: float) -> Sprite:
    """Motor boat or sailing yacht, labelled Ship; length in layout pixels."""
    beam = length * rng.uniform(0.30, 0.37)
    hull = _hull(length, beam, 0.94)
    white = vary(rng, (226, 227, 223), 0.04)
    sail = rng.random() < 0.4
    fills = [Fill(hull, shade(white, 0.84)), Fill(hull * (0.93, 0.72), white)]
    cover = vary(rng, pick(rng, _COVERS), 0.08)
    shadows = list(prism(hull, 1.4))
    if sail:
        fills.append(Fill(rectangle(-0.26 * length, 0, 0.3 * length, 0.5 * beam), (148, 132, 108)))
        fills.append(
            Fill(rectangle(-0.02 * length, 0, 0.26 * length, 0.46 * beam), (206, 208, 206))
        )
        fills.append(Fill(rectangle(-0.14 * length, 0, 0.44 * length, 1.3), cover))
        mast = length * 0.55
        shadows.append(
            np.array([[0.1 * length, -0.5, 1], [0.1 * length, 0.5, 1], [0.1 * length, 0, mast]])
        )
    else:
        fills.append(
            Fill(rectangle(-0.08 * length, 0, 0.42 * length, 0.64 * beam), (206, 208, 206))
        )
        fills.append(Fill(rectangle(0.13 * length, 0, 0.08 * length, 0.6 * beam), (58, 66, 76)))
        fills.append(Fill(rectangle(-0.10 * length, 0, 0.28 * length, 0.56 * beam), cover))
        fills.append(Fill(rectangle(-0.40 * length, 0, 0.14 * length, 0.6 * beam), (178, 168, 148)))
        shadows.append(slab(rectangle(-0.08 * length, 0, 0.42 * length, 0.64 * beam), 2.8))
    label = Label("Ship", rectangle(0, 0, length, beam))
    return place(Sprite(tuple(fills), tuple(shadows), (label,)), x, y, heading)


def _pontoon(outline: Points) -> Sprite:
    middle = outline.mean(axis=0)
    inner = middle + (outline - middle) * (0.996, 0.5)
    return Sprite(
        (Fill(outline, (164, 158, 146)), Fill(inner, (184, 178, 165))), prism(outline, 1.0)
    )


def marina(rng: np.random.Generator, view: View) -> tuple[list[Sprite], list[Sprite]]:
    """Pontoons and the boats that are moored at them.

    Returns:
        The pontoons, and the boats.
    """
    pontoons, boats = [], []
    for index, y in enumerate(np.arange(1628.0, 2700.0, 94.0)):
        left = 318.0 + 16 * (index % 3)
        pontoons.append(_pontoon(box(left, y - 3, MARINA_X, y + 3)))
        pontoons.append(_pontoon(box(left - 5, y - 26, left, y + 26)))
        for side in (-1, 1):
            x = left + 9
            while x < MARINA_X - 22:
                length = rng.uniform(17, 29)
                pitch = length * 0.37 + 2.6
                visible = view.shows(x, float(y))
                if visible and rng.random() < 0.86:
                    centre = y + side * (length / 2 + 4.6)
                    heading = 90.0 * side + (180 if rng.random() < 0.3 else 0) + rng.normal(0, 1.5)
                    boats.append(boat(rng, x + pitch / 2, centre, heading, length))
                if rng.random() < 0.45:
                    finger = box(x - 0.8, min(y, y + side * 18), x + 0.8, max(y, y + side * 18))
                    pontoons.append(Sprite((Fill(finger, (172, 166, 153)),)))
                x += pitch
    return pontoons, boats


def wake(x: float, y: float, heading: float, length: float, beam: float) -> tuple[Points, Points]:
    """The two foam lines behind a moving ship, from its bow; (N, 2) layout points each."""
    along = np.linspace(0.42 * length, -1.6 * length, 12)
    spread = 0.34 * beam + (0.42 * length - along) * 0.13
    turn = rotation(heading).T
    right = np.column_stack([along, spread]) @ turn + (x, y)
    left = np.column_stack([along, -spread]) @ turn + (x, y)
    return left, right
