from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.features import geometry_mask
from rasterio.warp import transform_geom
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import box, shape

from geogaze.demo.scene import draw_demo_scene, write_demo_scene
from tests.unit.scene.helpers import info_of

# rasterio and rio-cogeo multiply affines the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_scene(tmp_path_factory.mktemp("demo") / "new" / "demo.tif", size=512)


def test_scene_is_a_georeferenced_cog(demo: Path) -> None:
    assert cog_validate(demo, strict=True, quiet=True)[0]
    info = info_of(demo)
    assert (info.width, info.height, info.dtype, info.bands) == (512, 512, "uint8", (1, 2, 3))
    assert info.epsg == 32631
    assert info.pixel_metres == pytest.approx(0.5)


def test_objects_lie_beside_it_as_geojson(demo: Path) -> None:
    document = json.loads(demo.with_suffix(".geojson").read_text())
    assert document["type"] == "FeatureCollection"
    assert {"Airplane", "Ship"} <= {f["properties"]["class"] for f in document["features"]}
    with rasterio.open(demo) as dataset:
        extent = box(*dataset.bounds).buffer(0.1)
        for feature in document["features"]:
            ring = shape(feature["geometry"])
            assert ring.is_valid
            assert ring.exterior.is_ccw
            assert extent.covers(
                shape(transform_geom("OGC:CRS84", dataset.crs, feature["geometry"]))
            )


def test_airplanes_are_where_the_geojson_says(demo: Path) -> None:
    """White on grey pavement: brighter inside than around."""
    document = json.loads(demo.with_suffix(".geojson").read_text())
    with rasterio.open(demo) as dataset:
        brightness = dataset.read().mean(axis=0)
        planes = [
            transform_geom("OGC:CRS84", dataset.crs, feature["geometry"])
            for feature in document["features"]
            if feature["properties"]["class"] == "Airplane"
        ]
        around = [dict(shape(plane).buffer(15).__geo_interface__) for plane in planes]
        inside = geometry_mask(planes, brightness.shape, dataset.transform, invert=True)
        near = geometry_mask(around, brightness.shape, dataset.transform, invert=True)
    assert brightness[inside].mean() > brightness[near & ~inside].mean() + 20


def test_the_same_seed_draws_the_same_scene() -> None:
    first, again, other = (draw_demo_scene(256, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.image, again.image)
    assert [o.name for o in first.objects] == [o.name for o in again.objects]
    for one, two in zip(first.objects, again.objects, strict=True):
        np.testing.assert_array_equal(one.polygon, two.polygon)
    assert (first.image != other.image).mean() > 0.5


@pytest.mark.parametrize("size", [0, -1])
def test_scene_without_pixels_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"got {size}"):
        draw_demo_scene(size)
