"""Where aircraft stand and move in the demo scene."""

from __future__ import annotations

from geogaze.demo.aircraft import (
    BUSINESS,
    JUMBO,
    LIGHT,
    NARROW,
    NARROW_LONG,
    REGIONAL,
    TURBOPROP,
    WIDE,
    AircraftType,
)
from geogaze.demo.airfield import RUNWAY_Y, TAXIWAY_Y
from geogaze.demo.shapes import METRE

Stand = tuple[float, float, float, AircraftType, int]
"""x, y, heading, type and index of the livery."""

PIERS = (1285.0, 1725.0)
PIER_HALF = 17.0
PIER_TOP, TERMINAL_TOP = 900.0, 1192.0


def gate_stands() -> tuple[Stand, ...]:
    """Aircraft that stand nose in at the piers and the terminal."""
    stands: list[Stand] = []
    kinds = (NARROW, NARROW_LONG, NARROW, REGIONAL, NARROW, NARROW_LONG)
    for pier, x in enumerate(PIERS):
        for row, y in enumerate((944.0, 1030.0, 1116.0)):
            for side in (-1, 1):
                index = pier * 3 + row + (side > 0) * 2
                kind = kinds[index % len(kinds)]
                if (pier, row, side) in ((0, 0, 1), (1, 2, -1)):
                    continue
                reach = PIER_HALF + 16 + kind.length * METRE / 2
                heading = 180.0 if side > 0 else 0.0
                stands.append((x + side * reach, y, heading, kind, (index * 5 + pier) % 8))
    for x, kind, livery in ((1462.0, WIDE, 0), (1105.0, NARROW, 3), (1905.0, NARROW_LONG, 2)):
        y = TERMINAL_TOP - 18 - kind.length * METRE / 2
        stands.append((x, y, 90.0, kind, livery))
    stands.append((1990.0, TERMINAL_TOP - 18 - NARROW.length, 90.0, NARROW, 7))
    stands.append((2080.0, TERMINAL_TOP - 18 - NARROW.length, 90.0, NARROW, 1))
    return tuple(stands)


REMOTE_STANDS: tuple[Stand, ...] = (
    (990, 900, 135, TURBOPROP, 4), (990, 978, 135, TURBOPROP, 3), (990, 1056, 135, REGIONAL, 5),
    (2010, 930, 60, JUMBO, 5), (2150, 960, 60, WIDE, 3), (1558, 1090, 90, NARROW, 4),
)  # fmt: skip
MOVING: tuple[Stand, ...] = (
    (440, RUNWAY_Y, 0, NARROW, 1), (258, 556, -92, NARROW_LONG, 0),
    (356, TAXIWAY_Y, 180, REGIONAL, 6), (560, TAXIWAY_Y, 180, WIDE, 4),
    (1190, TAXIWAY_Y, 180, NARROW, 2), (1712, 806, 180, NARROW_LONG, 6),
    (1508, 900, -90, NARROW, 7), (1350, 632, 38, BUSINESS, 0), (2020, TAXIWAY_Y, 180, NARROW, 0),
)  # fmt: skip
LIGHT_STANDS: tuple[Stand, ...] = (
    *((1464.0 + 34 * k, 150.0, 90.0 + (k % 3) * 5 - 5, LIGHT, (k * 3) % 8) for k in range(8)),
    (1500, 224, 20, BUSINESS, 0), (1562, 232, 25, BUSINESS, 5), (1650, 226, 15, BUSINESS, 3),
    (1842, 168, 180, TURBOPROP, 0), (1760, 150, 90, LIGHT, 1), (1792, 152, 95, LIGHT, 4),
    (1738, 236, 60, LIGHT, 2),
)  # fmt: skip
