"""A finished job's folder, read again: its layers as heat, and what its tiles say."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from geogaze.errors import InvalidRequest, UnknownClass
from geogaze.grid.lattice import Box, slices
from geogaze.grid.rectangles import Division
from geogaze.models.sureness import Sureness, sureness_in
from geogaze.outputs import Kind, kind_of
from geogaze.products.facts import TOP
from geogaze.products.make.geopackage import geometry_of
from geogaze.products.make.inputs import Heat
from geogaze.products.make.probable import TilesOver
from geogaze.products.make.tiles_package import class_columns
from geogaze.products.product import CLASS
from geogaze.products.styles import Normalize

_BLOCK = 1024  # side of a block of cells, a multiple of those of the files
_HEAT = f"heat-{CLASS}".partition(CLASS)[0]


@dataclass(frozen=True)
class Finished:
    """A job's results in a folder; ``item`` is the STAC Item that describes them."""

    folder: Path
    item: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, folder: Path) -> Finished:
        """The results in a folder.

        Raises:
            InvalidRequest: there are none.
        """
        if kind_of(folder) is not Kind.RESULTS:
            raise InvalidRequest(f"{folder} holds no results: a run's folder has an item.json.")
        return cls(folder, json.loads((folder / "item.json").read_text()))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers of heat."""
        assets = self.item["assets"]
        return tuple(name.removeprefix(_HEAT) for name in assets if name.startswith(_HEAT))

    @property
    def normalize(self) -> Normalize:
        """What heat is scaled by."""
        found: Normalize = self.item["properties"]["geogaze:normalize"]
        return found

    @cached_property
    def sureness(self) -> Sureness:
        """What the figures of classes in its tiles are called."""
        return sureness_in(self.item["assets"].values())

    @property
    def code(self) -> str | None:
        """The code of the layers' very CRS, if it has one."""
        code: str | None = self.item["properties"].get("proj:code")
        return code

    @property
    def crs_wkt(self) -> str:
        """The CRS of the layers."""
        return self._grid[0]

    @property
    def transform(self) -> Affine:
        """From lines of the lattice (col, row) to the CRS."""
        return self._grid[1]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self._grid[2]

    def chosen(self, names: tuple[str, ...] | None) -> tuple[str, ...]:
        """The layers of some names, or all.

        Raises:
            UnknownClass: there is no such layer.
        """
        for name in names or ():
            if name not in self.layers:
                raise UnknownClass(f"There is no layer {name!r}, but {', '.join(self.layers)}.")
        return names or self.layers

    def path(self, asset: str) -> Path:
        """The file of a product."""
        return self.folder / str(self.item["assets"][asset]["href"]).removeprefix("./")

    def heat(self, layer: str) -> Heat:
        """A layer, read when it is asked for."""
        path = self.path(f"{_HEAT}{layer}")
        with rasterio.open(path) as dataset:
            peak = float(dataset.tags(1).get("STATISTICS_MAXIMUM", 0))
        blocks = Division(*self.shape, _BLOCK)
        boxes = tuple(map(blocks.rectangle, range(blocks.count)))

        def read(box: Box) -> NDArray[np.float32]:
            with rasterio.open(path) as dataset:
                window = Window.from_slices(*slices(box))
                values: NDArray[np.float32] = dataset.read(1, window=window)
            return values

        return Heat(boxes, self.normalize, None, max(peak, 0.0), read, read)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that are best for a tile, in a fixed order."""
        found = self._tiles("SELECT DISTINCT top_class FROM tiles WHERE top_class NOT NULL")
        return tuple(sorted(name for (name,) in found))

    def tiles_over(self, layer: str) -> TilesOver:
        """What the model says of the layer's tiles; of nothing where there is no ``tiles.gpkg``."""
        down = self._tiles("SELECT geom FROM tiles WHERE col = 0 ORDER BY row")
        across = self._tiles("SELECT geom FROM tiles WHERE row = 0 ORDER BY col")
        tops = np.array([self._cells(at)[1] for (at,) in down], dtype=np.int64)
        lefts = np.array([self._cells(at)[0] for (at,) in across], dtype=np.int64)
        cells = self._cells(down[0][0])[2] if down else 1
        known = np.full((len(tops), len(lefts)), np.nan, dtype=np.float32)
        best = np.full(known.shape, -1, dtype=np.int32) if layer == TOP else None
        column = self._column(layer)
        if down and column:
            position = {name: i for i, name in enumerate(self.classes)} | {None: -1}
            rows = self._tiles(f'SELECT row, col, top_class, "{column}" FROM tiles')  # noqa: S608  quoted
            for row, col, name, probability in rows:
                known[row, col] = np.nan if probability is None else probability
                if best is not None:
                    best[row, col] = position[name]
        return TilesOver(tops, lefts, cells, known, best)

    def _column(self, layer: str) -> str:
        """The column of a layer's probability or share as SQL has it; "" where it has none."""
        if layer == TOP:
            return f"top_{self.sureness.name}"
        names = class_columns(self.layers, self.sureness.column)
        columns = dict(zip(self.layers, names, strict=False))
        return columns.get(layer, "").replace('"', '""')

    def _cells(self, outline: bytes) -> tuple[int, int, int]:
        """A tile's first cell (col, row), and how many it is high; cells lie up to half of one off
        their tile.
        """
        corners = shapely.get_coordinates(geometry_of(outline))
        (left, top), (_, bottom) = (~self.transform @ tuple(corners[i]) for i in (0, 2))
        return round(left), round(top), round(bottom - top)

    def _tiles(self, query: str) -> list[tuple[Any, ...]]:
        if "tiles-gpkg" not in self.item["assets"]:
            return []
        with closing(sqlite3.connect(self.path("tiles-gpkg"))) as file:
            return file.execute(query).fetchall()

    @cached_property
    def _grid(self) -> tuple[str, Affine, tuple[int, int]]:
        with rasterio.open(self.path(f"{_HEAT}{self.layers[0]}")) as dataset:
            return dataset.crs.to_wkt(), dataset.transform, dataset.shape
