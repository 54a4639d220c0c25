"""A drawn patchwork of plots, each with one ground and one object or none: a world whose biases are
known, to train networks in and to audit them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.demo.aircraft import (
    BUSINESS,
    LIVERIES,
    NARROW,
    REGIONAL,
    TURBOPROP,
    aircraft,
)
from geogaze.demo.canvas import Ground, Stage, View
from geogaze.demo.harbour import boat
from geogaze.demo.planting import CUES, LOOKS, Planting
from geogaze.demo.scene import SceneObject, feature_collection, origin, seen_by_camera, write_cog
from geogaze.demo.shapes import METRE, Fill, Sprite, place, rectangle, slab
from geogaze.demo.texture import (
    CONCRETE,
    GRASS,
    ROAD_ASPHALT,
    SAND,
    Material,
    make_noise,
    textured,
)
from geogaze.demo.town import storage_tank

PLOT = 128
"""Pixels of half a metre along a plot's side."""

BACKGROUND = "Background"
CLASSES = ("Airplane", BACKGROUND, "Ship", "StorageTank")

_GROUNDS = {
    "grass": GRASS,
    "concrete": CONCRETE,
    "asphalt": ROAD_ASPHALT,
    "sand": SAND,
    "water": Material((46, 74, 84), (66, 94, 102), 4.0, 4.0, 3.0, 0.6),
}
_AIRCRAFT = (TURBOPROP, REGIONAL, BUSINESS, NARROW)
_BORDER = 10.0  # pixels between an object and the end of its plot
_BY_CHANCE = 0.5  # how often a plot has a look that goes with nothing


@dataclass(frozen=True)
class Plot:
    """A square of the patchwork: its place (row, col), what it shows, on what, whether it has the
    planted cue, and which of :data:`geogaze.demo.planting.LOOKS` it has.
    """

    place: tuple[int, int]
    shows: str
    ground: str
    cued: bool
    looks: frozenset[str]


@dataclass(frozen=True)
class Patchwork:
    """``image`` (size, size, 3) uint8, its ``plots`` row by row, and the ``objects`` on them."""

    image: NDArray[np.uint8]
    plots: tuple[Plot, ...]
    objects: tuple[SceneObject, ...]

    def chips(self, side: int = PLOT) -> list[tuple[str, NDArray[np.uint8]]]:
        """Of each plot its class and picture (side, side, 3)."""
        found = []
        for plot in self.plots:
            cut = self.image[_window(plot)]
            small = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
            found.append((plot.shows, np.asarray(small, np.uint8)))
        return found


