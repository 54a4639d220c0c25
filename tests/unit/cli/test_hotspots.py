"""``geogaze hotspots``: a finished run cut anew, in each format, beside what the run left."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from geogaze.config import Settings
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner import embedded
from tests.factories import ROTATED, make_bundle, make_scene
from tests.unit.cli.conftest import Geogaze


@pytest.fixture(scope="module")
def heat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a rotated scene, of three classes."""
    folder = tmp_path_factory.mktemp("hotspots")
    scene = make_scene(folder / "scene.tif", width=700, height=600, transform=ROTATED)
    request = ExplainRequest(
        scene=str(scene), model=str(make_bundle(folder / "tiny")), overlays="none", threshold=0.3
    )
    settings = Settings(device="cpu", torch_threads=1, runtime="torch")
    embedded.run(request, folder / "heat", settings)
    return folder / "heat"


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return geopandas.read_file(path, layer="hotspots" if path.suffix == ".gpkg" else None)


@pytest.mark.parametrize("kind", ["gpkg", "parquet", "fgb", "geojson"])
def test_at_the_runs_threshold_it_is_what_the_run_left(
    geogaze: Geogaze, heat: Path, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / f"again.{kind}"
    done = geogaze("hotspots", heat, "--threshold", "0.3", "--out", target, "--json")
    assert done.code == 0, done.err
    ours, theirs = read(target), read(heat / "hotspots.gpkg")
    assert done.last["classes"]["boat"]["hotspots"] == (theirs["class"] == "boat").sum() > 0
    ours = ours.to_crs(theirs.crs).sort_values("id", ignore_index=True)
    theirs = theirs.sort_values("id", ignore_index=True)
    told = list(theirs.columns.drop("geometry"))
    pd.testing.assert_frame_equal(
        pd.DataFrame(ours[told]), pd.DataFrame(theirs[told]), check_dtype=False, rtol=1e-6
    )
    assert theirs.tile_probability.notna().all()
    # A hundredth of a cell: GeoJSON has longitude and latitude.
    assert shapely.hausdorff_distance(ours.geometry, theirs.geometry).max() < 0.01


def test_thresholds_follow_each_layers_heat(geogaze: Geogaze, heat: Path, tmp_path: Path) -> None:
    with rasterio.open(heat / "heat-boat.tif") as dataset:
        values = dataset.read(1)
    cells: dict[str, int] = {}
    for word in ("0.3", "q0.95", "otsu"):
        target = tmp_path / f"{word}.gpkg"
        words = ("hotspots", heat, "--threshold", word, "--class", "boat", "--out", target)
        assert geogaze(*words).code == 0
        cells[word] = int(read(target).cells.sum())
    assert cells["0.3"] == (values >= 0.3).sum()
    assert cells["q0.95"] == (values >= np.nanquantile(values, 0.95)).sum()
    assert 0 < cells["otsu"] < np.isfinite(values).sum()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--threshold", "9x"), "A threshold is"),
        (("--class", "boats"), "There is no layer 'boats', but boat"),
        (("--format", "shp"), "'shp' is no format of hotspots"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    geogaze: Geogaze, heat: Path, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    done = geogaze("hotspots", heat, "--out", tmp_path / "h.gpkg", *words)
    assert (done.code, says in done.err) == (2, True), done.err
    assert not list(tmp_path.glob("*h.gpkg*"))


def test_other_places_are_refused(geogaze: Geogaze, heat: Path, tmp_path: Path) -> None:
    done = geogaze("hotspots", tmp_path, "--out", tmp_path / "h.gpkg")
    assert (done.code, "holds no results" in done.err) == (2, True)
    (tmp_path / "mine.gpkg").write_text("mine")
    done = geogaze("hotspots", heat, "--out", tmp_path / "mine.gpkg")
    assert (done.code, "--overwrite" in done.err) == (2, True)
    assert (tmp_path / "mine.gpkg").read_text() == "mine"


def test_geojson_is_of_longitude_and_latitude(geogaze: Geogaze, heat: Path, tmp_path: Path) -> None:
    assert geogaze("hotspots", heat, "--out", tmp_path / "h.geojson").code == 0
    document = json.loads((tmp_path / "h.geojson").read_text())
    ring = shapely.geometry.shape(document["features"][0]["geometry"]).exterior
    place = document["features"][0]["properties"]
    assert ring.is_ccw
    assert ring.centroid.x == pytest.approx(place["longitude"], abs=1e-3)
    assert ring.centroid.y == pytest.approx(place["latitude"], abs=1e-3)
