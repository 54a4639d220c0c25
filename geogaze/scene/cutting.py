"""Labelled chips cut from scenes whose objects are outlined, ground without objects among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.grid.lattice import WorkingGrid
from geogaze.scene.outlined import Outlined, located
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.ranges import Ranges
from geogaze.scene.readers import open_reader
from geogaze.scene.view import SceneView

BACKGROUND = "background"
SHOWS = 0.01  # share of a chip that objects cover at least, to show one


@dataclass(frozen=True)
class Cut:
    """How chips are cut: ``size`` pixels a side at ``gsd`` metres (None: the scene's own), each
    ``step`` pixels after the last; ``background`` is how many chips without objects there are for
    each with one, None for all. ``bands`` and ``rescale`` are as a job has them.
    """

    size: int
    gsd: float | None
    step: int
    bands: tuple[str, ...]
    rescale: Ranges | None = None
    background: float | None = 1.0
    seed: int = 0


def cut_chips(
    scene: str,
    name: str,
    areas: Mapping[str, dict[str, Any]],
    folder: Path,
    cut: Cut,
    settings: Settings,
) -> Counter[str]:
    """Write chips as ``<class>/<name>-<row>-<col>.tif``, in the scene's own values.

    A chip is of the class that covers most of it, of the background where none has a pixel of it;
    what lies between is left out, and so is what is not known in full.

    Args:
        scene: its address.
        name: what its chips are called, which no other scene's are.
        areas: GeoJSON polygons by class.
        folder: where to.
        cut: how.
        settings: the operator's caps.

    Returns:
        How many there are of each class.

    Raises:
        InvalidRequest: the scene or its polygons are no use; it is smaller than a chip; none of
            its polygons lies on it.
    """
    policy = SourcePolicy.local()
    with open_reader(scene, policy, settings) as reader:
        info = reader.facts(cut.bands, None, cut.rescale)
        if info.dtype != "uint8" and cut.rescale is None:
            raise InvalidRequest(
                f"{scene} holds {info.dtype}: say which values become 0 and 1, for all scenes "
                "alike: --rescale LO,HI."
            )
        scale = cut.gsd / info.pixel_metres if cut.gsd else 1.0
        working = WorkingGrid.over(info.width, info.height, info.affine, scale)
        if min(working.width, working.height) < cut.size:
            raise InvalidRequest(
                f"{scene} has {working.height} × {working.width} pixels at this resolution; a chip "
                f"has {cut.size} × {cut.size}."
            )
        areas_here = {label: located(document, info) for label, document in areas.items()}
        if areas and not any(areas_here.values()):
            raise InvalidRequest(f"None of the polygons for {scene} lies on it.")
        outlined = {
            label: Outlined(area, working.transform) for label, area in areas_here.items() if area
        }
        labels = {
            (top, left): _label(outlined, top, left, cut.size)
            for top in range(0, working.height - cut.size + 1, cut.step)
            for left in range(0, working.width - cut.size + 1, cut.step)
        }
        view = SceneView(reader, info, working, lenient=True)

        def written(top: int, left: int, label: str) -> bool:
            """Write one chip, if all of it is known."""
            pixels = view.read((top, left, top + cut.size, left + cut.size))
            if pixels.damage or not pixels.known.all():
                return False
            place = folder / label / f"{name}-{top:05}-{left:05}.tif"
            place.parent.mkdir(parents=True, exist_ok=True)
            corner = working.transform @ Affine.translation(left, top)
            _write(place, pixels.values, cut.bands, info.crs_wkt, corner)
            return True

        found = Counter(
            label
            for at, label in labels.items()
            if label not in {None, BACKGROUND} and written(*at, str(label))
        )
        empty = [at for at, label in labels.items() if label == BACKGROUND]
        most = len(empty)
        if cut.background is not None:
            most = round(cut.background * max(1, found.total()))
            drawn = np.random.default_rng(cut.seed).permutation(len(empty))
            empty = [empty[at] for at in drawn]
        for at in empty:
            if found[BACKGROUND] == most:
                break
            found[BACKGROUND] += written(*at, BACKGROUND)
    return found


def _label(outlined: Mapping[str, Outlined], top: int, left: int, size: int) -> str | None:
    """A chip's class; None where an object hardly shows."""
    shares = {name: float(one.mask(top, left, size).mean()) for name, one in outlined.items()}
    most = max(shares, key=lambda name: shares[name], default=None)
    if most is None or shares[most] == 0:
        return BACKGROUND
    return most if shares[most] >= SHOWS else None


def _write(
    path: Path, values: NDArray[Any], bands: tuple[str, ...], crs: str, transform: Affine
) -> None:
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype,
        crs=crs, transform=transform, compress="deflate",
    ) as file:  # fmt: skip
        file.write(values)
        file.descriptions = bands
