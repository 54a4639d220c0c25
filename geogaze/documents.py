"""What an API tells of jobs, as :class:`geogaze.Client` gives it: JSON documents, typed.

At run time they are dictionaries, whole: what a newer server says besides is in them too.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Link(TypedDict):
    """A link to another document."""

    href: str
    rel: str
    type: NotRequired[str]
    title: NotRequired[str]


class Bill(TypedDict):
    """What a job takes of workers, and, where the server has prices, what that costs."""

    workerSeconds: float
    coreHours: float
    gpuHours: float
    cost: NotRequired[float]
    currency: NotRequired[str]


class Status(TypedDict):
    """A job's state.

    ``progress`` is 0..100; times are ISO 8601; of ``tiles`` there are ``tilesDone`` explained,
    ``tilesReused`` of those by an earlier job; ``unitsLeft`` are units of work by phase;
    ``warnings`` say what may make the heat mean less than it seems.
    """

    processID: str
    type: str
    jobID: str
    status: Literal["accepted", "running", "successful", "failed", "dismissed"]
    message: str
    created: str
    started: NotRequired[str]
    finished: NotRequired[str]
    updated: str
    progress: int
    tiles: int
    tilesDone: int
    tilesReused: int
    tilesPerSecond: NotRequired[float]
    secondsLeft: NotRequired[float]
    phase: str
    unitsLeft: dict[str, int]
    lastError: NotRequired[str]
    warnings: NotRequired[list[str]]
    bill: NotRequired[Bill]
    links: list[Link]


class Quote(TypedDict):
    """What a job takes at most: ``rows`` × ``cols`` cells of ``cellMetres`` in each of ``layers``,
    sizes in bytes; ``seconds`` where there was a job like it; ``footprint`` is the scene's outline
    as GeoJSON has it.
    """

    tiles: int
    layers: int
    rows: int
    cols: int
    cellMetres: float
    productsBytes: int
    diskBytes: int
    memoryBytes: int
    seconds: NotRequired[float]
    bill: NotRequired[Bill]
    footprint: NotRequired[dict[str, Any]]
    warnings: NotRequired[list[str]]


class ModelVersion(TypedDict):
    """A version of a registered model: the aliases that point at it, when it was ``added``, the
    ``digest`` of its files, and ``sha256`` and ``bytes`` of its weights.
    """

    version: str
    aliases: list[str]
    added: str
    digest: str
    sha256: str
    bytes: int
    architecture: str
    classes: list[str]
    metrics: dict[str, Any]


class Model(TypedDict):
    """A model that jobs may name: what its name means, all versions, where its aliases point."""

    name: str
    version: NotRequired[str]
    versions: list[ModelVersion]
    aliases: dict[str, str]
    architecture: str
    classes: list[str]


class Asset(TypedDict):
    """A product of a job: where it lies, its media type, its file's name, and its bytes."""

    href: str
    type: str
    title: str
    length: int


class Layer(TypedDict):
    """A layer of a job for maps: addresses of its TileJSON, of its tiles and of its legend."""

    name: str
    title: str
    tilejson: str
    tiles: str
    legend: str
    links: list[Link]


class Skipped(TypedDict):
    """Tiles that a job went on without: why, how many, and where it went wrong, which."""

    reason: str
    tiles: int
    positions: NotRequired[list[int]]
