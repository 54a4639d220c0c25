"""Layout of the demo scene: what lies and what stands where.

Every section draws from its own random stream, so changing one leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import cv2
import numpy as np

from geogaze.demo.aircraft import LIVERIES, aircraft, jet_bridge
from geogaze.demo.airfield import lay_airfield, mark_stands
from geogaze.demo.buildings import TANKS, airside_halls, houses, industry, terminal
from geogaze.demo.canvas import Ground, View
from geogaze.demo.coast import MARINA_X, lay_sea, shore_rocks
from geogaze.demo.country import lay_fields
from geogaze.demo.harbour import (
    boat,
    container_ship,
    container_yard,
    marina,
    quay_crane,
    tanker,
    wake,
    yard_crane,
)
from geogaze.demo.roads import (
    ARTERIAL,
    CAR_PARKS,
    CROSSING,
    CURB_ROAD,
    FREEWAY,
    HARBOUR_ROAD,
    TOWN_AVENUE,
    TOWN_STREETS,
    car,
    lay_car_park,
    lay_roads,
    parked_cars,
    traffic,
    truck,
)
from geogaze.demo.shapes import (
    METRE,
    Fill,
    Sprite,
    blob,
    box,
    dashes,
    pick,
    place,
    points,
    rectangle,
    slab,
    vary,
)
from geogaze.demo.stands import (
    LIGHT_STANDS,
    MOVING,
    PIER_HALF,
    PIER_TOP,
    PIERS,
    REMOTE_STANDS,
    TERMINAL_TOP,
    Stand,
    gate_stands,
)
from geogaze.demo.texture import (
    CONCRETE,
    FOREST_FLOOR,
    GRAVEL,
    LAWN,
    QUAY,
    ROAD_ASPHALT,
    YARD,
)
from geogaze.demo.trees import FORESTS, scene_trees

YARD_BLOCKS = tuple((x, y) for x in (722.0, 774.0, 826.0) for y in (822.0, 1150.0))


def _stream(seed: int, section: int) -> np.random.Generator:
    return np.random.default_rng([seed, section])


def lay_ground(ground: Ground, seed: int) -> None:
    """Paint everything flat."""
    lay_fields(ground)
    for forest in FORESTS:
        soft = cv2.GaussianBlur(ground.mask().fill(box(*forest)).alpha(), (0, 0), 6)
        ground.lay(np.asarray(soft, np.float32), FOREST_FLOOR)
    _lay_lots(ground, _stream(seed, 1))
    lay_sea(ground, _stream(seed, 2))
    lay_airfield(ground, _stream(seed, 3))
    lay_roads(ground)
    for x0, y0, x1, y1, _ in CAR_PARKS:
        lay_car_park(ground, x0, y0, x1, y1)
    stands = [stand[:3] for stand in (*gate_stands(), *REMOTE_STANDS)]
    mark_stands(ground, stands, _stream(seed, 4))
    _lay_wakes(ground)


def _lay_lots(ground: Ground, rng: np.random.Generator) -> None:
    """Yards, lawns of the town and other built-up land."""
    ground.lay(ground.mask().fill(box(1050, 1770, 1600, 2460)), LAWN)
    ground.lay(ground.mask().fill(box(MARINA_X, 1500, 890, 1766)), GRAVEL)
    ground.lay(ground.mask().fill(box(640, 790, 894, 1502)), YARD)
    ground.lay(ground.mask().fill(box(940, 1196, 2500, 1300)), CONCRETE)
    ground.lay(ground.mask().fill(box(930, 1340, 1074, 1600)), YARD)
    ground.lay(ground.mask().fill(box(2010, 1336, 2420, 1560)), YARD)
    ground.lay(ground.mask().fill(box(MARINA_X, 1766, 866, 2700)), QUAY)
    ground.lay(ground.mask().fill(box(1790, 60, 1900, 130)), ROAD_ASPHALT)
    lanes = [points([(x, 800), (x, 1496)]) for x in (712.0, 763.0, 815.0, 868.0)]
    ground.smear(lanes, 7, 3, -0.12)
    rails = [points([(x, 800), (x, 1496)]) for x in (648.0, 702.0)]
    ground.paint(ground.mask().stroke(rails, 0.9), (92, 84, 76), 0.7)
    slots = [d for x in (680.0, 690.0) for d in dashes(points([(x, 806), (x, 1490)]), 8, 8)]
    ground.paint(ground.mask().stroke(slots, 0.7), (206, 178, 96), 0.6)
    walls = [box(x - r - 7, y - r - 7, x + r + 7, y + r + 7) for x, y, r, _ in TANKS]
    bunds = [np.vstack([wall, wall[:1]]) for wall in walls]
    ground.smear([bund + 1.2 for bund in bunds], 1.4, 0.8, -0.3)
    ground.paint(ground.mask().stroke(bunds, 1.4), (206, 200, 186), 0.8)
    for _ in range(40):
        spot = blob(rng, rng.uniform(940, 1070), rng.uniform(1344, 1596), rng.uniform(2, 9), 0.4)
        ground.paint(ground.mask().fill(spot), (90, 86, 80), 0.22)


def _lay_wakes(ground: Ground) -> None:
    for x, y, heading, length, beam in ((420.0, 1010.0, -100.0, 46.0, 14.0),
                                        (250.0, 1250.0, -70.0, 30.0, 10.0)):  # fmt: skip
        arms = list(wake(x, y, heading, length, beam))
        trail = np.array([arms[0][2:], arms[1][2:]]).mean(axis=0)
        ground.smear(arms, 2.2, 1.3, 0.9)
        ground.smear([trail], beam * 0.55, 2.5, 0.65)


def _dry_road(x: float, y: float) -> bool:
    """Away from the bridge, under which cars would shine through."""
    return abs(x - CROSSING[0]) > 40 or abs(y - CROSSING[1]) > 60


def low_sprites(seed: int, view: View) -> list[Sprite]:
    """Cars, ground equipment, pontoons and boats."""
    rng = _stream(seed, 10)

    def open_road(x: float, y: float) -> bool:
        return _dry_road(x, y) and view.shows(x, y)

    def curbside(x: float, y: float) -> bool:
        return x > 930 and view.shows(x, y)

    sprites = list(shore_rocks(rng, view))
    for side in (-1, 1):
        for lane in range(3):
            sprites += traffic(rng, FREEWAY, side * (13.2 + 8 * lane), 70, open_road, 0.16)
        for offset in (4.6, 12.8):
            sprites += traffic(rng, ARTERIAL, side * offset, 60, view.shows)
            sprites += traffic(rng, CURB_ROAD, side * offset, 46, curbside)
            sprites += traffic(rng, HARBOUR_ROAD, side * offset, 110, view.shows, 0.4)
    for street in (*TOWN_STREETS, TOWN_AVENUE):
        sprites += traffic(rng, street, 5.6, 62, view.shows, 0.0)
        sprites += traffic(rng, street, -5.6, 90, view.shows, 0.0)
    for park in CAR_PARKS:
        if view.shows((park[0] + park[2]) / 2, (park[1] + park[3]) / 2, 260):
            sprites += parked_cars(rng, *park)
    sprites += _ground_equipment(_stream(seed, 11))
    sprites += _yard_trucks(_stream(seed, 12))
    pontoons, boats = marina(_stream(seed, 13), view)
    boats += [boat(rng, 420, 1010, -100, 46), boat(rng, 250, 1250, -70, 30)]
    return [*sprites, *pontoons, *boats]


def _cart(rng: np.random.Generator, x: float, y: float, heading: float) -> Sprite:
    """Baggage cart, tug, loader or van on the apron; scenery, not listed."""
    length, width = rng.uniform(4, 13), rng.uniform(3, 5.2)
    colour = vary(
        rng,
        pick(
            rng, ((216, 217, 214), (208, 184, 92), (120, 122, 124), (176, 178, 178), (70, 84, 110))
        ),
        0.06,
    )
    body = rectangle(0, 0, length, width)
    fills = (
        Fill(body, colour),
        Fill(rectangle(length * 0.3, 0, length * 0.16, width * 0.8), (62, 66, 70)),
    )
    return place(Sprite(fills, (slab(body, 0.8), slab(body, 2.0))), x, y, heading)


def _ground_equipment(rng: np.random.Generator) -> list[Sprite]:
    sprites = []
    for x, y, heading, kind, _ in (*gate_stands(), *REMOTE_STANDS):
        turn = np.deg2rad(heading)
        ahead = np.array([np.cos(turn), np.sin(turn)])
        right = np.array([-ahead[1], ahead[0]])
        half = kind.length * METRE / 2
        for _ in range(int(rng.integers(3, 8))):
            spot = np.array([x, y]) + ahead * half * rng.uniform(-0.25, 0.95)
            spot = spot + right * rng.uniform(0.28, 0.5) * half * (1 if rng.random() < 0.75 else -1)
            sprites.append(
                _cart(rng, spot[0], spot[1], heading + rng.choice([0, 90]) + rng.normal(0, 9))
            )
    for x in PIERS:
        for y in np.arange(PIER_TOP + 10, TERMINAL_TOP - 30, 11):
            for side in (-1, 1):
                if rng.random() < 0.4:
                    offset = side * (PIER_HALF + rng.uniform(4, 9))
                    sprites.append(_cart(rng, x + offset, float(y), 90 + rng.normal(0, 6)))
    for _ in range(46):
        sprites.append(_cart(rng, rng.uniform(950, 2300), rng.uniform(770, 786), rng.normal(0, 4)))
    return sprites


def _yard_trucks(rng: np.random.Generator) -> list[Sprite]:
    sprites = []
    for x in (685.0, 712.0, 763.0, 815.0, 868.0):
        for y in np.arange(812, 1490, 34):
            if rng.random() < 0.3:
                sprites.append(
                    truck(rng, x + rng.normal(0, 0.8), float(y), rng.choice([-90.0, 90.0]))
                )
    for dock in np.arange(1350, 1590, 7.5):
        if rng.random() < 0.5:
            sprites.append(truck(rng, 1058.0, float(dock), 180 + rng.normal(0, 1)))
    for _ in range(16):
        sprites.append(
            car(rng, rng.uniform(2020, 2300), rng.uniform(1462, 1474), rng.choice([0, 180]))
        )
    return sprites


def tall_sprites(seed: int, view: View, absent: Collection[int] = ()) -> list[Sprite]:
    """Buildings, aircraft but for those of some numbers, ships, tanks and trees."""
    return [
        *_ships_and_stacks(_stream(seed, 20), view),
        *terminal(_stream(seed, 21)),
        *airside_halls(_stream(seed, 22)),
        *industry(_stream(seed, 23)),
        *houses(_stream(seed, 24), view),
        *_aircraft(absent),
        *scene_trees(_stream(seed, 25), view),
    ]


def top_sprites(seed: int) -> list[Sprite]:
    """What reaches over other things: jet bridges and cranes."""
    rng = _stream(seed, 30)
    sprites = []
    for x, y, heading, kind, _ in gate_stands():
        if heading == 90.0:
            root = (x + 22 * kind.length / 38, TERMINAL_TOP + 2)
        else:
            side = -1 if heading == 0.0 else 1
            pier = min(PIERS, key=lambda centre: abs(centre - x))
            root = (pier + side * (PIER_HALF - 1), y - 26 * side * (1 if heading else -1) * side)
        sprites.append(jet_bridge((x, y, heading), kind, root))
    for y in (905.0, 1010.0, 1128.0, 1238.0, 1392.0):
        sprites.append(quay_crane(y, (96, 118, 146) if y < 1200 else (150, 92, 76)))
    for left, y in YARD_BLOCKS:
        for _ in range(2):
            sprites.append(yard_crane(left - 6, left + 38, y + float(rng.uniform(20, 280))))
    return sprites


def _ships_and_stacks(rng: np.random.Generator, view: View) -> list[Sprite]:
    sprites = [
        container_ship(rng, 601, 1020, -90, 400, 62),
        container_ship(rng, 609, 1355, 90, 236, 46),
        tanker(352, 1455, 180, 250, 42),
        tanker(300, 905, -8, 190, 32),
    ]
    for x, y in YARD_BLOCKS:
        if not view.shows(x, y + 160, 240):
            continue
        sprites.append(container_yard(rng, x, y, 6, 12))
    return sprites


def _aircraft(absent: Collection[int]) -> list[Sprite]:
    stands: Sequence[Stand] = (*gate_stands(), *REMOTE_STANDS, *MOVING, *LIGHT_STANDS)
    return [
        aircraft(kind, LIVERIES[livery], x, y, heading)
        for number, (x, y, heading, kind, livery) in enumerate(stands)
        if number not in absent
    ]
