"""Results of a scene, opened; a module's are those of its arrays."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet
import pyproj
import pytest
import rasterio
from affine import Affine

import geogaze
from geogaze.errors import InvalidRequest, UnknownClass
from geogaze.products.page.assembling import page_html
from tests.factories import ROTATED, make_scene
from tests.unit.notebook.test_explain import Own
from tests.unit.scene.mosaics import moved


def test_a_folder_is_opened_as_its_files_say(
    scene: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    made = geogaze.explain(
        bundle_folder, scene, out=tmp_path / "out", classes=["road", "boat vs field"], overlap=0
    )
    results = geogaze.open_results(tmp_path / "out")
    assert results.layers == made.layers == ("road", "boat vs field")
    with rasterio.open(results.assets["heat-road"]) as dataset:
        assert np.array_equal(results.array("road"), dataset.read(1), equal_nan=True)
        assert (results.transform, results.crs) == (dataset.transform, dataset.crs)
    tiles, hotspots = results.tiles(), results.hotspots()
    assert {"row", "col", "top_class", "p_road"} <= set(tiles.columns)
    assert {"class", "area_m2", "tile_probability"} <= set(hotspots.columns)
    for name, rows in (("tiles", tiles), ("hotspots-parquet", None)):
        told = results.item["assets"][name]
        stored = pyarrow.parquet.read_schema(results.assets[name])
        types = {column["name"]: column["type"] for column in told["table:columns"]}
        assert types == {field.name: str(field.type).partition("<")[0] for field in stored}
        assert told.get("table:row_count") == (None if rows is None else len(rows))
    assert tiles.crs == hotspots.crs == results.crs
    hot = results.array("road") >= 0.5
    assert hotspots[hotspots["class"] == "road"].cells.sum() == hot.sum() > 0
    shown = results._repr_html_()
    assert "data:image/png;base64,iVBOR" in shown
    assert "road, boat vs field" in shown
    assert all(path.is_file() for path in results.assets.values())
    with pytest.raises(UnknownClass, match="no layer 'boat', but road"):
        results.array("boat")


def test_several_files_are_one_scene(bundle_folder: Path, tmp_path: Path) -> None:
    files = [
        make_scene(tmp_path / f"{col}.tif", 64, 64, transform=moved(0, col), seed=col)
        for col in (0, 64)
    ]
    options = {"classes": "road", "overlap": 0, "overlays": False}
    listed = geogaze.explain(bundle_folder, files, out=tmp_path / "list", **options)
    matched = geogaze.explain(bundle_folder, str(tmp_path / "*.tif"), out=tmp_path / "m", **options)
    np.testing.assert_array_equal(listed.array("road"), matched.array("road"))
    assert listed.array("road").shape == (3, 5)


def test_coordinates_are_the_crs_own_unless_the_scene_is_rotated(
    scene: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("xarray")
    turned = make_scene(tmp_path / "turned.tif", 128, 128, transform=ROTATED)
    for path in (scene, turned):
        results = geogaze.explain(
            bundle_folder, path, out=tmp_path / path.stem, classes="road", overlap=0, overlays=False
        )
        array = results.heat()
        assert array.shape == (1, *results.array("road").shape)
        road = results.heat("road")
        assert np.array_equal(road, results.array("road"), equal_nan=True)
        assert (road.dims, str(road["class"].values)) == (("y", "x"), "road")
        placed = road[road.attrs["grid_mapping"]].attrs
        to_crs = Affine.from_gdal(*map(float, placed["GeoTransform"].split()))
        assert (pyproj.CRS(placed["crs_wkt"]), to_crs) == (results.crs, results.transform)
        first = (float(array.x[0]), float(array.y[0]))
        place = results.transform @ (0.5, 0.5)
        assert first == pytest.approx(place if path is scene else (0.5, 0.5))
        assert "UTM zone 31N" in array.attrs["crs"]


def test_a_map_is_the_jobs_page_as_long_as_it_is_wanted(tmp_path: Path) -> None:
    folders = []
    for name in ("heat", "other"):
        layer = tmp_path / name / "heat-boat vs field.tif"
        layer.parent.mkdir()
        layer.write_bytes(name.encode())
        assets = {"heat-boat vs field": {"href": f"./{layer.name}"}}
        said = {"geogaze:model": "own", "title": 'A "port"'}
        item = {"properties": said, "assets": assets}
        (layer.parent / "item.json").write_text(json.dumps(item))
        folders.append(geogaze.open_results(layer.parent))
    results, other = folders
    with pytest.raises(UnknownClass, match="no layer 'road'"):
        results.explore("road")
    shown = results.explore("boat vs field", beside=other, height=300)
    root, _, link = shown.url.partition("#")
    assert link == "layer=boat+vs+field&job=beside/"
    html = shown._repr_html_()
    assert f'src="{root}#layer=boat+vs+field&amp;job=beside/" title="A &quot;port&quot;"' in html
    assert "height:300px" in html
    for folder, said in (("", b"heat"), ("beside/", b"other")):
        assert httpx.get(f"{root}{folder}heat-boat vs field.tif").content == said
    assert httpx.get(root).text == page_html()
    thread = shown._thread
    del shown
    thread.join(5)
    assert not thread.is_alive(), "nobody can close it any more"
    again = results.explore()
    assert again.url.endswith("/")
    again.close()
    again.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(again.url)


def test_a_module_over_a_scene_sees_what_it_sees_in_an_array(scene: Path, tmp_path: Path) -> None:
    model = Own()
    results = geogaze.explain(
        model,
        scene,
        out=tmp_path / "out",
        layer="features.3",
        class_names=["a", "b", "c"],
        size=64,
        overlap=0,
        normalize="none",
        overlays=False,
    )
    assert model.training
    with rasterio.open(scene) as dataset:
        tile = dataset.read()[:, :64, :64]
    evidence = geogaze.explain(model, tile, layer="features.3").evidence
    assert results.layers == ("a", "b", "c")
    assert np.allclose(results.array("b")[:16, :16], evidence[1], atol=1e-6)


def test_what_holds_no_results_is_refused(tmp_path: Path, bundle_folder: Path) -> None:
    for folder in (tmp_path, bundle_folder, tmp_path / "absent"):
        with pytest.raises(InvalidRequest, match="holds no results"):
            geogaze.open_results(folder)
    with pytest.raises(InvalidRequest, match="say api= too"):
        geogaze.open_results(tmp_path, folder=tmp_path)
    with pytest.raises(InvalidRequest, match=r"looked at as its item\.json says"):
        geogaze.explain(bundle_folder, "scene.tif", out=tmp_path / "out", size=128)
