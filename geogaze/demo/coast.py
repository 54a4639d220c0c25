"""Sea, beach, quays and breakwaters of the demo scene."""

from __future__ import annotations

import cv2
import numpy as np

from geogaze.demo.canvas import Ground, View
from geogaze.demo.shapes import (
    SHADOW_PER_METRE,
    Fill,
    Points,
    Sprite,
    blob,
    box,
    onward,
    points,
    shade,
    smooth_path,
    vary,
    walk,
)
from geogaze.demo.texture import QUAY, SAND, SCRUB, WET_SAND, FloatImage, Noise, streaks

FAR = 6000.0
QUAY_X = 640.0
MARINA_X = 690.0
_DEEP = np.array([28, 58, 60], np.float32)
_MIDDLE = np.array([42, 82, 80], np.float32)
_SHALLOW = np.array([112, 136, 118], np.float32)
_FOAM = np.array([226, 230, 224], np.float32)
_QUAY_HEIGHT = 3.5

_BEACH = smooth_path(
    [(540, -700), (500, -300), (452, -80), (425, 40), (360, 150), (262, 222), (176, 262)]
)
_PLATFORM = points([(176, 262), (152, 300), (150, 728), (166, 756), (196, 768), (600, 768)])
_MOLE = points([(QUAY_X, 1500), (330, 1500), (318, 1512), (318, 1524), (330, 1536), (690, 1536)])
_BREAKWATER = onward(
    smooth_path([(206, 1560), (182, 1660), (176, 1800), (190, 2000), (214, 2400)]), 240, 2700
)


def _land() -> Points:
    return np.vstack(
        [
            points([(600, -FAR)]),
            _BEACH,
            _PLATFORM,
            points([(QUAY_X, 800)]),
            _MOLE,
            points([(MARINA_X, FAR), (FAR, FAR), (FAR, -FAR)]),
        ]
    )


