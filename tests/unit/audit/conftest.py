"""A drawn world in which a red object stands on green ground, and grey ground lies around."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from rasterio.warp import transform_geom

from geogaze.config import Settings
from geogaze.processes.audit.plan import AuditPlan
from geogaze.processes.audit.planning import make_plan
from geogaze.processes.audit.request import AuditRequest
from tests.factories import write_scene

TILES, SIZE = 9, 64
WHERE = Affine(0.5, 0, 423_200, 0, -0.5, 5_712_800)
CRS = "EPSG:32631"


@dataclass(frozen=True)
class World:
    """A scene, its objects, and the green ground that they stand on."""

    scene: Path
    objects: Path
    green: Path

    def inputs(self, **changes: Any) -> dict[str, Any]:
        """Inputs of an audit of boats on it."""
        truth, green = str(self.objects), str(self.green)
        asked = {"scenes": [str(self.scene)], "truth": truth, "cover": {"green": green}}
        return {**asked, "class": "boat", **changes}


def planned(world: World, bundle: Path, **changes: Any) -> AuditPlan:
    """An audit of a world, at one's own terminal."""
    request = AuditRequest.parse(world.inputs(model=str(bundle), **changes))
    return make_plan(request, Settings(), local=True)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A scene of 9 × 9 tiles and its objects; every second tile has one."""
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    values = rng.normal(90, 6, (3, TILES * SIZE, TILES * SIZE))
    rings, greens = [], []
    for number in range(0, TILES * TILES, 2):
        top, left = (SIZE * at for at in divmod(number, TILES))
        values[1, top : top + SIZE, left : left + SIZE] += 80
        row, col = rng.integers(8, SIZE - 28, 2)
        box = (left + col, top + row, left + col + 20, top + row + 20)
        values[0, box[1] : box[3], box[0] : box[2]] = 230
        values[1, box[1] : box[3], box[0] : box[2]] = 90
        rings.append(box)
        greens.append((left, top, left + SIZE, top + SIZE))
    path = write_scene(folder / "world.tif", values.clip(0, 255).astype(np.uint8), transform=WHERE)
    (folder / "world.geojson").write_text(json.dumps(outlines(rings)))
    (folder / "green.geojson").write_text(json.dumps(outlines(greens)))
    return World(path, folder / "world.geojson", folder / "green.geojson")


def outlines(boxes: list[tuple[int, int, int, int]]) -> dict[str, object]:
    features = []
    for left, top, right, bottom in boxes:
        corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
        ring = [WHERE @ corner for corner in corners]
        geometry = transform_geom(CRS, "OGC:CRS84", {"type": "Polygon", "coordinates": [ring]})
        features.append({"type": "Feature", "properties": {"class": "Boat"}, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}