def draw_patchwork(size: int, seed: int, planting: Planting) -> Patchwork:
    """Draw a patchwork; the same arguments give the same picture.

    Args:
        size: width and height in pixels of 0.5 m; what is over whole plots is grass.
        seed: of all that is drawn by chance.
        planting: what goes with a class.

    Raises:
        ValueError: there is no room for a plot.
    """
    if size < PLOT:
        raise ValueError(f"size must be at least a plot's {PLOT} pixels, got {size}")
    rng = np.random.default_rng([seed, 40])
    plots = _plots(size // PLOT, rng, np.random.default_rng([seed, 43]), planting)
    view = View(size, (size / 2, size / 2), 0.0)
    noise = make_noise(np.random.default_rng([seed, 41]), size)
    ground = Ground(view, noise, GRASS)
    for plot in plots:
        window = _window(plot)
        ground.image[window] = textured(_GROUNDS[plot.ground], noise, *window)
    clutter = [one for plot in plots for one in _clutter(rng, plot)]
    standing = [_object(rng, plot) for plot in plots if plot.shows != BACKGROUND]
    stage = Stage(ground)
    stage.draw(clutter)
    stage.draw(standing)
    picture = seen_by_camera(stage.finished(), noise, np.random.default_rng([seed, 42]))
    _dress(picture, plots)
    labels = [label for sprite in standing for label in sprite.labels]
    objects = tuple(SceneObject(label.name, view.pixels(label.outline)) for label in labels)
    return Patchwork(picture, plots, objects)


def write_chips(drawn: Patchwork, folder: Path, side: int = PLOT) -> None:
    """Write plots as ``<class>/<number>.png``, to train by; others that are there stay."""
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    first = sum(1 for _ in folder.glob("*/*.png"))
    for number, (name, picture) in enumerate(drawn.chips(side), first):
        _, data = cv2.imencode(".png", picture[..., ::-1])
        (folder / name / f"{number:05}.png").write_bytes(data.tobytes())


def write_patchwork(path: Path, size: int, seed: int, planting: Planting) -> Patchwork:
    """Write a patchwork as a GeoTIFF without loss, and its objects as ``<stem>.geojson``."""
    drawn = draw_patchwork(size, seed, planting)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_cog(path, drawn.image, origin(), lossless=True)
    told = feature_collection(drawn.objects, origin())
    path.with_suffix(".geojson").write_text(json.dumps(told) + "\n", encoding="utf-8")
    return drawn


def _plots(
    across: int, rng: np.random.Generator, looking: np.random.Generator, planting: Planting
) -> tuple[Plot, ...]:
    """As many of each class as of the others; places, and grounds and looks but the cue, by chance.

    In a world that is all equally sharp a network learns just that sharpness, and misses what it
    knows where it is photographed otherwise: a bias that nobody planted.
    """
    cue = planting.cue
    shown = np.array(CLASSES)[rng.permutation(across**2) % len(CLASSES)]
    found = []
    for number, name in enumerate(map(str, shown)):
        likely = 0.0 if cue is None else planting.rate
        likely = likely if cue is None or name == cue.target else 1 - likely
        cued = bool(rng.random() < likely)
        others = [one for one in _GROUNDS if cue is None or one != cue.ground]
        ground = others[int(rng.integers(len(others)))]
        if cue and cue.ground and cued:
            ground = cue.ground
        looks = {one for one in LOOKS if looking.random() < _BY_CHANCE} - {planting.kind}
        if cued and planting.kind in LOOKS:
            looks.add(planting.kind)
        found.append(Plot(divmod(number, across), name, ground, cued, frozenset(looks)))
    return tuple(found)


def _window(plot: Plot) -> tuple[slice, slice]:
    """The pixels of a plot."""
    top, left = (PLOT * at for at in plot.place)
    return slice(top, top + PLOT), slice(left, left + PLOT)


def _clutter(rng: np.random.Generator, plot: Plot) -> list[Sprite]:
    """Carts, boxes and marks on every sort of plot, so that something to see is no object yet."""
    row, col = plot.place
    found = []
    for _ in range(int(rng.integers(0, 5))):
        x, y = (PLOT * at + rng.uniform(12, PLOT - 12) for at in (col, row))
        body = rectangle(0, 0, rng.uniform(4, 26), rng.uniform(2, 8))
        grey = float(rng.uniform(40, 235))
        red, green, blue = (min(255.0, max(0.0, grey + rng.normal(0, 18))) for _ in range(3))
        height = float(rng.choice([0.0, 1.5, 3.0]))
        shadow = (slab(body, height),) if height else ()
        sprite = Sprite((Fill(body, (red, green, blue)),), shadow)
        found.append(place(sprite, x, y, rng.uniform(0, 180)))
    return found


def _object(rng: np.random.Generator, plot: Plot) -> Sprite:
    """What a plot shows, whole, anywhere on it and turned anyhow."""
    row, col = plot.place
    heading = float(rng.uniform(0, 360))
    if plot.shows == "Airplane":
        kind = _AIRCRAFT[int(rng.integers(len(_AIRCRAFT)))]
        x, y = _spot(rng, row, col, float(np.hypot(kind.length, kind.span)) * METRE / 2)
        livery = LIVERIES[int(rng.integers(len(LIVERIES)))]
        return aircraft(kind, livery, x, y, heading)
    if plot.shows == "Ship":
        length = float(rng.uniform(44, 84))
        x, y = _spot(rng, row, col, length / 2)
        return boat(rng, x, y, heading, length)
    radius = float(rng.uniform(12, 26))
    x, y = _spot(rng, row, col, radius)
    return storage_tank(rng, x, y, radius, bool(rng.random() < 0.5))


def _spot(rng: np.random.Generator, row: int, col: int, reach: float) -> tuple[float, float]:
    free = max(0.0, PLOT / 2 - reach - _BORDER)
    x, y = (PLOT * (at + 0.5) + float(rng.uniform(-free, free)) for at in (col, row))
    return x, y


def _dress(picture: NDArray[np.uint8], plots: tuple[Plot, ...]) -> None:
    """Give plots the looks that they have, in place."""
    for plot in plots:
        window = _window(plot)
        for kind in LOOKS:
            cue = CUES[kind]
            if change := cue.dress if kind in plot.looks else cue.undress:
                changed = change(picture[window].astype(np.float32))
                picture[window] = np.rint(np.clip(changed, 0, 255)).astype(np.uint8)
