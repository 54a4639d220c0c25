"""What products are told of a job: a few groups of facts, and nothing of how it was planned. Pure.

A layer can be drawn, styled or cut into polygons from its :class:`LayerFacts` alone, whatever it
came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affine import Affine
from pydantic import BaseModel, ConfigDict

from geogaze.grid.lattice import Box
from geogaze.grid.tiling import Tiling
from geogaze.models.bundles import Bundle, Probabilities
from geogaze.models.methods import Method
from geogaze.models.targets import Target
from geogaze.products.colormaps import Palette
from geogaze.products.styles import Normalize, Overlays
from geogaze.products.thresholds import Threshold

TOP = "top"
"""The layer of each tile's own best class."""


class Place(BaseModel):
    """Where on Earth products lie.

    ``geometry`` is GeoJSON and ``bbox`` west, south, east, north after RFC 7946: cut at the
    180th meridian, west beyond east where the box crosses it. Both are None where there is no
    longitude and latitude. ``code`` is the CRS's, only where it is that very CRS; else ``wkt2``
    describes it.
    """

    model_config = ConfigDict(frozen=True)

    geometry: dict[str, Any] | None = None
    bbox: tuple[float, float, float, float] | None = None
    code: str | None = None
    wkt2: str | None = None


@dataclass(frozen=True)
class SceneFacts:
    """The scene: its address, and which bands were looked at, with the values that became 0 and 1.

    ``bands`` count from 1; ``bands_source`` and ``rescale_source`` say what chose them.
    ``decoder`` made pixels of the stored blocks; None where the format has no other. ``files`` are
    the addresses of the files that were read; none: the scene's own.
    """

    uri: str
    bands: tuple[int, ...]
    bands_source: str
    rescale: tuple[tuple[float, float], ...]
    rescale_source: str
    decoder: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """The cells of a layer: ``rows`` × ``cols``, placed by ``transform`` (col, row) to the CRS.

    ``left`` and ``top`` are the first cell's corner and ``stride`` a cell's side, in pixels of the
    working grid; ``cell_metres`` is that side on the ground.
    """

    crs_wkt: str
    transform: Affine
    rows: int
    cols: int
    left: float
    top: float
    stride: int
    cell_metres: float

    def within(self, box: Box) -> tuple[float, float, float]:
        """Left and top of the first cell in a box of working pixels, and a cell's side there."""
        return self.left - box[1], self.top - box[0], float(self.stride)


@dataclass(frozen=True)
class Backdrop:
    """The explained part of the scene, as pictures show it behind heat.

    ``box`` are its working pixels (row0, col0, row1, col1), which ``transform`` (col, row) places
    in the CRS; ``rescale`` the values that become 0 and 1, ``mean`` the colour of missing bands.
    """

    crs_wkt: str
    transform: Affine
    box: Box
    rescale: tuple[tuple[float, float], ...]
    mean: tuple[float, ...]


@dataclass(frozen=True)
class LayerFacts:
    """A layer of heat. ``method`` is its title, of one value for each pixel where ``per_pixel``;
    ``tags`` say how the layer came about.

    ``colormap`` is the one with two sides where heat is signed.
    """

    name: str
    grid: Grid
    normalize: Normalize
    colormap: Palette
    method: str
    tags: dict[str, str]
    warnings: tuple[str, ...] = ()
    per_pixel: bool = False


@dataclass(frozen=True)
class JobFacts:
    """A job. ``targets`` are the scores whose evidence the layers are; None for ``top``.

    ``gsd_metres`` is the side of a working pixel on the ground; ``scale_from`` the job whose scales
    the layers have, None where they have their own; ``stability`` how many shifted grids of tiles
    heat is compared under, None where it is not; ``threshold`` from which heat on a cell is hot.
    """

    layers: tuple[str, ...]
    targets: tuple[Target, ...] | None
    model: Bundle
    method: Method
    source: SceneFacts
    grid: Grid
    backdrop: Backdrop
    tiling: Tiling
    place: Place
    normalize: Normalize
    colormap: Palette
    overlays: Overlays
    context: str
    square: bool
    gsd_metres: float
    threshold: Threshold
    warnings: tuple[str, ...]
    scale_from: str | None = None
    stability: int | None = None

    @property
    def probabilities(self) -> Probabilities:
        """How the model's scores become probabilities."""
        return self.model.probabilities

    @property
    def tiles(self) -> int:
        """Number of tiles, those without data included."""
        return self.tiling.rows * self.tiling.cols

    def layer(self, name: str) -> LayerFacts:
        """The facts of one layer."""
        tags = self._tags(name)
        return LayerFacts(
            name,
            self.grid,
            self.normalize,
            self.colormap,
            self.method.title,
            tags,
            self.warnings,
            self.method.per_pixel,
        )

    def _tags(self, layer: str) -> dict[str, str]:
        model, source, tiling = self.model, self.source, self.tiling
        return {
            "GEOGAZE_CLASS": layer,
            "GEOGAZE_MODEL": model.name,
            "GEOGAZE_WEIGHTS": model.weights,
            "GEOGAZE_METHOD": self.method.title,
            "GEOGAZE_CONTEXT": self.context,
            "GEOGAZE_LAYER": model.module,
            "GEOGAZE_NORMALIZE": self.normalize,
            "GEOGAZE_SCALE": "",  # known once the layer is calibrated
            **({"GEOGAZE_SCALE_FROM": self.scale_from} if self.scale_from else {}),
            "GEOGAZE_STRIDE_PIXELS": str(self.grid.stride),
            "GEOGAZE_STRIDE_METRES": repr(self.grid.cell_metres),
            "GEOGAZE_GSD_METRES": repr(self.gsd_metres),
            "GEOGAZE_REGISTRATION_PIXELS": repr(tiling.lattice.offset),
            "GEOGAZE_OVERLAP": repr(1 - tiling.step / tiling.cells),
            **({"GEOGAZE_STABILITY": str(self.stability)} if self.stability else {}),
            "GEOGAZE_BANDS": ",".join(map(str, source.bands)),
            "GEOGAZE_BANDS_SOURCE": source.bands_source,
            "GEOGAZE_RESCALE": ";".join(f"{low!r},{high!r}" for low, high in source.rescale),
            "GEOGAZE_RESCALE_SOURCE": source.rescale_source,
            "GEOGAZE_SQUARE": str(self.square).lower(),
            **({"GEOGAZE_WARNINGS": " ".join(self.warnings)} if self.warnings else {}),
        }
