"""Results of a scene, opened; a module's are those of its arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

import geogaze
from geogaze.errors import InvalidRequest, UnknownClass
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
        assert np.array_equal(results.heat("road"), dataset.read(1), equal_nan=True)
        assert (results.transform, results.crs) == (dataset.transform, dataset.crs)
    tiles, hotspots = results.tiles(), results.hotspots()
    assert {"row", "col", "top_class", "p_road"} <= set(tiles.columns)
    assert {"class", "area_m2", "tile_probability"} <= set(hotspots.columns)
    assert tiles.crs == hotspots.crs == results.crs
    hot = results.heat("road") >= 0.5
    assert hotspots[hotspots["class"] == "road"].cells.sum() == hot.sum() > 0
    shown = results._repr_html_()
    assert "data:image/png;base64,iVBOR" in shown
    assert "road, boat vs field" in shown
    assert all(path.is_file() for path in results.assets.values())
    with pytest.raises(UnknownClass, match="no layer 'boat', but road"):
        results.heat("boat")


def test_several_files_are_one_scene(bundle_folder: Path, tmp_path: Path) -> None:
    files = [
        make_scene(tmp_path / f"{col}.tif", 64, 64, transform=moved(0, col), seed=col)
        for col in (0, 64)
    ]
    options = {"classes": "road", "overlap": 0, "overlays": False}
    listed = geogaze.explain(bundle_folder, files, out=tmp_path / "list", **options)
    matched = geogaze.explain(bundle_folder, str(tmp_path / "*.tif"), out=tmp_path / "m", **options)
    np.testing.assert_array_equal(listed.heat("road"), matched.heat("road"))
    assert listed.heat("road").shape == (3, 5)


def test_coordinates_are_the_crs_own_unless_the_scene_is_rotated(
    scene: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("xarray")
    turned = make_scene(tmp_path / "turned.tif", 128, 128, transform=ROTATED)
    for path in (scene, turned):
        results = geogaze.explain(
            bundle_folder, path, out=tmp_path / path.stem, classes="road", overlap=0, overlays=False
        )
        array = results.to_xarray()
        assert array.shape == (1, *results.heat("road").shape)
        first = (float(array.x[0]), float(array.y[0]))
        place = results.transform @ (0.5, 0.5)
        assert first == pytest.approx(place if path is scene else (0.5, 0.5))
        assert "UTM zone 31N" in array.attrs["crs"]


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
    assert np.allclose(results.heat("b")[:16, :16], evidence[1], atol=1e-6)


def test_what_holds_no_results_is_refused(tmp_path: Path, bundle_folder: Path) -> None:
    for folder in (tmp_path, bundle_folder, tmp_path / "absent"):
        with pytest.raises(InvalidRequest, match="holds no results"):
            geogaze.open_results(folder)
    with pytest.raises(InvalidRequest, match="say api= too"):
        geogaze.open_results(tmp_path, folder=tmp_path)
    with pytest.raises(InvalidRequest, match=r"looked at as its item\.json says"):
        geogaze.explain(bundle_folder, "scene.tif", out=tmp_path / "out", size=128)
