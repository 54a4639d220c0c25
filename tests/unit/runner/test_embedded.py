"""Whole jobs in this process, against a slow reference that shares only the network's gradient."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import geopandas
import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.warp import transform_geom
from rio_cogeo.cogeo import cog_validate

from geogaze.errors import GeogazeError, InvalidRequest, SceneUnreadable, UnknownClass
from geogaze.evidence.prepare import quicken
from geogaze.evidence.routes import explain as explain_batch
from geogaze.files import file_sha256
from geogaze.models.item import read_bundle
from geogaze.models.targets import own
from geogaze.networks.cuts import split
from geogaze.networks.loading import load_model
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import RunReport
from tests.factories import NORTH_UP, ROTATED, make_scene, make_values, write_scene
from tests.left_behind import OF_CLASSES, OF_EVERY_JOB
from tests.schemas.validation import validate
from tests.unit.runner.conftest import Explain

TILE, STRIDE, CELLS = 128, 32, 4
CLASSES = ("boat", "field", "road")
PYRAMID = (1, 2, 2, 1)


def read(report: Any, name: str) -> NDArray[np.float32]:
    with rasterio.open(report.assets[name]) as dataset:
        values: NDArray[np.float32] = dataset.read(1)
    return values


def starts(length: int, step: int) -> list[int]:
    """First cells of the tiles along an axis; the last tile ends with the lattice."""
    return sorted({*range(0, length - CELLS, step), length - CELLS})


def reference(
    bundle_folder: Path,
    scene: Path,
    class_index: int,
    *,
    per_tile: bool = False,
    step: int = 2,
    wanted: Callable[[int, int], bool] = lambda row, col: True,
) -> NDArray[np.float64]:
    """Cell by cell, tile by tile: cell (r, c) is centred on pixel (32 r, 32 c). Of the tiles whose
    row and column are wanted.
    """
    bundle = read_bundle(bundle_folder)
    cut = quicken(split(load_model(bundle)))  # folding rounds: here it shall be the same
    mean, std = (np.array(v, dtype=np.float32)[:, None, None] for v in (bundle.mean, bundle.std))
    with rasterio.open(scene) as dataset:
        values = (dataset.read().astype(np.float32) / 255 - mean) / std
        valid = dataset.dataset_mask() > 0
    values[:, ~valid] = 0
    height, width = valid.shape
    # Cells start at -15.5 and must cover the scene.
    rows, cols = (int(np.ceil((size + 15.5) / STRIDE)) for size in (height, width))
    total, weight = np.zeros((rows, cols)), np.zeros((rows, cols))
    for i, row in enumerate(starts(rows, step)):
        for j, col in enumerate(starts(cols, step)):
            if not wanted(i, j):
                continue
            there = np.s_[row * STRIDE : row * STRIDE + TILE, col * STRIDE : col * STRIDE + TILE]
            if not valid[there].any():
                continue
            known = values[:, *there]
            image = np.zeros((1, 3, TILE, TILE), dtype=np.float32)
            image[0, :, : known.shape[1], : known.shape[2]] = known
            found = explain_batch(cut, torch.from_numpy(image), own([class_index]))
            evidence = found.evidence[0, 0].numpy().astype(float)
            if per_tile:
                evidence = np.maximum(evidence, 0)
                evidence /= evidence.max() or 1
            for a in range(CELLS):
                for b in range(CELLS):
                    share = PYRAMID[a] * PYRAMID[b]
                    total[row + a, col + b] += share * evidence[a, b]
                    weight[row + a, col + b] += share
    with np.errstate(invalid="ignore"):
        return total / weight


def unlooked(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells of which less than half the scene's pixels are valid; on a grid of half pixels."""
    height, width = valid.shape
    rows, cols = (int(np.ceil((size + 15.5) / STRIDE)) for size in (height, width))
    padded = np.zeros((2, rows * 64, cols * 64))
    double = valid.repeat(2, axis=0).repeat(2, axis=1)
    padded[0, 31 : 31 + 2 * height, 31 : 31 + 2 * width] = double
    padded[1, 31 : 31 + 2 * height, 31 : 31 + 2 * width] = 1
    good, inside = padded.reshape(2, rows, 64, cols, 64).sum(axis=(2, 4))
    return np.asarray(good < inside / 2)


