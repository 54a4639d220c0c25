"""What an audit is asked of: scenes or finished jobs, what lies on them, and a class."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import override

from geogaze.errors import InvalidRequest
from geogaze.ledger.states import URGENCY
from geogaze.models.registry import DEFAULT_MODEL
from geogaze.processes.explain.request import Address, ExplainRequest, Priority, Range
from geogaze.processes.limits import check_points
from geogaze.processes.request import EarlierJobs, ProcessRequest
from geogaze.scene.reading import MOST_FILES

MOST_SCENES = 1000
_WEIGHTS = r"^(sha256:[0-9a-f]{64}|torchvision:.+)$"


def _address(given: Any) -> Any:
    """The address of a file that is named as the standard does."""
    named = isinstance(given, dict) and "href" in given and isinstance(given["href"], str)
    return given["href"] if named else given


def _of_points(given: Any) -> Any:
    return check_points(given) if isinstance(given, dict) else given


Polygons = Annotated[
    Address | dict[str, Any], BeforeValidator(_address), AfterValidator(_of_points)
]
"""GeoJSON, or the address of a file of it or of a GeoPackage."""


class SceneInputs(BaseModel):
    """A scene with how it is to be read, by the names that the process ``explain`` has for it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    scene: Address | Annotated[tuple[Address, ...], Field(min_length=1, max_length=MOST_FILES)]
    bands: tuple[int, ...] | None = Field(default=None, max_length=1024)
    crs: str | None = Field(default=None, max_length=8192)
    nodata: float | None = None
    assets: tuple[Address, ...] | None = Field(default=None, max_length=1024)
    rescale: tuple[Range, ...] | None = Field(default=None, max_length=1024)


_SceneInputs = Annotated[SceneInputs, WithJsonSchema(SceneInputs.model_json_schema())]


class AuditRequest(ProcessRequest):
    """Inputs of the process ``audit``."""

    model_config = ConfigDict(serialize_by_alias=True)

    by_reference: ClassVar[frozenset[str]] = frozenset({"scenes", "truth"})

    scenes: (
        Annotated[tuple[Address | _SceneInputs, ...], Field(min_length=1, max_length=MOST_SCENES)]
        | None
    ) = Field(
        default=None,
        title="Scenes",
        description="Addresses of scenes, each by itself; or objects of a scene and how it is to "
        "be read, as explain takes both: scene, bands, rescale, nodata, crs, assets.",
        examples=[["s3://imagery/airport-01.tif", "s3://imagery/airport-02.tif"]],
    )
    jobs: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=MOST_SCENES)] | None = Field(
        default=None,
        title="Finished jobs",
        description="Instead of scenes: ids of finished jobs of explain, whose scenes and model "
        "are audited.",
    )
    truth: Polygons | Annotated[tuple[Polygons, ...], Field(min_length=1)] = Field(
        title="Polygons of the objects",
        description="GeoJSON, or the address of a GeoJSON file or GeoPackage: one for all scenes, "
        "or a list of one for each, in order.",
        examples=[["s3://imagery/airport-01.geojson", "s3://imagery/airport-02.geojson"]],
    )
    name: str = Field(
        alias="class",
        min_length=1,
        max_length=600,
        title="Class",
        description="The class of the model that the objects are.",
        examples=["airplane"],
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        title="Model",
        description="A bundle's name or a torchvision architecture; default: that of the jobs, of "
        f"scenes {DEFAULT_MODEL}.",
    )
    weights: str | None = Field(
        default=None,
        pattern=_WEIGHTS,
        max_length=255,
        title="Weights that the model must have",
        description="sha256:HEX of its weights, as /models tells; one that has others is refused. "
        "Of jobs they are those that made their heat.",
    )
    by: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        title="Property that tells polygons apart",
        description="Polygons whose property is the class are objects, each other value is "
        "another kind of ground; default: all are objects.",
    )
    cover: dict[Annotated[str, Field(min_length=1, max_length=255)], Polygons] = Field(
        default_factory=dict,
        max_length=40,
        title="Other kinds of ground",
        description="Their polygons by name, for all scenes. The first that a pixel lies in "
        "counts, objects before all.",
        examples=[{"water": "s3://imagery/water.gpkg"}],
    )
    tiles: int = Field(
        default=40, ge=1, le=10_000, title="Tiles of each scene that are changed at most"
    )
    seed: int = Field(default=0, ge=0, le=2**31, title="Seed of all that is drawn by chance")
    priority: Priority = Field(
        default="normal", title="Priority", description="Urgent jobs go before all others."
    )

    @model_validator(mode="after")
    def _check_scenes(self) -> Self:
        if (self.scenes is None) == (self.jobs is None):
            raise ValueError("scenes or jobs, one of the two")
        truths, scenes = self.truth, len(self.scenes or self.jobs or ())
        if isinstance(truths, tuple) and len(truths) != scenes:
            raise ValueError(
                f"truth: {len(truths)} for {scenes} scenes; give one for each, in order, or one "
                "that is no list for all"
            )
        return self

    @property
    @override
    def source(self) -> str | None:
        if not self.scenes:
            return None
        first = self.scenes[0]
        scene = first.scene if isinstance(first, SceneInputs) else first
        return scene if isinstance(scene, str) else scene[0]

    @property
    @override
    def urgency(self) -> int:
        return URGENCY[self.priority]

    @override
    def with_results(self, earlier: EarlierJobs) -> Self:
        if self.jobs is None:
            return self
        items = [earlier.item(job)["properties"] for job in self.jobs]
        models = {item.get("geogaze:model"): item.get("geogaze:weights") for item in items}
        changes: dict[str, Any] = {"jobs": None}
        if self.model is None:
            if len(models) > 1:
                raise InvalidRequest(
                    f"jobs: they are of several models ({', '.join(map(str, models))}); say which "
                    "one is audited on their scenes (model)."
                )
            ((changes["model"], weights),) = models.items()
            changes["weights"] = self.weights or weights
        changes["scenes"] = tuple(_scene_of(job, earlier.inputs(job)) for job in self.jobs)
        return self.model_copy(update=changes)


def _scene_of(job: UUID, inputs: dict[str, Any]) -> SceneInputs:
    """The scene of a job, read as that did.

    Raises:
        InvalidRequest: the job looked at a part of it, or read it as no audit does.
    """
    for name in ("aoi", "square"):
        if inputs.get(name):
            raise InvalidRequest(
                f"jobs: job {job} was asked for with {name}; an audit takes whole scenes as they "
                "are. Name its scene in scenes instead."
            )
    asked = ExplainRequest.model_validate(inputs)
    kept = asked.model_dump(mode="json", include=set(SceneInputs.model_fields))
    return SceneInputs.model_validate(kept)