def _distance(inside: FloatImage) -> FloatImage:
    region = np.asarray(inside > 0.5, np.uint8)
    distance = cv2.distanceTransform(region, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


def _beachness(y: FloatImage) -> FloatImage:
    """1 off the open beach, falling to 0 at the built shore."""
    ramp = np.clip((275 - y) / 60, 0, 1)
    return np.asarray(ramp, np.float32)


def _sea_colour(noise: Noise, distance: FloatImage, beach: FloatImage) -> FloatImage:
    reach = 28 + 60 * beach
    depth = 1 - np.exp(-np.maximum(distance + 9 * noise.medium * beach, 0) / reach)
    depth = np.clip(depth, 0, 1)[..., None]
    swirl = np.clip(0.42 + 0.2 * noise.large, 0, 1)[..., None]
    open_sea = _DEEP + swirl * (_MIDDLE - _DEEP)
    shore = beach[..., None] * _SHALLOW + (1 - beach[..., None]) * _MIDDLE * 0.95
    return np.asarray(shore + depth * (open_sea - shore), np.float32)


def _waves(noise: Noise, rng: np.random.Generator) -> FloatImage:
    shape = (noise.grain.shape[0], noise.grain.shape[1])
    swell = streaks(rng, shape, 18, 4.5)
    ripple = streaks(rng, shape, 3.5, 1.1)
    strength = np.clip(1 + 0.35 * noise.large + 0.2 * noise.medium, 0.3, 2)
    glint = np.clip(ripple + 0.5 * swell - 2.5, 0, 2) * 9
    waves = strength * (2.0 * swell + 2.4 * ripple + glint) + 1.2 * noise.grain
    return np.asarray(waves, np.float32)


def _surf(noise: Noise, distance: FloatImage, beach: FloatImage) -> FloatImage:
    wavy = distance + 4 * noise.medium + 1.2 * noise.fine
    lines = np.exp(-(((wavy - 7) / 4.5) ** 2)) + 0.75 * np.exp(-(((wavy - 27) / 4.5) ** 2))
    lines += 0.4 * np.exp(-(((wavy - 52) / 4.0) ** 2)) * (noise.medium > 0)
    lace = np.clip(0.62 + 0.42 * noise.fine, 0, 1)
    quay_line = 0.12 * np.exp(-((distance / 2.5) ** 2)) * (1 - beach)
    return np.asarray(np.clip(lines * lace * beach + quay_line, 0, 0.95), np.float32)


def lay_sea(ground: Ground, rng: np.random.Generator) -> None:
    """Paint beach, quays, piers' edges and all water."""
    breakwater = [_BREAKWATER]
    land = ground.mask().fill(_land()).stroke(breakwater, 24).alpha()
    water = 1 - land
    distance, inland = _distance(water), _distance(land)
    beach = _beachness(ground.y)

    ragged = inland + 16 * ground.noise.medium + 3 * ground.noise.fine
    ground.lay(np.asarray(beach * np.clip((150 - ragged) / 30, 0, 0.85), np.float32), SCRUB)
    ground.lay(np.asarray(beach * np.clip((74 - ragged) / 10, 0, 1), np.float32), SAND)
    wet = np.clip((16 - inland - 4 * ground.noise.medium) / 5, 0, 1) * beach
    ground.lay(np.asarray(wet, np.float32), WET_SAND)
    mole = points([(330, 1518), (700, 1518)])
    promenade = [points([(MARINA_X + 12, 1536), (MARINA_X + 12, FAR)])]
    ground.lay(ground.mask().fill(box(QUAY_X, 774, QUAY_X + 62, 1502)).stroke([mole], 36), QUAY)
    ground.lay(ground.mask().stroke(promenade, 24), QUAY)
    coping = points([(QUAY_X + 2, 800), (QUAY_X + 2, 1500)])
    ground.paint(ground.mask().stroke([coping], 3.0), (214, 210, 198), 0.6)

    x, y, width, height = cv2.boundingRect(np.asarray(water > 0, np.uint8))
    if not width or not height:
        return
    at = slice(y, y + height), slice(x, x + width)
    noise, water, distance, beach = ground.noise.window(*at), water[at], distance[at], beach[at]
    sea = _sea_colour(noise, distance, beach) + _waves(noise, rng)[..., None]
    sea += _surf(noise, distance, beach)[..., None] * (_FOAM - sea)
    cast = ground.mask().fill(_land() + _QUAY_HEIGHT * SHADOW_PER_METRE).alpha()[at]
    sea *= (1 - 0.45 * cast * (1 - beach))[..., None]
    # The sand shows through the last water; built shores end sharply.
    cover = (water * np.clip(np.maximum(distance / 5, 1 - beach), 0.15, 1))[..., None]
    under = ground.image[at]
    under += cover * (sea - under)


def _boulders(
    rng: np.random.Generator, view: View, path: Points, spread: float, pitch: float
) -> list[Sprite]:
    length = float(np.hypot(*np.diff(path, axis=0).T).sum())
    at, tangent = walk(path, np.arange(0, min(length, 2600), pitch))
    sprites = []
    for (x, y), (tx, ty) in zip(at, tangent, strict=True):
        if not view.shows(x, y):
            continue
        side = rng.uniform(-spread, spread)
        outline = blob(rng, x - ty * side, y + tx * side, rng.uniform(1.1, 2.9), 0.35, 6)
        colour = vary(rng, (134, 128, 116), 0.16)
        lit = outline.mean(axis=0) + (outline - outline.mean(axis=0)) * 0.6 + 0.35
        sprites.append(Sprite((Fill(outline, shade(colour, 0.74)), Fill(lit, colour))))
    return sprites


def shore_rocks(rng: np.random.Generator, view: View) -> list[Sprite]:
    """Boulders along the revetments and on the breakwater."""
    return [
        *_boulders(rng, view, _PLATFORM, 7, 0.85),
        *_boulders(rng, view, _MOLE[:5], 5, 1.2),
        *_boulders(rng, view, _BREAKWATER, 13, 0.4),
    ]
