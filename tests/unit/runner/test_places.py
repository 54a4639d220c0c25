"""Jobs on scenes that lie elsewhere than on one side of Earth: none is lost at the end."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import pytest
import rasterio
from affine import Affine

from tests.factories import make_scene
from tests.schemas.validation import validate
from tests.unit.runner.conftest import Explain


@pytest.mark.parametrize(
    ("crs", "west", "north", "size", "bbox"),
    [
        ("IAU_2015:30100", 10, 10, 0.01, None),
        ("IAU_2015:49910", 1000, 1000, 100, None),
        ("+proj=geos +h=35785831 +lon_0=0 +sweep=y +ellps=GRS80", -5.5e6, 5.5e6, 73_000, None),
        ("EPSG:4326", 179, 10, 0.01, [179, 8.5, -179.5, 10]),
        ("EPSG:4326", 359, 10, 0.01, [-1, 8.5, 0.5, 10]),
    ],
    ids=["moon", "mars", "disc", "date-line", "beyond-180"],
)
def test_a_job_is_published_wherever_it_lies(
    explain: Explain,
    tmp_path: Path,
    crs: str,
    west: float,
    north: float,
    size: float,
    bbox: list[float] | None,
) -> None:
    transform = Affine.translation(west, north) @ Affine.scale(size, -size)
    scene = make_scene(tmp_path / "scene.tif", 150, 150, crs=crs, transform=transform)
    report = explain(scene, classes=["boat"])
    item = json.loads(report.assets["item"].read_text())
    validate(item)
    if bbox is None:
        assert item["geometry"] is None
        assert "bbox" not in item
        assert item["properties"].get("proj:code") is None
        assert item["properties"]["proj:wkt2"]
    else:
        assert item["bbox"] == pytest.approx(bbox)
    with rasterio.open(report.assets["heat-boat"]) as heat, rasterio.open(scene) as source:
        assert heat.crs == source.crs
    assert len(geopandas.read_parquet(report.assets["tiles"])) == report.tiles
