"""A finished job's folder, as its item.json describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import RasterioIOError

from geogaze.errors import InvalidRequest
from geogaze.outputs import results_item
from geogaze.products.facts import Grid

_HEAT = "heat-"


@dataclass(frozen=True)
class Finished:
    """A job's products in a folder; ``item`` is the STAC Item that describes them."""

    folder: Path
    item: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, place: Path) -> Finished:
        """By the folder, or by its item.json.

        Raises:
            InvalidRequest: there are no results.
        """
        folder = place.parent if place.name == "item.json" else place
        return cls(folder, results_item(place))

    @cached_property
    def layers(self) -> dict[str, Path]:
        """The files of heat by layer."""
        return {
            name.removeprefix(_HEAT): self.folder / Path(asset["href"]).name
            for name, asset in self.item["assets"].items()
            if name.startswith(_HEAT)
        }

    @property
    def backdrop(self) -> Path | None:
        """The scene's picture, where the job has left one."""
        asset = self.item["assets"].get("backdrop")
        path = self.folder / Path(asset["href"]).name if asset else None
        return path if path and path.is_file() else None

    def said(self, name: str) -> Any:
        """What the Item says of the job by a name of geogaze's own."""
        return self.item["properties"].get(f"geogaze:{name}")

    @property
    def normalize(self) -> str:
        """``job``, ``tile`` or ``none``."""
        return str(self.said("normalize"))

    @property
    def kind(self) -> tuple[Any, ...]:
        """What evidence has to share to have one scale: weights, layer, method and context."""
        return tuple(self.said(name) for name in ("weights", "layer", "method", "context"))

    def scale(self, layer: str) -> float | None:
        """The evidence that became 1."""
        scale: float | None = (self.said("scales") or {}).get(layer)
        return scale

    @cached_property
    def grid(self) -> Grid:
        """The lattice of all layers; working pixels are taken for cells.

        Raises:
            InvalidRequest: a file that the Item names cannot be opened.
        """
        path = next(iter(self.layers.values()))
        try:
            with rasterio.open(path, driver="GTiff") as dataset:
                crs, transform, (rows, cols) = dataset.crs, dataset.transform, dataset.shape
        except RasterioIOError as error:
            raise InvalidRequest(
                f"{path} is no heat layer, but {self.folder}'s item.json names it."
            ) from error
        metres = float(self.item["properties"].get("gsd", 0.0))
        return Grid(crs.to_wkt(), transform, rows, cols, 0.0, 0.0, 1, metres)
