"""What is asked of a network once is not kept for ever, nor taken for another's answer."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import geogaze
from geogaze.evidence import kept
from geogaze.networks import architectures
from geogaze.networks.layouts import maps
from tests.factories import make_scene


class Net(nn.Module):
    """Two convolutions, then the mean of their maps; ``sign`` turns its answers round."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.sign = sign
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1))
        self.classify = nn.Linear(4, 2)

    def as_maps(self, activations: Tensor) -> Tensor:
        return maps(activations)

    def forward(self, images: Tensor) -> Tensor:
        return self.sign * self.classify(self.features(images).mean(dim=(2, 3)))


IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_a_network_that_brings_its_own_maps_is_let_go() -> None:
    network = Net()
    seen = weakref.ref(network)
    geogaze.explain(network, IMAGE, layer="features.2", as_maps=network.as_maps)
    del network
    gc.collect()
    assert seen() is None


def test_after_a_scene_no_network_is_kept(tmp_path: Path) -> None:
    kept.drop_engines()  # of tests before
    offered = dict(architectures._OFFERED_HERE)
    scene = make_scene(tmp_path / "scene.tif")
    options = {"layer": "features.2", "size": 64, "overlap": 0, "overlays": False}
    with torch.no_grad():
        geogaze.explain(Net(), str(scene), out=tmp_path / "out", **options)
    assert offered == architectures._OFFERED_HERE
    assert kept.kept_engine.cache_info().currsize == 0


def test_networks_of_one_name_and_weights_are_told_apart_by_what_they_answer(
    tmp_path: Path,
) -> None:
    scene = make_scene(tmp_path / "scene.tif")
    options = {"layer": "features.2", "size": 64, "overlap": 0, "normalize": "none"}
    for sign in (1.0, -1.0):
        out = tmp_path / f"out{sign:+g}"
        geogaze.explain(Net(sign), str(scene), out=out, overlays=False, **options)
    one, other = (geogaze.open_results(tmp_path / f"out{sign}").array("0") for sign in ("+1", "-1"))
    seen = np.isfinite(one)
    np.testing.assert_allclose(one[seen], -other[seen], rtol=1e-4, atol=1e-5)
