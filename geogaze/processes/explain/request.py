"""What a user asks for. The HTTP process, the command line and Python share this model."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from typing_extensions import override

from geogaze.errors import InvalidRequest
from geogaze.grid.tiling import MAX_OVERLAP
from geogaze.ledger.states import URGENCY
from geogaze.models.methods import METHODS, MethodName
from geogaze.models.registry import DEFAULT_MODEL
from geogaze.processes.explain.scales import Scales
from geogaze.processes.limits import check_points
from geogaze.processes.request import EarlierJobs, Flag, ProcessRequest
from geogaze.products.colormaps import DEFAULT, Colormap
from geogaze.products.styles import Normalize, Overlays
from geogaze.products.thresholds import DEFAULT_THRESHOLD, LEAST, PATTERN
from geogaze.scene.reading import MOST_FILES, Reading

_PER_PIXEL = [method.name for method in METHODS.values() if method.per_pixel]
Context = Literal["tile", "scene"]
OnError = Literal["fail", "skip"]
Priority = Literal["low", "normal", "high"]
Range = tuple[float, float]
Address = Annotated[str, Field(min_length=1, max_length=4096)]


def _drawn(given: Any) -> Any:
    """Yes and no as earlier releases had it."""
    return {True: "all", False: "none"}[given] if isinstance(given, bool) else given


def _square(grids: int) -> int:
    if math.isqrt(grids) ** 2 != grids:
        raise ValueError("a square number, such as 4, 9 or 16")
    return grids


OverlaysWord = Annotated[Overlays, BeforeValidator(_drawn)]
LayerNames = Annotated[
    tuple[Annotated[str, Field(max_length=600)], ...], Field(min_length=1, max_length=10_000)
]


class ExplainRequest(ProcessRequest):
    """Inputs of the process ``explain``."""

    by_reference: ClassVar[frozenset[str]] = frozenset({"scene"})

    scene: Annotated[
        Address | Annotated[tuple[Address, ...], Field(min_length=1, max_length=MOST_FILES)],
        Flag(
            "A GeoTIFF, JPEG 2000 file, VRT or STAC Item; several, a folder or a pattern are one "
            "scene, of which those named first lie above.",
            "places",
        ),
    ] = Field(
        title="Scene",
        description="A georeferenced GeoTIFF, JPEG 2000 file or picture with a world file, a VRT, "
        "or a STAC Item or search result: a path, s3:// or https:// URI the operator allows. A "
        "list of them is one scene on one grid; where they overlap, the first shows.",
        examples=["s3://imagery/airport-01.tif"],
    )
    model: Annotated[
        str,
        Flag("A model's name, NAME@VERSION or @ALIAS, a bundle's folder, or torchvision's name."),
    ] = Field(
        default=DEFAULT_MODEL,
        min_length=1,
        max_length=255,
        title="Model",
        description="A model's name, a registered one's NAME@VERSION or NAME@ALIAS, or a "
        "torchvision architecture such as vgg16.",
    )
    classes: Annotated[
        Literal["all", "top"] | LayerNames,
        Flag(
            "all, top (each tile's best class), or names: airplane,runway,airplane vs runway",
            "names",
        ),
    ] = Field(
        default="all",
        title="Classes",
        description="all, top (each tile's own best class, as one layer), or a list of names; "
        "'ship vs harbor' is the evidence for one class rather than another, 'not ship' that "
        "against a class.",
        examples=[["airplane", "runway", "airplane vs runway"]],
    )
    overlap: Annotated[float, Flag("Overlap of neighbouring tiles, 0 to 0.9.")] = Field(
        default=0.5, ge=0, le=MAX_OVERLAP, title="Overlap of neighbouring tiles, share of a tile"
    )
    method: Annotated[
        MethodName, Flag("How a score is attributed to places; see 'geogaze methods'.")
    ] = Field(
        default="gradcam",
        title="Method",
        description="gradcam and its kin give one value per activation; "
        f"{', '.join(_PER_PIXEL[:-1])} and {_PER_PIXEL[-1]} one per pixel.",
    )
    context: Annotated[
        Context, Flag("tile: each tile by itself; scene: tiles share one run of the trunk.")
    ] = Field(
        default="tile",
        title="Context",
        description="tile: each tile by itself, as the network was trained; scene: tiles share one "
        "run over their surroundings, quicker the more they overlap.",
    )
    gsd: Annotated[
        float | None, Flag("Working resolution, metres per pixel. Default: the scene's.")
    ] = Field(
        default=None,
        ge=1e-3,
        le=1e6,
        title="Working ground sample distance, metres; default: the scene's",
    )
    square: bool = Field(
        default=False,
        title="Square pixels",
        description="Resample pixels that are no squares on the ground (degrees) to squares.",
    )
    force: Annotated[bool, Flag("Allow a --gsd finer than a quarter of the scene's pixels.")] = (
        Field(
            default=False,
            title="Work finer than a quarter of the scene's pixels, which shows nothing new",
        )
    )
    normalize: Annotated[
        Normalize, Flag("job: tiles compare; tile: each tile to 0..1; none: raw signed evidence.")
    ] = Field(
        default="job",
        title="Normalisation",
        description="job: one scale per class, tiles comparable; tile: each tile to 0..1, as "
        "textbooks do; none: raw signed evidence.",
    )
    scale_from: Annotated[
        UUID | Annotated[Scales, WithJsonSchema({"type": "object"})] | None,
        Flag("Scale heat as an earlier result did: its folder, or a server's job.", "result"),
    ] = Field(
        default=None,
        title="Scales of an earlier job",
        description="Heat becomes 1 where it did in an earlier job of the same model and method, "
        "so that both compare: that job's id, or the STAC Item of its results.",
    )
    stability: Annotated[
        Annotated[int, Field(ge=4, le=100), AfterValidator(_square)] | None,
        Flag("Also show how heat spreads under 4, 9, 16 … shifted grids of the same tiles."),
    ] = Field(
        default=None,
        title="Shifted grids of tiles",
        description="Also make stability-<class>.tif, the standard deviation of heat under so many "
        "shifted grids of tiles (4, 9, 16, …), which the overlapping tiles must contain.",
    )
    bands: Annotated[
        Annotated[tuple[int, ...], Field(max_length=1024)] | None,
        Flag("Scene bands for the model's, from 1, such as 4,3,2.", "numbers"),
    ] = Field(default=None, title="Scene bands (from 1) for the model's bands, in order")
    crs: Annotated[
        Annotated[str, Field(max_length=8192)] | None,
        Flag("CRS of the scene's grid, and of files that say none: EPSG:32618. Default: its own."),
    ] = Field(
        default=None,
        title="CRS of the scene's grid, and of files that say none; default: that of the first",
    )
    nodata: Annotated[
        float | None, Flag("Value of missing pixels, where a file declares none.")
    ] = Field(default=None, title="Value of missing pixels, where a file declares none")
    assets: Annotated[
        Annotated[tuple[Annotated[str, Field(max_length=255)], ...], Field(max_length=1024)] | None,
        Flag("Assets of STAC Items: one, or one for each of the model's bands.", "names"),
    ] = Field(
        default=None,
        title="Assets of STAC Items, by name or common name: one, or one for each of the bands",
    )
    rescale: Annotated[
        Annotated[tuple[Range, ...], Field(max_length=1024)] | None,
        Flag("Values that become 0 and 1, LO,HI; repeat it for one range per band.", "pairs"),
    ] = Field(default=None, title="Values that become 0 and 1: one pair, or one for each band")
    aoi: Annotated[
        Annotated[dict[str, Any], AfterValidator(check_points)] | None,
        Flag(
            "Only inside these polygons: GeoJSON, GeoPackage, shapefile, WKT or its file.", "area"
        ),
    ] = Field(default=None, title="Area of interest, GeoJSON in longitude and latitude")
    overlays: Annotated[
        OverlaysWord | None,
        Flag(
            "Draw overlay-CLASS.tif of all layers, of those that win a tile, or of none. Default: "
            "present, or all of the classes named."
        ),
    ] = Field(
        default=None,
        title="Make overlay-<class>.tif",
        description="all; present: of classes that are best for at least one tile or, by a model "
        "of several labels, in one; none. Default: all of what classes names, present where it is "
        "all.",
    )
    colormap: Colormap = Field(default=DEFAULT, title="Colours of overlays and styles")
    threshold: Annotated[
        Annotated[float, Field(ge=LEAST)] | Annotated[str, Field(pattern=PATTERN)],
        Flag("From which heat on a cell is hot: 0.5, otsu, or q0.99, a quantile.", "threshold"),
    ] = Field(
        default=DEFAULT_THRESHOLD,
        title="Threshold of hotspots",
        description="From which heat on a cell is of a hotspot: a number, in the layer's "
        "own unit; otsu, which parts each layer's heat in two; q0.99, the hottest hundredth of "
        "each layer.",
        examples=[0.5, "otsu", "q0.99"],
    )
    on_error: Annotated[
        OnError, Flag("A tile that cannot be explained fails the job, or stays empty.")
    ] = Field(
        default="fail",
        title="Bad tiles",
        description="What becomes of a job with a tile that cannot be read or explained. fail: the "
        "job fails and names it; skip: the tile stays empty, and the results list it.",
    )
    priority: Priority = Field(
        default="normal", title="Priority", description="Urgent jobs go before all others."
    )

    @classmethod
    @override
    def parse(cls, values: dict[str, Any]) -> Self:
        if "aoi" in values and values["aoi"] is None:
            # Where a file or a query came back empty, it was not the whole scene that was meant.
            raise InvalidRequest("aoi: null is no area; leave it out for the whole scene")
        return super().parse(values)

    @property
    @override
    def source(self) -> str:
        return self.scenes[0]

    @property
    def scenes(self) -> tuple[str, ...]:
        """The addresses that are one scene."""
        return (self.scene,) if isinstance(self.scene, str) else self.scene

    @property
    def reading(self) -> Reading:
        """How the scene is to be read."""
        return Reading(self.crs, self.nodata, self.assets)

    @property
    @override
    def urgency(self) -> int:
        return URGENCY[self.priority]

    @override
    def with_results(self, earlier: EarlierJobs) -> Self:
        if not isinstance(self.scale_from, UUID):
            return self
        item = earlier.item(self.scale_from)
        if "geogaze:scales" not in item.get("properties", {}):
            raise InvalidRequest(f"scale_from: job {self.scale_from} made no heat.")
        return self.model_copy(update={"scale_from": Scales.model_validate(item)})

    @override
    def narrowed(self, outputs: Collection[str]) -> Self:
        """Without overlays where products are named and no overlay is among them; an overlay that
        is named is drawn, whatever wins.
        """
        from geogaze.products.asking import needs_overlays  # help needs none of what it imports

        if not outputs:
            return self
        wanted = any(needs_overlays(name) for name in outputs)
        drawn: Overlays = (self.overlays or "all") if wanted else "none"
        return self.model_copy(update={"overlays": drawn})

    @property
    def drawn(self) -> Overlays:
        """Which layers get an overlay."""
        return self.overlays or ("present" if self.classes == "all" else "all")
