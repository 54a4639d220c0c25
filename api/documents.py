"""Bodies of requests and answers, as OGC API – Processes Part 1 names them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator

from geogaze.config import Settings
from geogaze.ledger.records import JobStatus
from geogaze.processes.bill import Bill
from geogaze.processes.limits import check_values
from geogaze.processes.request import ProcessRequest
from geogaze.processes.table import all_processes, phase_references
from geogaze.processes.wanted import Mode, Wanted
from geogaze.products.product import GEOPACKAGE

FEATURES = "its hotspots and tiles, by OGC API – Features"
"""What the link to a job's features says."""


class Link(BaseModel):
    """A link to a resource."""

    href: str
    rel: str = "self"
    type: str = "application/json"
    title: str | None = None


class Subscriber(BaseModel):
    """Who is told of a job's states, by POST. Hosts must be on the operator's list."""

    model_config = ConfigDict(extra="forbid")

    successUri: HttpUrl  # noqa: N815  the standard's name
    inProgressUri: HttpUrl | None = None  # noqa: N815
    failedUri: HttpUrl | None = None  # noqa: N815


class Format(BaseModel):
    """How a value is encoded."""

    mediaType: str | None = Field(default=None, max_length=255)  # noqa: N815
    encoding: str | None = Field(default=None, max_length=255)
    schema_: dict[str, Any] | str | None = Field(default=None, alias="schema")


class Output(BaseModel):
    """How a product is wanted: by its value, or as a link to it.

    Where nothing is said it comes the first way of the process's `outputTransmission`.
    """

    model_config = ConfigDict(extra="forbid")

    format: Format | None = None
    transmissionMode: Mode | None = None  # noqa: N815


def _describe_inputs(schema: dict[str, Any]) -> None:
    """The inputs of one process or another, each input as such or as the standard wraps it."""
    schema["anyOf"] = [_inputs_of(process.request) for process in all_processes()]


def _inputs_of(request: type[ProcessRequest]) -> dict[str, Any]:
    described = request.model_json_schema()
    for name, field in described["properties"].items():
        wrapped = {"type": "object", "required": ["value"], "properties": {"value": field}}
        ways = [field, wrapped]
        if name in request.by_reference:
            href = {"type": "string"}
            link = {"type": "object", "required": ["href"], "properties": {"href": href}}
            ways += [link, {"type": "array", "items": link}]
        described["properties"][name] = {"anyOf": ways}
    keys = [key for key in ("properties", "required") if key in described]
    return {**{key: described[key] for key in keys}, "additionalProperties": False}


class Execute(BaseModel):
    """An execution request. ``inputs`` are checked against the process's own schema."""

    model_config = ConfigDict(extra="forbid")

    inputs: dict[str, Any] = Field(
        json_schema_extra=_describe_inputs,
        examples=[
            {
                "scene": "s3://imagery/airport-01.tif",
                "model": "aerial-scenes",
                "classes": ["airplane", "runway"],
                "overlap": 0.5,
            }
        ],
    )
    outputs: dict[str, Output] | None = Field(
        default=None,
        max_length=10_000,
        description="Products that the results shall list, by the names of the process's "
        "description ('heat-{class}' for all of the kind) or of the results ('heat-airplane'). "
        "Without: all.",
    )
    response: Literal["document", "raw"] = Field(
        default="document",
        description="Of the results: JSON, or the products themselves: one as it is, several as "
        "multipart/related, links alone as headers `Link`.",
    )
    subscriber: Subscriber | None = None

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: Any) -> Any:
        return check_values(values)

    @property
    def wanted(self) -> Wanted:
        """What it says of the results."""
        outputs = self.outputs or {}
        modes = {name: how.transmissionMode for name, how in outputs.items()}
        said = {name: mode for name, mode in modes.items() if mode}
        return Wanted(tuple(outputs), said, self.response == "raw")


def _name_phases(schema: dict[str, Any]) -> None:
    schema["enum"] = list(phase_references())


class StatusInfo(BaseModel):
    """A job's state."""

    processID: str  # noqa: N815  the standard's name
    type: Literal["process"] = "process"
    jobID: str  # noqa: N815
    status: Literal["accepted", "running", "successful", "failed", "dismissed"]
    message: str
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    updated: datetime
    progress: int = Field(ge=0, le=100)
    tiles: int
    tilesDone: int = Field(  # noqa: N815
        description="Those of units at work among them, while the job runs."
    )
    tilesReused: int = Field(description="Of tilesDone: explained by an earlier job.")  # noqa: N815
    tilesPerSecond: float | None = Field(  # noqa: N815
        default=None, description="Of late while tiles are explained, at the end the mean."
    )
    secondsLeft: float | None = Field(  # noqa: N815
        default=None, description="Until the last tile is explained, at this speed."
    )
    phase: str = Field(json_schema_extra=_name_phases)
    unitsLeft: dict[str, int] = Field(  # noqa: N815
        description="Units of work that each phase still has."
    )
    lastError: str | None = Field(  # noqa: N815
        default=None, description="What last went wrong; the job may have got over it."
    )
    warnings: list[str] | None = Field(
        default=None, description="What may make its heat mean less than it seems, and the mend."
    )
    bill: Bill | None = Field(
        default=None, description="What it has taken of workers so far, and what that costs."
    )
    links: list[Link]


class JobList(BaseModel):
    """A page of jobs."""

    jobs: list[StatusInfo]
    links: list[Link]


def status_info(status: JobStatus, base: str, settings: Settings) -> StatusInfo:
    """The ledger's record as the standard's document.

    Args:
        status: the record.
        base: the API's address, without a slash at its end.
        settings: with the prices.
    """
    url = f"{base}/jobs/{status.id}"
    links = [Link(href=url, title="this job")]
    pictured = "preview" in _outputs_of(status.process)
    if pictured and status.items_done and status.state.value != "dismissed":
        links.append(
            Link(href=f"{url}/preview", rel="preview", type="image/png", title="heat so far")
        )
    if status.state.value == "successful":
        links.append(
            Link(
                href=f"{url}/results",
                rel="http://www.opengis.net/def/rel/ogc/1.0/results",
                title="its products",
            )
        )
        if GEOPACKAGE in _outputs_of(status.process).values():
            links.append(Link(href=f"{url}/features", rel="service", title=FEATURES))
    speed, left = status.items_per_second, status.seconds_left
    return StatusInfo(
        processID=status.process,
        jobID=str(status.id),
        status=status.state.value,
        message=status.headline,
        created=_time(status.created),
        started=_time(status.started) if status.started else None,
        finished=_time(status.finished) if status.finished else None,
        updated=_time(status.updated),
        progress=status.progress,
        tiles=status.items,
        tilesDone=status.items_seen,
        tilesReused=status.items_reused,
        tilesPerSecond=round(speed, 2) if speed else None,
        secondsLeft=round(left, 1) if left is not None else None,
        phase=status.phase,
        unitsLeft={phase: count.remaining for phase, count in status.phases.items()},
        lastError=status.last_error,
        warnings=list(status.warnings) or None,
        bill=Bill.of(status.spent, status.size or 0, settings) if status.spent else None,
        links=links,
    )


@cache
def _outputs_of(process: str) -> dict[str, str]:
    """What jobs of a process make: names and media types; nothing of one that is no more."""
    return {
        name: output.media_type
        for known in all_processes()
        if known.id == process
        for name, output in known.outputs().items()
    }


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