def close(ours: NDArray[np.float32], expected: NDArray[Any]) -> None:
    assert np.array_equal(np.isnan(ours), np.isnan(expected))
    peak = np.nanmax(np.abs(expected))
    assert peak > 0
    assert np.nanmax(np.abs(ours - expected)) < 1e-5 * peak


def test_a_job_leaves_its_products_and_nothing_else(job: RunReport) -> None:
    assert {path.name for path in job.assets["item"].parent.iterdir()} == {
        *(f"heat-{name}.tif" for name in CLASSES),
        *(f"heat-{name}.qml" for name in CLASSES),
        *(f"overlay-{name}.tif" for name in CLASSES),
        "backdrop.tif",
        *(OF_EVERY_JOB | OF_CLASSES).values(),
    }
    assert set(job.assets) == {
        *(f"heat-{name}" for name in CLASSES),
        *(f"style-{name}" for name in CLASSES),
        *(f"overlay-{name}" for name in CLASSES),
        "backdrop",
        *(OF_EVERY_JOB | OF_CLASSES),
    }
    assert job.tiles == 4 * 5
    assert job.skipped == []
    assert job.tiles_per_second > 0
    assert len(geopandas.read_parquet(job.assets["tiles"])) == 20
    for name in CLASSES:
        for kind in ("heat", "overlay"):
            valid, *why = cog_validate(job.assets[f"{kind}-{name}"], strict=True, quiet=True)
            assert valid, why
        heat = read(job, f"heat-{name}")
        assert heat.shape == (10, 12)
        assert ((heat >= 0) & (heat <= 1)).all()
    with Image.open(job.assets["preview"]) as picture:
        picture.load()


def test_the_item_of_a_job_is_valid_and_describes_its_files(job: RunReport) -> None:
    item = json.loads(job.assets["item"].read_text(), parse_constant=pytest.fail)
    validate(item)
    assert item["id"] == str(job.job)
    assert set(item["assets"]) == set(job.assets) - {"item"}
    for name, asset in item["assets"].items():
        path = job.assets["item"].parent / asset["href"]
        assert path == job.assets[name]
        assert asset["file:size"] == path.stat().st_size
        assert asset["file:checksum"] == "1220" + file_sha256(path)
    with rasterio.open(job.assets["heat-boat"]) as dataset:
        assert item["properties"]["proj:shape"] == list(dataset.shape)
        assert item["properties"]["proj:transform"][:6] == list(dataset.transform)[:6]
        statistics = item["assets"]["heat-boat"]["raster:bands"][0]["statistics"]
        assert statistics["mean"] == pytest.approx(dataset.read(1).mean(), rel=1e-5)


def test_raw_evidence_is_that_of_a_slow_loop(
    raw: RunReport, big_scene: Path, wide_bundle: Path
) -> None:
    for name, index in (("boat", 0), ("road", 2)):
        close(read(raw, f"heat-{name}"), reference(wide_bundle, big_scene, index))


def test_tile_heat_is_that_of_a_slow_loop(
    explain: Explain, big_scene: Path, wide_bundle: Path
) -> None:
    report = explain(big_scene, normalize="tile", classes=["field"], overlap=0.25)
    expected = reference(wide_bundle, big_scene, 1, per_tile=True, step=3)
    close(read(report, "heat-field"), expected)


def test_job_heat_is_raw_evidence_over_the_scale_it_tells(job: RunReport, raw: RunReport) -> None:
    evidence = read(raw, "heat-boat")
    with rasterio.open(job.assets["heat-boat"]) as dataset:
        scale = float(dataset.tags()["GEOGAZE_SCALE"])
        heat = dataset.read(1)
    assert scale == pytest.approx(np.quantile(evidence[evidence > 0], 0.999), rel=1e-5)
    np.testing.assert_allclose(heat, np.clip(evidence / scale, 0, 1), atol=1e-5)


@pytest.mark.parametrize("changes", [{"chunk_tiles": 256, "batch_size": 3}, {"chunk_tiles": 1}])
def test_neither_chunks_nor_batches_show(
    explain: Explain, raw: RunReport, big_scene: Path, changes: dict[str, int]
) -> None:
    changed = explain(big_scene, normalize="none", overlays=False, **changes)
    for name in CLASSES:
        close(read(changed, f"heat-{name}"), read(raw, f"heat-{name}"))
    one, two = (geopandas.read_parquet(r.assets["tiles"]) for r in (raw, changed))
    assert one[["row", "col"]].equals(two[["row", "col"]])
    assert one.geometry.geom_equals(two.geometry).all()
    assert one.top_class.equals(two.top_class)
    np.testing.assert_allclose(one.p_boat, two.p_boat, atol=1e-5)


