"""The plan of a job: scene, model, grids and classes, fixed when the job is accepted."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, NamedTuple
from uuid import uuid4

from affine import Affine
from typing_extensions import override

from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.grid.lattice import Box, Lattice, WorkingGrid
from geogaze.grid.rectangles import Division
from geogaze.grid.resample import lattice_offset
from geogaze.grid.tiling import Chunk, Tiling
from geogaze.models.bundles import Bundle
from geogaze.models.methods import METHODS, Method, MethodName
from geogaze.models.registry import find_bundle
from geogaze.models.targets import Target, parse_target
from geogaze.processes.explain.finishing import finishing_bytes
from geogaze.processes.explain.layers import TOP, layers_of
from geogaze.processes.explain.place import Place, place_of
from geogaze.processes.explain.request import Colormap, Context, ExplainRequest, Normalize, OnError
from geogaze.processes.explain.resolution import check_upsampling, resolution_advice
from geogaze.processes.plan import ProcessPlan
from geogaze.scene.aoi import check_pixels, locate, pixel_box
from geogaze.scene.info import SceneInfo, squares_advice
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.version import VERSION

_MAX_TILES = 50_000_000
_MAX_PIXELS_PER_PIXEL = 64_000_000  # a layer is mosaicked in memory


class MapGrid(NamedTuple):
    """Of one tile's maps: pixels from value to value, values per side, first one's centre."""

    stride: int
    cells: int
    first_center: float


_SHOWN_LATER = {"normalize", "overlays", "colormap", "place"}
"""What the explained parts do not depend on."""


class Plan(ProcessPlan):
    """The plan of a job of ``explain``.

    ``layers`` are the heat layers to make: class names, or just ``top``. ``aoi`` is in the
    scene's CRS. ``scale`` is scene pixels per working pixel, the mean of both sides where
    ``square`` makes working pixels squares on the ground.
    """

    process: ClassVar[str] = "explain"

    scene: SceneInfo
    bundle: Bundle
    layers: tuple[str, ...]
    overlap: float
    normalize: Normalize
    overlays: bool
    colormap: Colormap = "turbo"
    on_error: OnError = "fail"
    scale: float
    square: bool = False
    aoi: dict[str, Any] | None
    local: bool
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

    def chunk(self, root: int, window: tuple[int, int, int, int] | None = None) -> Chunk:
        """The tiles of a unit, or of the ``window`` that was split off it."""
        return Chunk(*window) if window else self.tiling.chunk(self.chunk_side, root)

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
            "calibrate": layers,
            "render": layers if self.overlays else 0,
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
        known["bundle"] = self.bundle.model_dump(mode="json", exclude={"folder", "name"})
        known["geogaze"] = VERSION
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]

    @property
    @override
    def products(self) -> frozenset[str]:
        kinds = ["heat", *(["overlay"] if self.overlays else [])]
        layered = {f"{kind}-{layer}" for kind in kinds for layer in [*self.layers, "{class}"]}
        classes = {"classes"} if TOP in self.layers else set()
        return frozenset({*layered, *classes, "tiles", "preview", "item"})

    @override
    def kept(self) -> dict[str, Any]:
        exclude = None if self.local else {"bundle": {"folder"}}
        return self.model_dump(mode="json", exclude=exclude)

    @override
    def logged(self) -> dict[str, str]:
        scene = self.scene.uri.partition("?")[0][:200]  # what follows may be a signature
        return {"model": self.bundle.name, "scene": scene}


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
    layers = layers_of(request, bundle)
    policy = SourcePolicy.local() if local else SourcePolicy.of(settings)
    with open_reader(request.scene, policy, settings) as reader:
        scene = reader.facts(bundle.bands, request.bands, request.rescale)
    check_upsampling(bundle, request.gsd, scene.pixel_metres, force=request.force)
    advice = (
        None if request.square else squares_advice(scene),
        resolution_advice(bundle, request.gsd or scene.pixel_metres, scene.pixel_metres),
    )
    plan = Plan(
        scene=scene,
        bundle=bundle,
        layers=layers,
        overlap=request.overlap,
        normalize=request.normalize,
        overlays=request.overlays,
        colormap=request.colormap,
        on_error=request.on_error,
        scale=request.gsd / scene.pixel_metres if request.gsd else 1.0,
        square=request.square,
        warnings=(*scene.warnings, *filter(None, advice)),
        aoi=locate(request.aoi, scene) if request.aoi is not None else None,
        local=local,
        method=request.method,
        context=request.context,
        chunk_side=1,
    )
    _check_method(plan)
    if plan.aoi is not None:
        check_pixels(plan.aoi, plan.working)
    place = place_of(scene.crs_wkt, plan.working.transform, plan.bounds)
    plan = plan.model_copy(update={"chunk_side": _chunk_side(plan, settings), "place": place})
    if plan.tiles > _MAX_TILES:
        raise InvalidRequest(
            f"A GSD of {request.gsd} m and an overlap of {request.overlap} make {plan.tiles:,} "
            f"tiles; at most {_MAX_TILES:,} are allowed. Ask for a coarser GSD or an area."
        )
    _check_finish(plan, settings)
    return plan


def finishing_of(plan: Plan, settings: Settings) -> dict[str, int]:
    """Memory that finishing the job takes of a worker: by what, in words."""
    columns = 0 if plan.targets is None else len(plan.layers)
    return finishing_bytes(plan.lattice, plan.tiles, columns, settings.lanes)


def _check_finish(plan: Plan, settings: Settings) -> None:
    """Refuse what a worker could not put together after hours of work."""
    needed = finishing_of(plan, settings)
    what, most = max(needed.items(), key=lambda pair: pair[1])
    if most > settings.max_finish_bytes:
        raise InvalidRequest(
            f"To finish {what}, a worker would need {most / 1e9:.3g} GB of memory; at most "
            f"{settings.max_finish_bytes / 1e9:.3g} GB are allowed (GEOGAZE_MAX_FINISH_BYTES). Ask "
            "for a coarser GSD, a smaller overlap or an area."
        )


def _check_method(plan: Plan) -> None:
    if plan.explained_by.per_pixel:
        if plan.context == "scene":
            raise InvalidRequest(
                f"{plan.explained_by.title} goes back to the pixels of each tile; it has no scene "
                "context. Leave context at 'tile'."
            )
        pixels = plan.lattice.rows * plan.lattice.cols
        if pixels > _MAX_PIXELS_PER_PIXEL:
            raise InvalidRequest(
                f"{plan.explained_by.title} makes layers of one value per pixel, here {pixels:,}; "
                f"at most {_MAX_PIXELS_PER_PIXEL:,} are allowed. Ask for a coarser GSD or an area."
            )
    elif plan.context == "scene" and plan.bundle.halo is None:
        raise InvalidRequest(
            f"Tiles cannot share the activations of {plan.bundle.name!r} at "
            f"{plan.bundle.module!r}: the network pools over its whole input on the way there "
            "(squeeze-and-excitation), or cannot be cut at that layer, or the bundle was made "
            "before bundles told how far their layer looks. Leave context at 'tile', or import "
            "the weights anew."
        )


def _chunk_side(plan: Plan, settings: Settings) -> int:
    """Tiles along the side of a chunk."""
    cells = plan.tiling.cells
    fitting = math.isqrt(settings.chunk_bytes // (len(plan.layers) * cells**2 * 4))
    if plan.context == "scene":
        # The wider the window, the less its halo costs.
        room = settings.context_pixels - plan.tiling.tile_size
        most = 1 + max(0, room) // (plan.tiling.step * plan.lattice.stride)
    else:
        most = math.isqrt(settings.chunk_tiles)
    return max(1, min(most, fitting))
