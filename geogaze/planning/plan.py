"""The plan of a job: scene, model, grids and classes, fixed when the job is accepted."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

from affine import Affine
from pydantic import BaseModel, ConfigDict

from geogaze.bundles import Bundle, find_bundle
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.grid.lattice import Box, Lattice, WorkingGrid
from geogaze.grid.resample import lattice_offset
from geogaze.grid.tiling import Chunk, Tiling
from geogaze.planning.request import ExplainRequest, Normalize
from geogaze.scene.aoi import locate, pixel_box
from geogaze.scene.header import SceneInfo, describe
from geogaze.scene.source import SourcePolicy, open_scene

TOP = "top"
_MAX_TILES = 50_000_000


class Plan(BaseModel):
    """All that units of work need to know, as JSON in the job's row.

    ``layers`` are the heat layers to make: class names, or just ``top``. ``aoi`` is in the
    scene's CRS.
    """

    model_config = ConfigDict(frozen=True)

    scene: SceneInfo
    bundle: Bundle
    layers: tuple[str, ...]
    overlap: float
    normalize: Normalize
    overlays: bool
    scale: float
    aoi: dict[str, Any] | None
    local: bool
    batch_size: int
    chunk_side: int

    @cached_property
    def working(self) -> WorkingGrid:
        """The working grid."""
        return WorkingGrid.over(self.scene.width, self.scene.height, self.scene.affine, self.scale)

    @cached_property
    def bounds(self) -> Box:
        """The working pixels to explain: the scene's, or the area of interest's."""
        if self.aoi is None:
            return 0, 0, self.working.height, self.working.width
        return pixel_box(self.aoi, self.working)

    @cached_property
    def lattice(self) -> Lattice:
        """The heat lattice."""
        bundle = self.bundle
        offset = lattice_offset(bundle.input_size, bundle.stride, bundle.cells, bundle.first_center)
        return Lattice.covering(self.bounds, bundle.stride, offset)

    @cached_property
    def tiling(self) -> Tiling:
        """The tiles."""
        return Tiling.over(self.lattice, self.bundle.input_size, self.overlap)

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """The units of the explain phase."""
        return tuple(self.tiling.chunks(self.chunk_side))

    @property
    def tiles(self) -> int:
        """Number of tiles, those without data included."""
        return self.tiling.rows * self.tiling.cols

    @property
    def heat_transform(self) -> Affine:
        """The affine of the heat layers."""
        return self.lattice.transform(self.working.transform)

    @property
    def class_indices(self) -> tuple[int, ...] | None:
        """Positions of the layers in the logits; None for ``top``."""
        return None if self.layers == (TOP,) else self.bundle.class_indices(self.layers)

    @property
    def working_metres(self) -> float:
        """Side of a working pixel on the ground."""
        return self.scene.pixel_metres * self.scale


def make_plan(request: ExplainRequest, settings: Settings, *, local: bool = False) -> Plan:
    """Check a request against its scene and model, and decide everything.

    Args:
        request: what was asked.
        settings: the operator's.
        local: whether the requester is the operator, who may name any file and bundle folder.

    Raises:
        GeogazeError: of the kind that says what does not fit; nothing has been written by then.
    """
    bundle = find_bundle(request.model, settings.model_folders, allow_path=local)
    layers = _layers(request, bundle)
    policy = SourcePolicy.local(settings) if local else SourcePolicy.of(settings)
    with open_scene(request.scene, policy, settings) as dataset:
        scene = describe(dataset, request.scene, bundle.bands, request.bands, request.rescale)
    plan = Plan(
        scene=scene,
        bundle=bundle,
        layers=layers,
        overlap=request.overlap,
        normalize=request.normalize,
        overlays=request.overlays,
        scale=request.gsd / scene.pixel_metres if request.gsd else 1.0,
        aoi=locate(request.aoi, scene) if request.aoi is not None else None,
        local=local,
        batch_size=settings.batch_size,
        chunk_side=_chunk_side(len(layers), bundle, settings),
    )
    if plan.tiles > _MAX_TILES:
        raise InvalidRequest(
            f"A GSD of {request.gsd} m and an overlap of {request.overlap} make {plan.tiles:,} "
            f"tiles; at most {_MAX_TILES:,} are allowed. Ask for a coarser GSD or an area."
        )
    return plan


def _layers(request: ExplainRequest, bundle: Bundle) -> tuple[str, ...]:
    if request.classes == "all":
        return bundle.classes
    if request.classes == TOP:
        return (TOP,)
    bundle.class_indices(request.classes)
    return tuple(dict.fromkeys(request.classes))


def _chunk_side(layers: int, bundle: Bundle, settings: Settings) -> int:
    evidence = layers * bundle.cells**2 * 4
    return max(1, math.isqrt(min(settings.chunk_tiles, settings.chunk_bytes // evidence)))