def test_a_job_repeated_gives_the_same_bytes(
    explain: Explain, job: RunReport, big_scene: Path
) -> None:
    again = explain(big_scene, overlays="all")
    for name in set(job.assets) - {"item"}:
        assert again.assets[name].read_bytes() == job.assets[name].read_bytes(), name


def test_a_later_run_replaces_an_earlier_ones_files(
    explain: Explain, big_scene: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / "heat-boat.tif").write_text("of an earlier run")
    with pytest.raises(InvalidRequest, match="--overwrite"):
        explain(big_scene, classes=["boat"])
    assert (tmp_path / "out" / "heat-boat.tif").read_text() == "of an earlier run"
    quick = {"overlays": False, "overlap": 0, "normalize": "none", "overwrite": True}
    explain(big_scene, classes=["boat", "road"], **quick)
    explain(big_scene, classes=["boat"], **quick)
    with rasterio.open(tmp_path / "out" / "heat-boat.tif") as dataset:
        assert dataset.tags()["GEOGAZE_NORMALIZE"] == "none"
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("heat-boat.tif", "heat-boat.qml", "notes.txt"),
        *OF_EVERY_JOB.values(),
    }


def test_a_collar_of_nodata_is_nan_to_the_cell(
    explain: Explain, tmp_path: Path, wide_bundle: Path
) -> None:
    values = make_values(300, 350, seed=4)
    values[:, :207] = 0
    values[:, :, 301:] = 0
    values[:, 250:260, 100:110] = 0  # a hole smaller than half a cell
    scene = write_scene(tmp_path / "collar.tif", values, nodata=0)
    report = explain(scene, normalize="none", overlap=0, chunk_tiles=2)
    heat = read(report, "heat-boat")
    expected = unlooked((values != 0).any(axis=0))
    assert expected.any()
    np.testing.assert_array_equal(np.isnan(heat), expected)
    slow = reference(wide_bundle, scene, 0, step=4)
    slow[expected] = np.nan
    close(heat, slow)
    # 10 rows of cells make tiles at cells 0, 4 and 6; only the first begin and end above row 207.
    frame = geopandas.read_parquet(report.assets["tiles"])
    skipped = frame[frame.top_class.isna()]
    assert len(skipped) == 3
    assert set(skipped.row) == {0}
    assert (skipped.valid_fraction == 0).all()
    assert report.skipped == [{"reason": "no valid pixel", "tiles": 3}]
    assert report.tiles == 9


def test_each_tiles_own_best_class_makes_one_layer(
    explain: Explain, big_scene: Path, tmp_path: Path
) -> None:
    report = explain(big_scene, classes="top", normalize="none", overlap=0)
    assert {"heat-top", "overlay-top"} <= set(report.assets)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("heat-top.tif", "heat-top.qml", "overlay-top.tif", "backdrop.tif"),
        *(OF_EVERY_JOB | OF_CLASSES).values(),
    }
    item = json.loads(report.assets["item"].read_text())
    validate(item)
    every = explain(big_scene, "every", normalize="none", overlap=0)
    frame = geopandas.read_parquet(report.assets["tiles"])
    probabilities = geopandas.read_parquet(every.assets["tiles"])[[f"p_{n}" for n in CLASSES]]
    best = probabilities.to_numpy().argmax(axis=1)
    assert frame.top_class.tolist() == [CLASSES[i] for i in best]
    # Tiles that do not overlap give their cells their class.
    with rasterio.open(report.assets["classes"]) as dataset:
        classes = dataset.read(1)
    assert (classes[:4, :4] == best[0]).all()
    assert classes.shape == read(report, "heat-top").shape
    said = item["assets"]["classes"]["classification:classes"]
    assert [entry["description"] for entry in said] == list(CLASSES)
    (ran,) = item["properties"]["geogaze:runtimes"]
    assert ran["precision"] == "fp32"
    name, _, version = ran["runtime"].partition(" ")
    assert name == "openvino"
    assert item["properties"]["processing:software"][name] == version
    counts = item["assets"]["heat-top"]["geogaze:classes"]
    assert counts == frame.top_class.value_counts().to_dict()
    np.testing.assert_allclose(frame.top_probability, probabilities.max(axis=1), rtol=1e-5)
    # Where no other tile reaches, the layer is that of the tile's best class.
    top = read(report, "heat-top")
    first = CLASSES[best[0]]
    np.testing.assert_allclose(
        top[:4, :4], read(every, f"heat-{first}")[:4, :4], rtol=1e-4, atol=1e-6
    )


