"""A seeded aerial scene, drawn in code: an airport and a harbour seen from above.

There are no data files behind it. The scene has a ground sample distance of 0.5 m, and every
aircraft, ship, car, storage tank and building in it is known, so that heat on it can be checked.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform as reproject
from rio_cogeo.cogeo import cog_translate

from geogaze.demo.canvas import Ground, Stage, View
from geogaze.demo.plan import lay_ground, low_sprites, tall_sprites, top_sprites
from geogaze.demo.shapes import Label, Points
from geogaze.demo.texture import GRASS, FloatImage, Noise, make_noise

RESOLUTION = 0.5
"""Metres per pixel."""

DEMO_CRS = CRS.from_epsg(32631)
_ORIGIN = (423_200.0, 5_712_800.0)
"""Easting and northing of the upper left corner; the place is invented."""

_FULL_SIZE, _SMALL_SIZE = 2048, 512
_FULL_CENTRE = np.array([1024.0, 1024.0])
_SMALL_CENTRE = np.array([330.0, 566.0])
"""A small scene shows the runway's end: pavement, queueing aircraft and water."""

_HEADING = 6.0
_LISTED_SHARE = 0.35
"""Objects of which less than this share lies in the picture are not listed."""

_BLUR = 0.55
_NOISE = 1.7
_TINT_NOISE = 0.9
_HAZE = np.array([158, 166, 168], np.float32)
_HAZE_SHARE = 0.06
_JPEG_QUALITY = 90
_BLOCK = 512


@dataclass(frozen=True)
class SceneObject:
    """Something in the scene that a reader would name.

    Attributes:
        name: Airplane, Ship, Car, StorageTank or Building.
        polygon: (N, 2) float64 outline in pixels (column, row), inside the picture; (0, 0) is the
            outer corner of the first pixel. Open: the first point is not repeated.
    """

    name: str
    polygon: Points


@dataclass(frozen=True)
class DemoScene:
    """The drawn scene.

    Attributes:
        image: (size, size, 3) uint8 RGB.
        objects: Everything listed, in drawing order.
    """

    image: NDArray[np.uint8]
    objects: tuple[SceneObject, ...]


def draw_demo_scene(
    size: int = 2048, seed: int = 7, absent: Collection[int] = (), shot: int = 0
) -> DemoScene:
    """Draw the scene; the same arguments give the same array.

    Args:
        size: Width and height in pixels of 0.5 m. Less than 2048 shows a part of the layout
            (512 and less: the runway's end by the water), more shows more land around it.
        seed: Seed of all random choices.
        absent: Numbers of aircraft that have left, from 0; all else stays as it is.
        shot: Number of the photograph: another one has other sensor noise.

    Raises:
        ValueError: If `size` is not positive.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    view = View(size, _centre(size), _HEADING)
    noise = make_noise(np.random.default_rng([seed, 100]), size)
    ground = Ground(view, noise, GRASS)
    lay_ground(ground, seed)
    stage = Stage(ground)
    layers = (low_sprites(seed, view), tall_sprites(seed, view, absent), top_sprites(seed))
    for layer in layers:
        stage.draw(layer)
    image = seen_by_camera(stage.finished(), noise, np.random.default_rng([seed, 101 + shot]))
    labels = [label for layer in layers for sprite in layer for label in sprite.labels]
    return DemoScene(image, _listed(labels, view))


def write_demo_scene(
    path: Path, size: int = 2048, seed: int = 7, absent: Collection[int] = (), shot: int = 0
) -> Path:
    """Write the scene as a cloud optimised GeoTIFF, and its objects as `<stem>.geojson` beside it.

    Args:
        path: Where the GeoTIFF goes; folders on the way are made.
        size: As for `draw_demo_scene`.
        seed: As for `draw_demo_scene`.
        absent: As for `draw_demo_scene`.
        shot: As for `draw_demo_scene`.

    Returns:
        `path`.
    """
    scene = draw_demo_scene(size, seed, absent, shot)
    transform = origin()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_cog(path, scene.image, transform)
    collection = feature_collection(scene.objects, transform)
    path.with_suffix(".geojson").write_text(json.dumps(collection) + "\n", encoding="utf-8")
    return path


def origin() -> Affine:
    """Where drawn scenes lie: (column, row) to easting and northing."""
    return from_origin(*_ORIGIN, RESOLUTION, RESOLUTION)


def _centre(size: int) -> tuple[float, float]:
    share = np.clip((size - _SMALL_SIZE) / (_FULL_SIZE - _SMALL_SIZE), 0, 1)
    x, y = _SMALL_CENTRE + share * (_FULL_CENTRE - _SMALL_CENTRE)
    return float(x), float(y)


def seen_by_camera(
    picture: FloatImage, noise: Noise, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Add optics, haze, vignetting and sensor noise."""
    size = picture.shape[0]
    blurred = cv2.GaussianBlur(picture, (0, 0), _BLUR)
    veil = _HAZE_SHARE * (1 + 0.25 * noise.large[..., None])
    hazy: FloatImage = np.asarray(blurred + veil * (_HAZE - blurred), np.float32)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    falloff = 1 - 0.035 * (axis[:, None] ** 2 + axis[None, :] ** 2)
    hazy *= falloff[..., None]
    luma = rng.standard_normal((size, size), dtype=np.float32)
    hazy += _NOISE * cv2.GaussianBlur(luma, (0, 0), 0.6)[..., None] * 1.6
    # Shifted copies are as good as independent noise for a faint tint, and cheaper.
    for channel, shift in ((0, 17), (2, 41)):
        hazy[..., channel] += _TINT_NOISE * np.roll(noise.grain, shift, axis=(0, 1))
    np.clip(hazy, 0, 255, out=hazy)
    return np.asarray(np.rint(hazy), np.uint8)


