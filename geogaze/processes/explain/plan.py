"""The plan of a job: scene, model, grids and classes, fixed when the job is accepted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, NamedTuple
from uuid import uuid4

from affine import Affine
from typing_extensions import override

from geogaze.grid.canvas import Canvas
from geogaze.grid.lattice import Box, Lattice, WorkingGrid
from geogaze.grid.rectangles import Division
from geogaze.grid.resample import lattice_offset
from geogaze.grid.tiling import Chunk, Tiling
from geogaze.models.bundles import Probabilities
from geogaze.models.methods import METHODS, Method, MethodName
from geogaze.models.targets import Target, parse_target
from geogaze.processes.explain.request import Context, OnError, OverlaysWord
from geogaze.processes.plan import ModelPlan, content_digest
from geogaze.products.colormaps import Colormap
from geogaze.products.facts import TOP, Place
from geogaze.products.styles import Normalize
from geogaze.products.table import product_names
from geogaze.products.thresholds import DEFAULT_THRESHOLD, Threshold
from geogaze.scene.aoi import pixel_box
from geogaze.scene.info import SceneInfo


class MapGrid(NamedTuple):
    """Of one tile's maps: pixels from value to value, values per side, first one's centre."""

    stride: int
    cells: int
    first_center: float


_BLOCK = 1024  # side of a block of the lattice, in cells; a multiple of those of heat files
_BLEND_CELLS = 4 * _BLOCK**2  # of all layers that are blended at once
_USUAL = {"probabilities": "softmax", "temperature": 1, "stripped": None, "labels_pixels": False}
"""What bundles meant before they said so."""
_SHOWN_LATER = {
    *(
        "normalize",
        "overlays",
        "colormap",
        "place",
        "scales",
        "scale_from",
        "stability",
        "threshold",
    ),
}
"""What the explained parts do not depend on."""


class Plan(ModelPlan):
    """The plan of a job of ``explain``.

    ``layers`` are the heat layers to make: class names, or just ``top``. ``aoi`` is in the
    scene's CRS. ``scale`` is scene pixels per working pixel, the mean of both sides where
    ``square`` makes working pixels squares on the ground. ``scales`` are what evidence of each
    layer becomes 1, where they are those of the job ``scale_from``. ``stability`` is the number of
    shifted grids of tiles that heat is compared under.
    """

    process: ClassVar[str] = "explain"

    scene: SceneInfo
    layers: tuple[str, ...]
    overlap: float
    normalize: Normalize
    scales: dict[str, float] | None = None
    scale_from: str | None = None
    stability: int | None = None
    overlays: OverlaysWord
    colormap: Colormap = "turbo"
    threshold: Threshold = DEFAULT_THRESHOLD
    on_error: OnError = "fail"
    scale: float
    square: bool = False
    aoi: dict[str, Any] | None
    method: MethodName = "gradcam"
    context: Context = "tile"
    chunk_side: int
    place: Place = Place()

    @cached_property
    def working(self) -> WorkingGrid:
        """The working grid."""
        scene = self.scene
        stretch = math.sqrt(scene.aspect) if self.square else 1.0
        return WorkingGrid.over(
            scene.width, scene.height, scene.affine, self.scale / stretch, self.scale * stretch
        )

    @cached_property
    def bounds(self) -> Box:
        """The working pixels to explain: the scene's, or the area of interest's."""
        if self.aoi is None:
            return 0, 0, self.working.height, self.working.width
        return pixel_box(self.aoi, self.working)

    @property
    def canvas(self) -> Canvas:
        """The picture of what is explained, as overlays show it."""
        top, left, bottom, right = self.bounds
        return Canvas(bottom - top, right - left)

    @cached_property
    def lattice(self) -> Lattice:
        """The heat lattice."""
        maps = self.maps
        offset = lattice_offset(self.bundle.input_size, *maps)
        return Lattice.covering(self.bounds, maps.stride, offset)

    @cached_property
    def tiling(self) -> Tiling:
        """The tiles."""
        return Tiling.over(self.lattice, self.bundle.input_size, self.overlap)

    @property
    def chunks(self) -> Iterator[Chunk]:
        """The units of the explain phase."""
        return self.tiling.chunks(self.chunk_side)

    @property
    def chunk_count(self) -> int:
        """Number of units of the explain phase."""
        return self.tiling.chunk_count(self.chunk_side)

    def chunk(self, root: int, rectangle: tuple[int, int, int, int] | None = None) -> Chunk:
        """The tiles of a unit, or of the ``rectangle`` that was split off it."""
        return Chunk(*rectangle) if rectangle else self.tiling.chunk(self.chunk_side, root)

    @property
    def blocks(self) -> Division:
        """The blocks of the lattice that are finished one by one."""
        return Division(self.lattice.rows, self.lattice.cols, _BLOCK)

    @property
    def layers_at_once(self) -> int:
        """How many layers of a block are blended together."""
        row0, col0, row1, col1 = self.blocks.rectangle(0)
        cells = (row1 - row0) * (col1 - col0) * self.mosaics
        return max(1, min(len(self.layers), _BLEND_CELLS // cells))

    @property
    def mosaics(self) -> int:
        """How often a layer is blended: once, and on each shifted grid."""
        return 1 + (self.stability or 0)

    def roots_over(self, box: Box) -> list[int]:
        """Units of the explain phase with a tile that has a cell in a box."""
        rows, cols = (
            {n // self.chunk_side for n in tiles} for tiles in self.tiling.tiles_over(box)
        )
        across = math.ceil(self.tiling.cols / self.chunk_side)
        return [row * across + col for row in sorted(rows) for col in sorted(cols)]

    @property
    def tiles(self) -> int:
        """Number of tiles, those without data included."""
        return self.tiling.rows * self.tiling.cols

    @property
    def heat_transform(self) -> Affine:
        """The affine of the heat layers."""
        return self.lattice.transform(self.working.transform)

    @cached_property
    def targets(self) -> tuple[Target, ...] | None:
        """The scores whose evidence the layers are; None for ``top``."""
        if self.layers == (TOP,):
            return None
        return tuple(parse_target(layer, self.bundle) for layer in self.layers)

    @property
    def probabilities(self) -> Probabilities:
        """How the model's scores become probabilities."""
        return self.bundle.probabilities

    @property
    def explained_by(self) -> Method:
        """The method."""
        return METHODS[self.method]

    @property
    def maps(self) -> MapGrid:
        """Where the method's maps lie in a tile."""
        if self.explained_by.per_pixel:
            return MapGrid(1, self.bundle.input_size, 0)
        return MapGrid(self.bundle.stride, self.bundle.cells, self.bundle.first_center)

    @property
    def halo(self) -> int:
        """The margin around the tiles of a chunk that is read with them, in working pixels."""
        return (self.bundle.halo or 0) if self.context == "scene" else 0

    @property
    def working_metres(self) -> float:
        """Side of a working pixel on the ground."""
        return self.scene.pixel_metres * self.scale

    @property
    def cell_metres(self) -> float:
        """Side of a heat cell on the ground."""
        return self.lattice.stride * self.working_metres

    @property
    @override
    def units(self) -> dict[str, int]:
        layers = len(self.layers)
        return {
            "explain": self.chunk_count,
            "blend": self.blocks.count,
            "scale": 1,
            "draw": self.canvas.units.count if self.overlays != "none" else 0,
            "assemble": layers,
            "publish": 1,
        }

    @property
    @override
    def grids(self) -> dict[str, Division]:
        return {"explain": Division(self.tiling.rows, self.tiling.cols, self.chunk_side)}

    @property
    @override
    def skips(self) -> bool:
        return self.on_error == "skip"

    @property
    @override
    def content(self) -> str:
        """Of scene (with its version), weights, geometry, layers, method: all but what only shows
        the parts. A scene whose version is not known is like no other.
        """
        if self.scene.version is None:
            return uuid4().hex
        known = self.model_dump(mode="json", exclude={*_SHOWN_LATER, "bundle"})
        usual = {name for name, value in _USUAL.items() if getattr(self.bundle, name) == value}
        # The scene says which values became 0 and 1.
        besides = {"folder", "name", "graph", "rescale", *usual}
        known["bundle"] = self.bundle.model_dump(mode="json", exclude=besides)
        if not self.scene.pieces:  # as plans were before there were any
            del known["scene"]["pieces"]
        return content_digest(known)

    @property
    @override
    def products(self) -> frozenset[str]:
        return product_names(self)

    @override
    def logged(self) -> dict[str, str]:
        scene = self.scene.uri.partition("?")[0][:200]  # what follows may be a signature
        return {"model": self.bundle.name, "scene": scene}