def test_probabilities_are_the_softmax_of_the_classes_asked_for(
    explain: Explain, raw: RunReport, big_scene: Path
) -> None:
    frame = geopandas.read_parquet(raw.assets["tiles"])
    total = frame[[f"p_{name}" for name in CLASSES]].sum(axis=1)
    np.testing.assert_allclose(total, 1, atol=1e-5)
    two = explain(big_scene, classes=["road", "boat"], overlays=False)
    styles = {"style-road", "style-boat"}
    assert set(two.assets) == {"heat-road", "heat-boat", *styles, *OF_CLASSES, *OF_EVERY_JOB}
    assert not list(two.assets["item"].parent.glob("overlay*"))
    some = geopandas.read_parquet(two.assets["tiles"])
    np.testing.assert_allclose(some.p_road, frame.p_road, atol=1e-5)
    assert "p_field" not in some


def test_only_the_area_of_interest_is_looked_at(explain: Explain, big_scene: Path) -> None:
    # Pixels 80 to 240 down, 112 to 272 across.
    corners = [NORTH_UP @ at for at in ((112, 80), (112, 240), (272, 240), (272, 80), (112, 80))]
    area = {"type": "Polygon", "coordinates": [corners]}
    lonlat = transform_geom("EPSG:32631", "OGC:CRS84", area)
    report = explain(big_scene, normalize="none", classes=["boat"], aoi=lonlat)
    with rasterio.open(report.assets["heat-boat"]) as dataset:
        heat, transform = dataset.read(1), dataset.transform
    inside = np.zeros((300, 350), dtype=bool)
    inside[80:240, 112:272] = True
    whole = unlooked(inside)
    # The layer is a window of the scene's lattice.
    first = ~NORTH_UP @ (transform @ (0.5, 0.5))
    row, col = ((at - 0.5) / STRIDE for at in first[::-1])
    assert (row, col) == pytest.approx((round(row), round(col)), abs=1e-6)
    window = np.s_[round(row) : round(row) + heat.shape[0], round(col) : round(col) + heat.shape[1]]
    np.testing.assert_array_equal(np.isnan(heat), whole[window])
    assert np.isfinite(heat).sum() == (~whole).sum() > 0
    with rasterio.open(report.assets["overlay-boat"]) as dataset:
        west, north = dataset.transform @ (0, 0)
        assert (west, north) == pytest.approx(corners[0], abs=0.5)
        assert abs(dataset.width - 160) <= 1


def test_tiles_outside_the_area_are_told_from_those_without_data(
    explain: Explain, tmp_path: Path
) -> None:
    values = make_values(600, 600, seed=4)
    values[:, :, :200] = 0
    scene = write_scene(tmp_path / "collar.tif", values, nodata=0)
    # The upper right half of the scene.
    corners = [NORTH_UP @ at for at in ((0, 0), (600, 0), (600, 600), (0, 0))]
    area = {
        "type": "Polygon",
        "coordinates": [corners],
        "crs": {"type": "name", "properties": {"name": "EPSG:32631"}},
    }
    report = explain(scene, classes=["boat"], aoi=area, overlap=0, overlays=False)
    frame = geopandas.read_parquet(report.assets["tiles"])
    unseen = frame[frame.top_class.isna()]
    empty = int((unseen.valid_fraction == 0).sum())
    outside = len(unseen) - empty
    assert empty > 0
    assert outside > 0
    assert report.skipped == [
        {"reason": "no valid pixel", "tiles": empty},
        {"reason": "outside the area of interest", "tiles": outside},
    ]