def _listed(labels: list[Label], view: View) -> tuple[SceneObject, ...]:
    objects = []
    for label in labels:
        pixels = view.pixels(label.outline)
        clipped = _clipped(pixels, float(view.size))
        if len(clipped) > 2 and _area(clipped) >= _LISTED_SHARE * _area(pixels):
            objects.append(SceneObject(label.name, clipped))
    return tuple(objects)


def _area(polygon: Points) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _clipped(polygon: Points, size: float) -> Points:
    """The part of a polygon inside the picture (Sutherland and Hodgman)."""
    kept = polygon
    for axis in (0, 1):
        for sign, limit in ((1.0, 0.0), (-1.0, -size)):
            kept = _half_plane(kept, axis, sign, limit)
            if not len(kept):
                return kept
    return kept


def _half_plane(polygon: Points, axis: int, sign: float, limit: float) -> Points:
    room = sign * polygon[:, axis] - limit
    if (room >= 0).all():
        return polygon
    kept: list[Points] = []
    for index in range(len(polygon)):
        here, before = polygon[index], polygon[index - 1]
        if (room[index] >= 0) != (room[index - 1] >= 0):
            share = room[index - 1] / (room[index - 1] - room[index])
            kept.append(before + share * (here - before))
        if room[index] >= 0:
            kept.append(here)
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def write_cog(
    path: Path, image: NDArray[np.uint8], transform: Affine, *, lossless: bool = False
) -> None:
    """Write a picture (size, size, 3) as a cloud optimised GeoTIFF, as JPEG unless without loss."""
    size = image.shape[0]
    profile = {"driver": "GTiff", "interleave": "pixel", "tiled": True}
    profile |= {"blockxsize": _BLOCK, "blockysize": _BLOCK}
    if lossless:
        profile |= {"compress": "DEFLATE", "predictor": 2}
    else:
        profile |= {
            "compress": "JPEG",
            "JPEG_QUALITY": _JPEG_QUALITY,
            "photometric": "YCbCr",
        }
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=size, height=size, count=3, dtype="uint8",
            crs=DEMO_CRS, transform=transform, photometric="RGB",
        ) as dataset:  # fmt: skip
            dataset.write(np.moveaxis(image, -1, 0))
        with memory.open() as dataset:
            cog_translate(
                dataset, str(path), profile, in_memory=True, quiet=True,
                overview_resampling="average",
                config={"JPEG_QUALITY_OVERVIEW": str(_JPEG_QUALITY)},
            )  # fmt: skip


def feature_collection(objects: tuple[SceneObject, ...], transform: Affine) -> dict[str, object]:
    """RFC 7946 features: longitude and latitude, closed rings, counter-clockwise."""
    features = []
    for item in objects:
        columns, rows = item.polygon.T
        easting, northing = transform * (columns, rows)
        longitudes, latitudes = reproject(
            DEMO_CRS, "EPSG:4326", easting.tolist(), northing.tolist()
        )
        ring = [
            [round(lon, 8), round(lat, 8)] for lon, lat in zip(longitudes, latitudes, strict=True)
        ]
        if _turns_clockwise(ring):
            ring.reverse()
        features.append(
            {
                "type": "Feature",
                "properties": {"class": item.name},
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _turns_clockwise(ring: list[list[float]]) -> bool:
    # Relative to the first corner: products of whole degrees would drown the tiny area.
    x, y = (np.array(ring) - ring[0]).T
    return bool(np.dot(x, np.roll(y, -1)) < np.dot(y, np.roll(x, -1)))
