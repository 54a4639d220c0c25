"""``geogaze image --within``: why are these pixels labelled so?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image

from geogaze.config import get_settings
from geogaze.evidence.engines import load_engine
from geogaze.evidence.explainer import LabelsPixels
from geogaze.models.item import read_bundle
from geogaze.networks.loading import load_model
from geogaze.runner.photo import explain_layers
from geogaze.scene.chips import Wanted, read_chip
from tests.factories import make_values, write_scene
from tests.unit.cli.conftest import Geogaze
from tests.unit.cli.own_networks import own_networks, words  # noqa: F401  a fixture

pytestmark = pytest.mark.usefixtures("own_networks")

SQUARE = "POLYGON((8 16, 40 16, 40 48, 8 48, 8 16))"
INSIDE = np.zeros((64, 64), dtype=bool)
INSIDE[16:48, 8:40] = True


@pytest.fixture
def chip(geogaze: Geogaze) -> Path:
    done = geogaze(*words("labels-net", 3, "--layer", "encoder"))
    assert done.code == 0, done.err
    Image.fromarray(make_values(64, 64).transpose(1, 2, 0)).save("chip.png")
    return Path("chip.png")


def logits_of(chip: Path) -> torch.Tensor:
    """Labels of the whole network, (3, 64, 64)."""
    bundle = read_bundle(Path("mine"))
    mean, std = (torch.tensor(part)[:, None, None] for part in (bundle.mean, bundle.std))
    values = torch.from_numpy(np.asarray(Image.open(chip)).transpose(2, 0, 1).copy())
    return load_model(bundle)(((values / 255 - mean) / std)[None].float())[0]


def test_the_share_is_of_the_area(geogaze: Geogaze, chip: Path) -> None:
    labels = logits_of(chip).argmax(0).numpy()
    shares = np.bincount(labels[INSIDE], minlength=3) / INSIDE.sum()
    everywhere = np.bincount(labels.ravel(), minlength=3) / labels.size
    told = geogaze("image", chip, "--model", "mine", "--within", SQUARE, "--json").last
    assert dict(told["ranking"])[f"class {shares.argmax()}"] == pytest.approx(shares.max(), 1e-5)
    assert told["top_share"] != pytest.approx(everywhere.max(), 1e-3)


def test_evidence_is_of_the_logits_summed_over_the_area(chip: Path) -> None:
    bundle, settings = read_bundle(Path("mine")), get_settings()
    network = load_model(bundle)
    caught = []

    def catch(_module: object, _given: object, output: torch.Tensor) -> torch.Tensor:
        caught.append(output.detach().requires_grad_())
        return caught[-1]

    network.get_submodule("encoder").register_forward_hook(catch)
    with torch.enable_grad():
        bands = torch.from_numpy(np.asarray(Image.open(chip)).transpose(2, 0, 1).copy()) / 255
        mean, std = (torch.tensor(part)[:, None, None] for part in (bundle.mean, bundle.std))
        summed = network(((bands - mean) / std)[None].float())[0, 1, torch.from_numpy(INSIDE)].sum()
    (gradient,) = torch.autograd.grad(summed, caught[0])
    wanted = (gradient.sum((2, 3), keepdim=True) * caught[0]).sum(1)[0].detach().numpy()
    engine = load_engine(bundle, settings)
    assert isinstance(engine, LabelsPixels)
    read = read_chip(chip, Wanted(bundle.bands), settings)
    window = engine.prepare(read.values, read.known, ((0.0, 255.0),))
    with engine.within(INSIDE):
        (found,) = engine.explain_tiles(window, [(0, 0)], [(1, None)])
    np.testing.assert_allclose(found.evidence[0, 0], wanted, atol=1e-5 * np.abs(wanted).max())
    (within,) = explain_layers(engine, read, ("class 1",), within=INSIDE)
    (without,) = explain_layers(engine, read, ("class 1",))
    assert np.abs(within.heat - without.heat).max() > 0.1
    assert (within.overlay != without.overlay)[16, 10:38].all(), "the border is drawn"


def test_an_area_on_the_map_is_the_same_pixels(
    geogaze: Geogaze, chip: Path, tmp_path: Path
) -> None:
    scene = write_scene(tmp_path / "placed.tif", make_values(64, 64))
    with rasterio.open(scene) as dataset:
        corners = [dataset.transform @ at for at in ((8, 16), (40, 16), (40, 48), (8, 48))]
        crs = {"type": "name", "properties": {"name": str(dataset.crs)}}
    area = {"type": "Polygon", "coordinates": [[*corners, corners[0]]], "crs": crs}
    Path("area.geojson").write_text(json.dumps(area))
    by_pixels = geogaze("image", chip, "--model", "mine", "--within", SQUARE, "--json").last
    on_map = geogaze(
        *("image", scene, "--model", "mine", "--within", "area.geojson"),
        *("--rescale", "0,255", "--json"),
    ).last
    assert on_map["ranking"] == by_pixels["ranking"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("chip.png", "--model", "tiny", "--within", SQUARE), "gives scores of a whole picture"),
        ((".", "--model", "mine", "--within", SQUARE), "an area of one picture"),
        (
            ("chip.png", "--model", "mine", "--within", "POLYGON((70 1, 80 1, 80 9, 70 1))"),
            "holds no pixel of chip.png, 64 × 64; it is read in columns and rows",
        ),
        (("chip.png", "--model", "mine", "--within", "POINT(1 1)"), "area"),
    ],
    ids=["a classifier", "a folder", "beside the picture", "a point"],
)
def test_what_is_no_area_of_it_is_refused(
    geogaze: Geogaze, chip: Path, options: tuple[str, ...], said: str
) -> None:
    done = geogaze("image", *options)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert not list(Path().glob("chip-*.png"))
