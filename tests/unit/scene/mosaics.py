"""Small scenes of several files, and how jobs read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from affine import Affine

from geogaze.grid.lattice import Box
from geogaze.scene.info import SceneInfo
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import Values
from geogaze.scene.readers import open_planned_scene, open_reader
from geogaze.scene.reading import Reading
from geogaze.scene.view import Pixels, SceneView
from tests.factories import NORTH_UP, make_scene
from tests.unit.scene.rasters import RGB, SETTINGS, whole

LOCAL = SourcePolicy.local()


def moved(down: float, right: float, grid: Affine = NORTH_UP) -> Affine:
    """A grid whose first pixel is another's pixel (down, right)."""
    return grid @ Affine.translation(right, down)


def four(folder: Path, **options: object) -> list[Path]:
    """Four scenes of 90 × 110 pixels that overlap by 10, each of its own texture."""
    return [
        make_scene(
            folder / f"{'ns'[row]}{'we'[col]}.tif",
            90,
            110,
            seed=2 * row + col,
            transform=moved(80 * row, 100 * col),
            **options,
        )
        for row in (0, 1)
        for col in (0, 1)
    ]


def described(
    files: Sequence[Path | str] | Path | str,
    *,
    names: Sequence[str] = RGB,
    bands: Sequence[int] | None = None,
    rescale: Sequence[tuple[float, float]] | None = None,
    policy: SourcePolicy = LOCAL,
    crs: str | None = None,
    nodata: float | None = None,
    assets: tuple[str, ...] | None = None,
) -> SceneInfo:
    """A scene as a plan keeps it, by way of JSON."""
    named = [files] if isinstance(files, str | Path) else files
    reading = Reading(crs, nodata, assets)
    with open_reader([str(file) for file in named], policy, SETTINGS, reading=reading) as reader:
        info = reader.facts(names, bands, rescale)
    return SceneInfo.model_validate_json(info.model_dump_json())


def pixels_of(info: SceneInfo, box: Box | None = None) -> Values:
    """The pixels of a described scene, or of a box of them."""
    box = box or (0, 0, info.height, info.width)
    with open_planned_scene(info, LOCAL, SETTINGS) as reader:
        return reader.pixels(info.bands, box, (box[2] - box[0], box[3] - box[1]))


def seen_at(info: SceneInfo, scale: float, *, lenient: bool = False) -> Pixels:
    """All of a described scene, with so many of its pixels for one."""
    working = whole(info, scale)
    with open_planned_scene(info, LOCAL, SETTINGS) as reader:
        view = SceneView(reader, info, working, lenient=lenient)
        return view.read((0, 0, working.height, working.width))
