"""Opening and reading scenes as jobs do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import rasterio

from geogaze.config import Settings
from geogaze.grid.lattice import Box, WorkingGrid
from geogaze.scene.info import SceneInfo
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.source import Source
from geogaze.scene.view import Pixels, SceneView

RGB = ("red", "green", "blue")
SETTINGS = Settings()
ANY_FILE = SourcePolicy(folders=None)


def info_of(
    path: Path,
    *,
    bands: Sequence[int] | None = None,
    rescale: Sequence[tuple[float, float]] | None = None,
    names: Sequence[str] = RGB,
    settings: Settings = SETTINGS,
) -> SceneInfo:
    with open_reader(str(path), ANY_FILE, settings) as reader:
        return reader.facts(names, bands, rescale)


def source_of(path: Path) -> Source:
    return Source(str(path), ANY_FILE, SETTINGS)


def whole(info: SceneInfo, scale: float = 1.0) -> WorkingGrid:
    return WorkingGrid.over(info.width, info.height, info.affine, scale)


def read(
    path: Path,
    box: Box | None = None,
    *,
    scale: float = 1.0,
    bands: Sequence[int] | None = None,
    names: Sequence[str] = RGB,
    lenient: bool = False,
) -> Pixels:
    """Read a box of working pixels, or all of them."""
    info = info_of(path, bands=bands, names=names)
    working = whole(info, scale)
    with open_reader(str(path), ANY_FILE, SETTINGS) as reader:
        view = SceneView(reader, info, working, lenient=lenient)
        return view.read(box or (0, 0, working.height, working.width))


def damage(path: Path, row: int = 1, col: int = 1, overview: int | None = None) -> None:
    """Overwrite a compressed block of the scene or of an overview."""
    with rasterio.open(path) as dataset:
        item = f"BLOCK_OFFSET_{col}_{row}"
        start = int(dataset.get_tag_item(item, "TIFF", bidx=1, ovr=overview))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 100)
