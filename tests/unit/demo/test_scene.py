"""The demo scene: the same for a seed, georeferenced, and true to its outlines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_geom
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import Polygon, box, shape

from geogaze.demo.scene import draw_demo_scene, write_demo_scene
from tests.unit.scene.rasters import info_of

# rasterio and rio-cogeo multiply affines the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_scene(tmp_path_factory.mktemp("demo") / "new" / "demo.tif", size=768)


def test_scene_is_a_georeferenced_cog(demo: Path) -> None:
    assert cog_validate(demo, strict=True, quiet=True)[0]
    info = info_of(demo)
    assert (info.width, info.height, info.dtype, info.bands) == (768, 768, "uint8", (1, 2, 3))
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


def test_geojson_lies_on_the_objects_of_the_picture(demo: Path) -> None:
    drawn = draw_demo_scene(768).objects
    features = json.loads(demo.with_suffix(".geojson").read_text())["features"]
    with rasterio.open(demo) as dataset:
        crs, to_pixels = dataset.crs, ~dataset.transform
    for item, feature in zip(drawn, features, strict=True):
        assert feature["properties"]["class"] == item.name
        (ring,) = transform_geom("OGC:CRS84", crs, feature["geometry"])["coordinates"]
        listed = Polygon([to_pixels @ point for point in ring])
        assert listed.symmetric_difference(Polygon(item.polygon)).area < 0.02 * listed.area


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
