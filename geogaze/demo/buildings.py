"""Where buildings and tanks stand in the demo scene."""

from __future__ import annotations

import numpy as np

from geogaze.demo.canvas import View
from geogaze.demo.roads import FREEWAY, TOWN_AVENUE, TOWN_STREETS, car
from geogaze.demo.shapes import Fill, Sprite, blob, rectangle, slab, vary
from geogaze.demo.stands import PIER_HALF, PIER_TOP, PIERS, TERMINAL_TOP
from geogaze.demo.town import ROOFS, flat_roof, house, ribbed_roof, storage_tank

TANKS = (
    (716.0, 1572.0, 25.0, True), (784.0, 1570.0, 25.0, False), (850.0, 1572.0, 23.0, False),
    (722.0, 1646.0, 31.0, False), (800.0, 1646.0, 31.0, True), (722.0, 1722.0, 24.0, False),
    (786.0, 1722.0, 20.0, False), (838.0, 1716.0, 14.0, False),
)  # fmt: skip


def terminal(rng: np.random.Generator) -> list[Sprite]:
    """Terminal, piers and control tower."""
    white, grey = (214, 211, 202), (184, 181, 172)
    sprites = [
        ribbed_roof(1505, 1236, 720, 84, 0, 18, white),
        flat_roof(rng, 1985, 1236, 236, 74, 0, 13, grey, 22),
        flat_roof(rng, 1090, 1236, 104, 74, 0, 13, grey, 12),
    ]
    for x in PIERS:
        middle = (PIER_TOP + TERMINAL_TOP) / 2
        sprites.append(
            ribbed_roof(x, middle, TERMINAL_TOP - PIER_TOP, 2 * PIER_HALF, 90, 10, white)
        )
        sprites.append(flat_roof(rng, x, PIER_TOP - 4, 50, 44, 0, 12, grey, 3))
    for at in np.arange(1180, 1860, 56):
        units = rectangle(float(at), 1236, 22, 10)
        sprites.append(
            Sprite((Fill(units, (150, 152, 152)), Fill(units - (2, 2), (190, 190, 186))))
        )
    canopy = rectangle(1505, 1287, 700, 12)
    sprites.append(Sprite((Fill(canopy, (196, 195, 190)),), (slab(canopy, 6.0),)))
    tower = rectangle(1020, 1246, 15, 15)
    sprites.append(flat_roof(rng, 1020, 1246, 15, 15, 0, 46, (206, 206, 200), 0))
    sprites.append(
        Sprite(
            (
                Fill(tower * 1.0, (92, 100, 106)),
                Fill(rectangle(1020, 1246, 10, 10), (214, 214, 208)),
            )
        )
    )
    return sprites


def airside_halls(rng: np.random.Generator) -> list[Sprite]:
    """Hangars and other halls by the aprons."""
    return [
        ribbed_roof(1490, 92, 76, 52, 0, 10, (186, 188, 186)),
        ribbed_roof(1586, 90, 84, 56, 0, 11, (158, 164, 168)),
        ribbed_roof(1684, 94, 70, 50, 0, 10, (196, 190, 176)),
        flat_roof(rng, 1766, 96, 56, 30, 0, 8, ROOFS[1], 5),
        ribbed_roof(975, 1158, 58, 62, 90, 13, (176, 182, 186)),
        flat_roof(rng, 966, 1240, 48, 60, 0, 9, ROOFS[0], 7),
    ]


def industry(rng: np.random.Generator) -> list[Sprite]:
    """Tanks, warehouses and offices."""
    sprites = [storage_tank(rng, *tank) for tank in TANKS]
    sprites += [
        ribbed_roof(988, 1384, 100, 66, 0, 11, (170, 174, 174)),
        ribbed_roof(988, 1464, 100, 70, 0, 11, (192, 186, 172)),
        flat_roof(rng, 988, 1552, 100, 76, 0, 10, ROOFS[3], 18),
        flat_roof(rng, 1532, 1462, 120, 44, 0, 22, ROOFS[2], 14),
        flat_roof(rng, 1506, 1500, 56, 40, 0, 28, ROOFS[4], 6),
        ribbed_roof(2080, 1514, 120, 66, 0, 11, (166, 158, 146)),
        flat_roof(rng, 2226, 1514, 140, 70, 0, 10, ROOFS[1], 24),
        flat_roof(rng, 760, 1530, 64, 14, 0, 5, ROOFS[0], 3),
        flat_roof(rng, 846, 1660, 34, 26, 90, 6, ROOFS[3], 3),
        ribbed_roof(782, 2070, 90, 52, 90, 8, (188, 190, 188)),
        flat_roof(rng, 716, 1785, 30, 60, 0, 7, ROOFS[1], 4),
        flat_roof(rng, 860, 1512, 40, 20, 0, 7, ROOFS[2], 3),
        flat_roof(rng, 1690, 1344, 60, 34, 0, 12, ROOFS[0], 6),
        flat_roof(rng, 216, 700, 30, 18, 0, 5, ROOFS[1], 2),
        flat_roof(rng, 700, 716, 64, 30, 0, 8, (176, 96, 78), 4),
    ]
    return sprites


def houses(rng: np.random.Generator, view: View) -> list[Sprite]:
    """Houses of the town that the view shows, with drives, parked cars and pools."""
    sprites = []
    for street in TOWN_STREETS:
        y = float(street[0, 1])
        for side in (-1, 1):
            for x in np.arange(1082, 1590, 45.0):
                if abs(x - TOWN_AVENUE[0, 0]) < 30 or rng.random() < 0.06:
                    continue
                if not view.shows(float(x), y):
                    continue
                if float(np.hypot(*(FREEWAY - (x, y + side * 29)).T).min()) < 84:
                    continue
                px, py = x + rng.normal(0, 2), y + side * (29 + rng.normal(0, 2))
                drive = rectangle(px + 17, y + side * 16, 7, 22, 90)
                sprites.append(Sprite((Fill(drive, vary(rng, (172, 168, 158), 0.04)),)))
                if rng.random() < 0.45:
                    sprites.append(car(rng, px + 17, y + side * 17, 90))
                sprites.append(
                    house(rng, px, py, float(rng.choice([0, 0, 90]) + rng.normal(0, 1.5)))
                )
                if rng.random() < 0.18:
                    pool = blob(rng, px - 8, y + side * 45, 4.6, 0.15)
                    rim = blob(rng, px - 8, y + side * 45, 6.2, 0.1)
                    sprites.append(Sprite((Fill(rim, (196, 190, 178)), Fill(pool, (96, 152, 160)))))
    return sprites