def test_a_coarser_gsd_makes_coarser_cells(explain: Explain, tmp_path: Path) -> None:
    rough = np.random.default_rng(6).random((12, 15, 3))
    smooth = cv2.resize(rough, (500, 400), interpolation=cv2.INTER_LINEAR)
    values = (1 + 250 * smooth).astype(np.uint8).transpose(2, 0, 1)
    scene = write_scene(tmp_path / "scene.tif", values, transform=ROTATED)
    report = explain(scene, gsd=1.0, normalize="none", classes=["boat"])
    with rasterio.open(report.assets["heat-boat"]) as dataset:
        assert dataset.shape == (7, 9)  # (200 + 15.5) / 32 and (250 + 15.5) / 32
        expected = ROTATED @ Affine.scale(2) @ Affine.translation(-15.5, -15.5) @ Affine.scale(32)
        assert tuple(dataset.transform) == pytest.approx(tuple(expected), abs=1e-9)
        assert float(dataset.tags()["GEOGAZE_GSD_METRES"]) == pytest.approx(1.0)
        assert float(dataset.tags()["GEOGAZE_STRIDE_METRES"]) == pytest.approx(32.0)
        heat = dataset.read(1)
    # As if the scene had been halved beforehand.
    halved = values.reshape(3, 200, 2, 250, 2).mean(axis=(2, 4)).round().astype(np.uint8)
    small = write_scene(tmp_path / "small.tif", halved, transform=ROTATED @ Affine.scale(2))
    plain = read(explain(small, "small", normalize="none", classes=["boat"]), "heat-boat")
    assert np.corrcoef(heat.ravel(), plain.ravel())[0, 1] > 0.8


def test_a_scene_smaller_than_a_tile_is_one_tile(explain: Explain, tmp_path: Path) -> None:
    report = explain(make_scene(tmp_path / "small.tif", 40, 70), overlays=True)
    assert report.tiles == 1
    heat = read(report, "heat-boat")
    assert heat.shape == (2, 3)
    assert np.isfinite(heat).all()


def damaged_scene(path: Path, width: int = 2200) -> Path:
    """Opens, and shows its overviews; a block in the middle is not what it should be."""
    make_scene(path, 128, width, compress="deflate")
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_5_1", "TIFF", bidx=1))
    data = bytearray(path.read_bytes())
    data[offset : offset + 64] = b"\xff" * 64
    path.write_bytes(data)
    return path


def test_a_damaged_scene_fails_in_words_and_leaves_nothing(
    explain: Explain, tmp_path: Path
) -> None:
    scene = damaged_scene(tmp_path / "damaged.tif")
    with pytest.raises(SceneUnreadable, match="damaged"):
        explain(scene, classes=["boat"], overlap=0, batch_size=4)
    assert {path.name for path in tmp_path.iterdir()} == {"damaged.tif"}


def test_damage_found_while_planning_is_told_in_words_too(explain: Explain, tmp_path: Path) -> None:
    """Scenes without small enough overviews are read already to describe them."""
    with pytest.raises(SceneUnreadable):
        explain(damaged_scene(tmp_path / "damaged.tif", 700), classes=["boat"])


def test_a_failure_leaves_an_existing_folder_as_it_was(explain: Explain, tmp_path: Path) -> None:
    scene = damaged_scene(tmp_path / "damaged.tif")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "heat-boat.tif").write_text("of an earlier run")
    with pytest.raises(GeogazeError):
        explain(scene, classes=["boat"], overlap=0, batch_size=4, overwrite=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["heat-boat.tif"]
    assert (tmp_path / "out" / "heat-boat.tif").read_text() == "of an earlier run"


def test_bad_requests_are_found_before_anything_is_written(
    explain: Explain, scene: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnknownClass):
        explain(scene, classes=["boot"])
    with pytest.raises(SceneUnreadable):
        explain(tmp_path / "nowhere.tif")
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InvalidRequest, match="file"):
        explain(scene, "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_progress_counts_every_tile(scene: Path, tmp_path: Path, bundle_folder: Path) -> None:
    from geogaze.config import Settings
    from geogaze.runner.embedded import run

    told: list[tuple[str, int, int]] = []
    report = run(
        ExplainRequest(scene=str(scene), model=str(bundle_folder), overlays=False),
        tmp_path / "out",
        Settings(device="cpu", batch_size=4, chunk_tiles=16),
        on_progress=lambda status, tiles: told.append(
            (status.state.value, status.items_done, tiles)
        ),
    )
    assert told[-1] == ("successful", report.tiles, 0)
    done = [status for _, status, _ in told]
    assert done == sorted(done)
    shown = [status + since for _, status, since in told]
    assert 0 in shown
    assert any(0 < tiles < report.tiles for tiles in shown)
