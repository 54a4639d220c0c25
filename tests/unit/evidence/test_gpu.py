"""On a CUDA device: the same maps, from bf16, CUDA graphs and streams of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from geogaze.bench.engine import bench_engine
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.targets import own
from tests.factories import make_bundle, make_values

if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device; this machine has none", allow_module_level=True)

TARGETS = own((0, 1, 2))
CORNERS = [(row, col) for row in range(0, 128, 32) for col in range(0, 192, 32)]


@pytest.fixture(scope="module", params=["resnet18", "vgg11", "mobilenet_v3_small", "convnext_tiny"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("gpu") / request.param
    return read_bundle(make_bundle(folder, architecture=request.param))


def evidence(engine: Engine, *, shared: bool = False) -> NDArray[np.float32]:
    halo = (engine.bundle.halo or 0) if shared else 0
    shape = (192 + 2 * halo, 256 + 2 * halo)
    window = engine.prepare(make_values(*shape), np.ones(shape, dtype=bool), ((0.0, 255.0),))
    corners = [(row + halo, col + halo) for row, col in CORNERS]
    explain = engine.explain_shared if shared else engine.explain_tiles
    results = list(explain(window, corners, TARGETS))
    order = np.concatenate([r.tiles for r in results])
    return np.concatenate([r.evidence for r in results])[np.argsort(order)]


def difference(ours: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.abs(ours - expected).max() / np.abs(expected).max())


def test_single_precision_is_nearly_that_of_the_cpu(bundle: Bundle) -> None:
    # 24 tiles in batches of 7: the last one, of 3, is padded. Convolutions may use TF32.
    ours = evidence(Engine(bundle, EngineOptions("cuda", "fp32", 7)))
    assert difference(ours, evidence(Engine(bundle, EngineOptions("cpu", "fp32", 7)))) < 0.01


def test_bf16_is_nearly_the_same(bundle: Bundle) -> None:
    exact = evidence(Engine(bundle, EngineOptions("cpu")))
    rounded = evidence(Engine(bundle, EngineOptions("cuda")))
    assert np.corrcoef(rounded.ravel(), exact.ravel())[0, 1] > 0.98


def test_a_shared_trunk_agrees_with_the_cpus(bundle: Bundle) -> None:
    if bundle.halo is None:
        with pytest.raises(AssertionError):
            evidence(Engine(bundle, EngineOptions("cuda", "fp32")), shared=True)
        return
    ours = evidence(Engine(bundle, EngineOptions("cuda", "fp32")), shared=True)
    assert difference(ours, evidence(Engine(bundle, EngineOptions("cpu")), shared=True)) < 0.01


def test_batches_are_repeatable_and_the_device_is_timed(bundle: Bundle) -> None:
    engine = Engine(bundle, EngineOptions("cuda", batch_size=8))
    first = evidence(engine)
    assert np.array_equal(first, evidence(engine))
    assert engine.batches.busy_seconds > 0


def test_the_bench_measures_the_device() -> None:
    found = bench_engine(
        "resnet18", classes=5, batch=4, device="cuda", precision="bf16", runs=3, peers=False
    )
    assert found["ceiling_flops"] > found["achieved_flops"] > 0
    assert found["path"] == "channel-shift"
