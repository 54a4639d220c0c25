"""What a unit works with, what it hands in, and steps that several phases take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from geogaze.config import Settings
from geogaze.files import file_sha256
from geogaze.ledger.records import Claim, Part
from geogaze.ledger.store import Ledger
from geogaze.processes.explain.plan import Plan
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import SceneReader
from geogaze.scene.source import open_scene
from geogaze.storage import Storage


@dataclass(frozen=True)
class Resources:
    """What a unit works with."""

    settings: Settings
    ledger: Ledger
    storage: Storage


@dataclass(frozen=True)
class Outcome:
    """What a unit hands to the ledger."""

    result: dict[str, Any]
    tiles: int = 0


def open_planned(resources: Resources, plan: Plan) -> AbstractContextManager[DatasetReader]:
    """The scene that the job was planned for, or none."""
    policy = SourcePolicy.local() if plan.local else SourcePolicy.of(resources.settings)
    return open_scene(plan.scene.uri, policy, resources.settings, version=plan.scene.version)


def reader_of(
    resources: Resources, plan: Plan, dataset: DatasetReader, *, lenient: bool
) -> SceneReader:
    """The reader of an open scene, on the plan's working grid."""
    seconds = resources.settings.silence_seconds
    return SceneReader(dataset, plan.scene, plan.working, lenient=lenient, silence_seconds=seconds)


@contextmanager
def open_to_show(resources: Resources, plan: Plan) -> Iterator[SceneReader]:
    """The scene behind a picture: blocks that are known to be damaged stay empty."""
    with open_planned(resources, plan) as dataset:
        yield reader_of(resources, plan, dataset, lenient=plan.on_error == "skip")


def keep(resources: Resources, claim: Claim, path: Path, media_type: str) -> dict[str, Any]:
    """Store a product under this attempt and describe it."""
    key = claim.prefix + path.name
    resources.storage.put_file(key, path, media_type)
    return {
        "key": key,
        "file": path.name,
        "type": media_type,
        "size": path.stat().st_size,
        "sha256": file_sha256(path),
    }


def load_heat(resources: Resources, part: Part, scratch: Path) -> NDArray[np.float32]:
    """A layer (rows, cols) float32, as the phase calibrate kept it."""
    path = scratch / "layer.tif"
    resources.storage.get_file(part.result["asset"]["key"], path)
    with rasterio.open(path, driver="GTiff") as dataset:
        values: NDArray[np.float32] = dataset.read(1)
    path.unlink()
    return values
