"""A bundle says how its scores become probabilities, and whole jobs go by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import torch

from geogaze.config import Settings
from geogaze.models.item import read_bundle
from geogaze.networks.architectures import build
from geogaze.networks.bundling import write_bundle
from geogaze.networks.loading import load_model
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import RunReport, run
from tests.schemas.validation import validate

CLASSES = ("boat", "field", "road")
LAYERS = (*CLASSES, "boat vs field", "not road")


@pytest.fixture(scope="module")
def jobs(
    wide_bundle: Path, big_scene: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, RunReport]:
    """The same scene by the same network, which is said to have each kind of scores."""
    folder = tmp_path_factory.mktemp("kinds")
    reports = {}
    for rule in ("softmax", "sigmoid", "none"):
        bundle = folder / rule / "wide"
        shutil.copytree(wide_bundle, bundle)
        item = json.loads((bundle / "item.json").read_text())
        assert item["properties"].pop("geogaze:probabilities") == "softmax"
        if rule != "softmax":  # as bundles of former versions are
            item["properties"]["geogaze:probabilities"] = rule
        (bundle / "item.json").write_text(json.dumps(item))
        asked = ExplainRequest(
            scene=str(big_scene), model=str(bundle), classes=LAYERS, overlays="present"
        )
        settings = Settings(device="cpu", torch_threads=1, batch_size=8)
        reports[rule] = run(asked, folder / f"{rule}-out", settings)
    return reports


def tiles(report: RunReport) -> geopandas.GeoDataFrame:
    return geopandas.read_parquet(report.assets["tiles"])


def test_classes_that_do_not_exclude_each_other_have_each_a_probability(
    jobs: dict[str, RunReport], wide_bundle: Path, big_scene: Path
) -> None:
    found, exclusive = tiles(jobs["sigmoid"]), tiles(jobs["softmax"])
    bundle = read_bundle(wide_bundle)
    with rasterio.open(big_scene) as dataset:
        first = dataset.read()[:, :128, :128].astype(np.float32) / 255
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (bundle.mean, bundle.std))
    with torch.no_grad():
        logits = load_model(bundle)(torch.from_numpy((first - mean) / std)[None])[0].double()
    assert (found.row[0], found.col[0]) == (0, 0)
    for name, logit in zip(CLASSES, logits, strict=True):
        assert found[f"p_{name}"][0] == pytest.approx(float(logit.sigmoid()), rel=1e-3)
        assert exclusive[f"p_{name}"][0] == pytest.approx(
            float(logit.exp() / logits.exp().sum()), rel=1e-3
        )
    assert found.top_probability.to_numpy() == pytest.approx(
        found[[f"p_{name}" for name in CLASSES]].max(axis=1).to_numpy()
    )
    np.testing.assert_allclose(found["p_not road"], 1 - found["p_road"], rtol=1e-6)
    # The first and not the second, given one alone: of the logits' difference, as by softmax.
    np.testing.assert_allclose(found["p_boat vs field"], exclusive["p_boat vs field"], rtol=1e-4)
    assert not np.allclose(found["p_boat"], exclusive["p_boat"], rtol=0.05)


def test_a_model_without_probabilities_has_none_but_is_looked_into_all_the_same(
    jobs: dict[str, RunReport],
) -> None:
    found, exclusive = tiles(jobs["none"]), tiles(jobs["softmax"])
    for column in ("top_probability", *(f"p_{layer}" for layer in LAYERS)):
        assert found[column].isna().all(), column
    assert (found.top_class == exclusive.top_class).all()
    assert found.top_class.notna().all()
    text = jobs["none"].assets["item"].read_text()
    assert "NaN" not in text
    item = json.loads(text)
    validate(item)
    for layer, ours in item["assets"].items():
        told = {"geogaze:highest_probability", "geogaze:best_of_tiles", "geogaze:in_tiles"}
        assert not told & set(ours), layer
    assert jobs["none"].assets["preview"].is_file()


def drawn(report: RunReport) -> set[str]:
    return {name.removeprefix("overlay-") for name in report.assets if name.startswith("overlay-")}


def test_of_several_labels_all_that_are_present_in_a_tile_count(
    jobs: dict[str, RunReport],
) -> None:
    found = tiles(jobs["sigmoid"])
    there = {name: int((found[f"p_{name}"] >= 0.5).sum()) for name in CLASSES}
    assert sum(there.values()) != len(found), "else the best of each would tell the same"
    assets = json.loads(jobs["sigmoid"].assets["item"].read_text())["assets"]
    assert {name: assets[f"heat-{name}"]["geogaze:in_tiles"] for name in CLASSES} == there
    assert assets["heat-boat vs field"]["geogaze:in_tiles"] is None
    assert not [name for name, asset in assets.items() if "geogaze:best_of_tiles" in asset]
    of = dict(zip(LAYERS, (*CLASSES, "boat", "road"), strict=True))
    assert drawn(jobs["sigmoid"]) == {layer for layer in LAYERS if there[of[layer]]}
    assert drawn(jobs["none"]) == set(LAYERS)


@pytest.fixture(scope="module")
def one_logit(big_scene: Path, tmp_path_factory: pytest.TempPathFactory) -> RunReport:
    """A network that answers yes or no, and no everywhere."""
    folder = tmp_path_factory.mktemp("yes-or-no")
    torch.manual_seed(5)
    model = build("shufflenet_v2_x0_5", 1, initialise=True)
    with torch.no_grad():
        model.fc.weight.normal_(0, 1e-3)
        model.fc.bias.fill_(-2)
    write_bundle(
        model.eval(),
        folder / "one",
        architecture="shufflenet_v2_x0_5",
        classes=("ship",),
        input_size=128,
        gsd=0.5,
        probabilities="sigmoid",
        graph=False,
    )
    asked = ExplainRequest(scene=str(big_scene), model=str(folder / "one"))
    return run(asked, folder / "out", Settings(device="cpu", torch_threads=1, batch_size=8))


def test_one_logit_is_not_in_every_tile(one_logit: RunReport) -> None:
    assert tiles(one_logit).top_probability.max() < 0.5
    asset = json.loads(one_logit.assets["item"].read_text())["assets"]["heat-ship"]
    assert asset["geogaze:in_tiles"] == 0
    assert "geogaze:best_of_tiles" not in asset
    assert drawn(one_logit) == set()


def test_heat_is_of_scores_whatever_becomes_of_them(jobs: dict[str, RunReport]) -> None:
    for layer in LAYERS:
        values = []
        for rule in ("softmax", "sigmoid", "none"):
            with rasterio.open(jobs[rule].assets[f"heat-{layer}"]) as dataset:
                values.append(dataset.read(1))
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_array_equal(values[0], values[2])


def test_a_rule_that_nobody_knows_is_refused(wide_bundle: Path, tmp_path: Path) -> None:
    from geogaze.errors import InvalidBundle

    shutil.copytree(wide_bundle, tmp_path / "odd")
    item = json.loads((tmp_path / "odd" / "item.json").read_text())
    item["properties"]["geogaze:probabilities"] = "percent"
    (tmp_path / "odd" / "item.json").write_text(json.dumps(item))
    with pytest.raises(InvalidBundle, match="softmax"):
        read_bundle(tmp_path / "odd")
