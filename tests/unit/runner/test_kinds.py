"""Rasters of every kind by the default command, against a plain reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from safetensors.torch import load_file
from torchvision.models import shufflenet_v2_x0_5

from tests.left_behind import OF_CLASSES, OF_EVERY_JOB
from tests.unit.runner.conftest import Explain
from tests.unit.runner.kinds import KINDS, Kind

STRIDE, TILE = 32, 128
START = -15.5  # of the first cell: its activation looks at a window centred on pixel 0
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CLASSES = ("boat", "field", "road")


@pytest.fixture(scope="module")
def network(wide_bundle: Path) -> torch.nn.Module:
    model = shufflenet_v2_x0_5(num_classes=len(CLASSES))
    model.load_state_dict(load_file(wide_bundle / "model.safetensors"))
    return model.eval()


def plain_reading(path: Path, kind: Kind) -> tuple[NDArray[Any], NDArray[np.bool_], Any]:
    """Values (3, h, w) of the bands that should be chosen, where they are known, and ranges."""
    with rasterio.open(path) as dataset:
        values = dataset.read(list(kind.bands))
    known = np.broadcast_to(True if kind.known is None else kind.known, values.shape)
    if kind.rescale:
        return values, known, [kind.rescale] * 3
    exact = values.astype(np.float64)
    ranges = [np.percentile(exact[i][known[i]], (2, 98)) for i in range(3)]
    return values, known, ranges


def unknown_cells(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells more than half of whose pixels in the scene are missing, counted in half pixels."""
    fine = valid.repeat(2, axis=0).repeat(2, axis=1)
    begin, side = int(-2 * START), 2 * STRIDE
    shape = tuple(-(-(length + begin) // side) for length in fine.shape)
    cells = np.zeros(shape, dtype=bool)
    for row, col in np.ndindex(*shape):
        rows = slice(max(row * side - begin, 0), (row + 1) * side - begin)
        cols = slice(max(col * side - begin, 0), (col + 1) * side - begin)
        cells[row, col] = fine[rows, cols].mean() < 0.5
    return cells


def says(
    network: torch.nn.Module,
    values: NDArray[Any],
    known: NDArray[np.bool_],
    ranges: Any,
    bands: tuple[int, ...] = (0, 1, 2),
) -> NDArray[np.float64]:
    """Probabilities of the first tile, by the network alone."""
    tile = np.zeros((3, TILE, TILE))
    height, width = min(TILE, values.shape[1]), min(TILE, values.shape[2])
    for i, band in enumerate(bands):
        low, high = (float(edge) for edge in ranges[band])
        unit = np.clip((np.nan_to_num(values[band].astype(np.float64)) - low) / (high - low), 0, 1)
        seen = np.where(known[band], (unit - MEAN[i]) / STD[i], 0)
        tile[i, :height, :width] = seen[:height, :width]
    with torch.no_grad():
        logits = network(torch.from_numpy(tile[None].astype(np.float32)))
    found: NDArray[np.float64] = logits.softmax(1)[0].double().numpy()
    return found


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_raster(
    name: str, explain_into: Explain, network: torch.nn.Module, tmp_path: Path
) -> None:
    kind = KINDS[name]()
    scene = kind.write(tmp_path / "scene.tif")
    report = explain_into(scene, tmp_path / "heat", overlays="all")
    values, known, ranges = plain_reading(scene, kind)
    valid = known.any(axis=0)
    with rasterio.open(scene) as dataset:
        affine, crs = dataset.transform, dataset.crs
    assert set(report.assets) == {
        "backdrop",
        *(f"{product}-{layer}" for product in ("heat", "style", "overlay") for layer in CLASSES),
        *(OF_EVERY_JOB | OF_CLASSES),
    }
    for layer in CLASSES:
        with rasterio.open(report.assets[f"heat-{layer}"]) as dataset:
            heat, tags = dataset.read(1), dataset.tags()
            assert dataset.crs == crs
            cell = affine @ Affine.translation(START, START) @ Affine.scale(STRIDE)
            assert dataset.transform.almost_equals(cell, 1e-9 * abs(affine.c) + 1e-12)
        np.testing.assert_array_equal(np.isnan(heat), unknown_cells(valid))
        assert tags["GEOGAZE_BANDS"] == ",".join(map(str, kind.bands))
        used = [pair.split(",") for pair in tags["GEOGAZE_RESCALE"].split(";")]
        np.testing.assert_allclose(np.array(used, dtype=float), ranges, rtol=1e-12)
        with rasterio.open(report.assets[f"overlay-{layer}"]) as dataset:
            assert dataset.crs == crs
            assert dataset.transform.almost_equals(affine, 1e-9 * abs(affine.c) + 1e-12)
            np.testing.assert_array_equal(dataset.dataset_mask() > 0, valid)
    tiles = geopandas.read_parquet(report.assets["tiles"])
    first = tiles[(tiles["row"] == 0) & (tiles["col"] == 0)].iloc[0]
    np.testing.assert_allclose(
        [first[f"p_{layer}"] for layer in CLASSES],
        says(network, values, known, ranges),
        atol=1e-4,
    )
    covered = valid[:TILE, :TILE].sum() / TILE**2
    assert first["valid_fraction"] == pytest.approx(covered, abs=1e-6)
    item = json.loads(report.assets["item"].read_text())["properties"]
    assert item["geogaze:bands"] == list(kind.bands)
    np.testing.assert_allclose(item["geogaze:rescale"], ranges, rtol=1e-12)
    squares = [text for text in report.plan.warnings if "--square" in text]
    assert bool(kind.warned) == bool(squares)
    assert all(kind.warned in text for text in squares)


def test_the_reading_would_notice_other_bands_ranges_and_masks(network: torch.nn.Module) -> None:
    """Otherwise the comparison above proves nothing."""
    kind = KINDS["uint16"]()
    whole = np.ones(kind.values.shape, dtype=bool)
    ranges = [np.percentile(band, (2, 98)) for band in kind.values]
    right = says(network, kind.values, whole, ranges)
    others = [
        says(network, kind.values, whole, ranges, (2, 1, 0)),
        says(network, kind.values, whole, [(0, 65535 * 2)] * 3),
        says(network, kind.values, np.broadcast_to(np.arange(150) < 75, whole.shape), ranges),
        says(network, kind.values[:, :, ::-1], whole, ranges),
    ]
    for other in others:
        assert np.abs(other - right).max() > 5e-4


def test_an_area_that_is_no_rectangle(
    explain_into: Explain, big_scene: Path, tmp_path: Path
) -> None:
    """A triangle with a hole: cells most of whose pixels lie outside are not looked at."""
    with rasterio.open(big_scene) as dataset:
        affine, height, width = dataset.transform, dataset.height, dataset.width
    rings = [[(20, 10), (330, 30), (60, 290)], [(90, 60), (170, 60), (90, 140)]]
    area = {
        "type": "Polygon",
        "coordinates": [[affine @ point for point in (*ring, ring[0])] for ring in rings],
        "crs": {"type": "name", "properties": {"name": "EPSG:32631"}},
    }
    report = explain_into(big_scene, tmp_path / "heat", aoi=area, classes=("boat",), overlap=0)
    rows, cols = np.mgrid[:height, :width] + 0.5

    def within(ring: list[tuple[int, int]]) -> NDArray[np.bool_]:
        sides = [
            (x1 - x0) * (rows - y0) - (y1 - y0) * (cols - x0)
            for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0]), strict=True)
        ]
        return np.logical_and.reduce([side > 0 for side in sides])

    seen = within(rings[0]) & ~within(rings[1])
    expected = unknown_cells(seen)
    with rasterio.open(report.assets["heat-boat"]) as dataset:
        heat = dataset.read(1)
        start = ~affine @ (dataset.transform.c, dataset.transform.f)
    col, row = (round((corner - START) / STRIDE) for corner in start)
    there = expected[row : row + heat.shape[0], col : col + heat.shape[1]]
    np.testing.assert_array_equal(np.isnan(heat), there)
    assert (~there).sum() == (~expected).sum() > 20
