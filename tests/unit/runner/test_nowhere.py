"""What tokens on no place give to scores is told of every tile and of a job, where they are."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import torch
from torch import nn
from torchvision.models import VisionTransformer

from geogaze.config import Settings
from geogaze.evidence.routes import explain
from geogaze.models.item import read_bundle
from geogaze.networks import architectures
from geogaze.networks.bundling import write_bundle
from geogaze.networks.cuts import split
from geogaze.networks.loading import load_model
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import RunReport, run
from tests.factories import make_scene
from tests.schemas.validation import validate

SIZE, CLASSES = 64, ("boat", "field", "road")


def _vit(classes: int) -> nn.Module:
    return VisionTransformer(SIZE, 16, 2, 2, 16, 24, num_classes=classes)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(architectures._OFFERED_HERE, "small-vit", _vit)
    torch.manual_seed(3)
    model = _vit(len(CLASSES)).eval().requires_grad_(False)
    nn.init.normal_(model.heads[0].weight, std=0.5)
    about = {"architecture": "small-vit", "classes": CLASSES, "input_size": SIZE}
    write_bundle(model, tmp_path / "vit", half=False, graph=False, **about)
    return tmp_path / "vit"


def job(scene: Path, bundle: Path, out: Path, **asked: object) -> RunReport:
    request = ExplainRequest(
        scene=str(scene), model=str(bundle), overlap=0, rescale=[(0, 255)], overlays="none", **asked
    )
    return run(request, out, Settings(device="cpu", torch_threads=1, chunk_tiles=4))


def test_each_tile_tells_it_and_the_item_all_of_them(bundle: Path, tmp_path: Path) -> None:
    scene = make_scene(tmp_path / "s.tif", 3 * SIZE, 3 * SIZE, nodata=0)
    with rasterio.open(scene, "r+") as dataset:
        values = dataset.read()
        values[:, :SIZE, : 2 * SIZE] = 0
        dataset.write(values)
    layers = (*CLASSES, "boat vs field")
    report = job(scene, bundle, tmp_path / "out", classes=layers)
    found = geopandas.read_parquet(report.assets["tiles"]).sort_values(["row", "col"])
    described = read_bundle(bundle)
    mean, std = (
        np.array(part, np.float32)[:, None, None] for part in (described.mean, described.std)
    )
    pixels = torch.from_numpy(((values / 255 - mean) / std).astype(np.float32))
    images = pixels.unfold(1, SIZE, SIZE).unfold(2, SIZE, SIZE).permute(1, 2, 0, 3, 4).flatten(0, 1)
    targets = [(0, None), (1, None), (2, None), (0, 1)]
    wanted = explain(split(load_model(described)), images, targets).nowhere
    assert wanted is not None
    names = [f"nowhere_{layer}" for layer in layers]
    assert found.top_class.isna().tolist() == [True] * 2 + [False] * 7
    assert found[names][:2].isna().all(axis=None)
    np.testing.assert_allclose(found[names][2:], wanted[2:].numpy(), rtol=1e-3, atol=1e-4)
    packed = geopandas.read_file(report.assets["tiles-gpkg"], layer="tiles")
    packed = packed.sort_values(["row", "col"])
    np.testing.assert_array_equal(packed[names].to_numpy(float), found[names].to_numpy(float))
    item = json.loads(report.assets["item"].read_text())
    validate(item)
    for layer, name in zip(layers, names, strict=True):
        told = item["assets"][f"heat-{layer}"]["geogaze:nowhere"]
        figures = found[name].astype(float).agg(["min", "max", "mean"])
        assert list(told.values()) == pytest.approx(figures.tolist())

    best = geopandas.read_parquet(
        job(scene, bundle, tmp_path / "top", classes="top").assets["tiles"]
    )
    best = best.sort_values(["row", "col"])
    for name in CLASSES:
        of = (best.top_class == name).to_numpy()
        # One row instead of four is multiplied: float32 rounds differently, by the whole's scale.
        np.testing.assert_allclose(best.nowhere_top[of], found[f"nowhere_{name}"][of], atol=1e-5)
