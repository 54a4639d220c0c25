"""Exported graphs: the evidence of torch's engine, in two other runtimes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from typer.testing import CliRunner

from geogaze.cli.app import app
from geogaze.evidence.routes import explain
from geogaze.models.bundles import GRAPH_FILE, WEIGHTS_FILE, Bundle
from geogaze.models.item import read_bundle
from geogaze.models.registry import find_bundle
from geogaze.models.targets import own
from geogaze.networks.cuts import cut_at
from geogaze.networks.explained import explained
from geogaze.networks.export import write_graph, write_whole_graph
from geogaze.networks.loading import load_model
from geogaze.networks.split import Split
from geogaze.networks.storing import whole_state
from tests.factories import make_bundle

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]


@pytest.fixture(scope="module")
def bundle(graph_bundle_folder: Path) -> Bundle:
    return read_bundle(graph_bundle_folder)


@pytest.fixture(scope="module")
def curved(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Its head's gradient is another for each image."""
    folder = tmp_path_factory.mktemp("exported") / "curved"
    return read_bundle(make_bundle(folder, architecture="mobilenet_v3_small", graph=True))


def by_onnxruntime(path: Path, images: NDArray[np.float32]) -> Outputs:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_outputs()] == ["logits", "evidence"]
    return tuple(session.run(None, {"image": images}))


def by_openvino(path: Path, images: NDArray[np.float32]) -> Outputs:
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    found = core.compile_model(core.read_model(path), "CPU", exact)({0: images})
    return tuple(found.values())


def by_torch(bundle: Bundle, images: Tensor) -> Outputs:
    cut = cut_at(load_model(bundle), bundle.module)
    assert isinstance(cut, Split)
    found = explain(cut, images, own(range(len(bundle.classes))))
    return found.logits.numpy(), found.evidence.numpy()


def assert_same(found: Outputs, wanted: Outputs) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()


def images(bundle: Bundle, count: int) -> Tensor:
    size = bundle.input_size
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, len(bundle.bands), size, size, generator=generator)


@pytest.mark.parametrize("run", [by_onnxruntime, by_openvino])
@pytest.mark.parametrize("count", [1, 3])
def test_a_bundles_graph_gives_torchs_evidence(
    bundle: Bundle, run: Callable[[Path, NDArray[np.float32]], Outputs], count: int
) -> None:
    assert bundle.folder
    some = images(bundle, count)
    assert_same(run(bundle.folder / GRAPH_FILE, some.numpy()), by_torch(bundle, some))


@pytest.mark.parametrize("run", [by_onnxruntime, by_openvino])
def test_so_does_the_shipped_models(
    run: Callable[[Path, NDArray[np.float32]], Outputs],
) -> None:
    bundle = find_bundle("aerial-scenes")
    assert bundle.folder
    some = images(bundle, 2)
    assert_same(run(bundle.folder / GRAPH_FILE, some.numpy()), by_torch(bundle, some))


def test_weights_exist_once(bundle: Bundle, tmp_path: Path) -> None:
    assert bundle.folder
    folder = shutil.copytree(bundle.folder, tmp_path / "copy")
    graph, weights = folder / GRAPH_FILE, folder / WEIGHTS_FILE
    assert graph.stat().st_size < weights.stat().st_size / 5
    changed = bytearray(weights.read_bytes())
    changed[-200:] = bytes(200)  # a part of the last tensor
    some = images(bundle, 1)
    before = by_onnxruntime(graph, some.numpy())
    weights.write_bytes(changed)
    after = by_onnxruntime(graph, some.numpy())
    assert np.abs(after[1] - before[1]).max() > 0


def test_the_item_tells_the_graphs_checksum(bundle: Bundle) -> None:
    import hashlib

    assert bundle.folder
    digest = hashlib.sha256((bundle.folder / GRAPH_FILE).read_bytes()).hexdigest()
    assert bundle.graph == f"sha256:{digest}"
    assert b"/work" not in (bundle.folder / GRAPH_FILE).read_bytes()


@pytest.mark.parametrize("run", [by_onnxruntime, by_openvino])
def test_so_does_that_of_a_head_that_bends(
    curved: Bundle, run: Callable[[Path, NDArray[np.float32]], Outputs]
) -> None:
    assert curved.folder
    some = 30 * images(curved, 2)  # to both sides of where Hardswish is bent
    assert_same(run(curved.folder / GRAPH_FILE, some.numpy()), by_torch(curved, some))


@pytest.mark.parametrize("run", [by_onnxruntime, by_openvino])
def test_so_does_that_of_linear_layers_on_flattened_maps(
    tmp_path: Path, run: Callable[[Path, NDArray[np.float32]], Outputs]
) -> None:
    cut = Split(TRUNK, vgg_like(), "trunk")
    write_whole_graph(nn.Sequential(cut.trunk, cut.head), cut, tmp_path / "x.onnx", 3, 32)
    some = torch.randn(2, 3, 32, 32)
    found = explain(cut, some, own(range(3)))
    assert_same(
        run(tmp_path / "x.onnx", some.numpy()), (found.logits.numpy(), found.evidence.numpy())
    )


def test_heads_that_are_not_known_have_no_graph(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "squeezed", architecture="squeezenet1_1", graph=True)
    assert read_bundle(folder).graph is None
    assert not (folder / GRAPH_FILE).exists()
    done = CliRunner().invoke(
        app, ["models", "export", str(folder), "--onnx", str(tmp_path / "x.onnx")]
    )
    assert "no graph that gives exact evidence" in str(done.exception)
    assert not (tmp_path / "x.onnx").exists()


def test_where_classes_are_more_than_cells_torch_costs_less(tmp_path: Path) -> None:
    for classes, graph in ((65, None), (64, "x")):
        head = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(8, 8), nn.ReLU()),
            nn.Linear(8, classes),
        )
        cut = Split(TRUNK, head, "trunk")
        model = nn.Sequential(cut.trunk, cut.head)
        save_file(whole_state(model), tmp_path / WEIGHTS_FILE)
        written = write_graph(model, cut, tmp_path, 3, 32)
        assert (written is None) == (graph is None)


TRUNK = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU()).requires_grad_(False)


def vgg_like() -> nn.Sequential:
    torch.manual_seed(0)
    head = nn.Sequential(
        *(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(4), nn.Flatten(1), nn.Linear(128, 16)),
        *(nn.ReLU(True), nn.Dropout(), nn.Linear(16, 16), nn.Hardswish(), nn.Linear(16, 3)),
    )
    return head.eval().requires_grad_(False)


class Doubling(nn.AdaptiveAvgPool2d):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_only_what_is_known_is_written_out() -> None:
    def known(*head: nn.Module) -> bool:
        return explained(Split(TRUNK, nn.Sequential(*head), "trunk")) is not None

    flat, last = nn.Flatten(1), nn.Linear(8, 3)
    assert known(nn.AdaptiveAvgPool2d(1), flat, last)
    assert not known(Doubling(1), flat, last)
    assert not known(nn.AdaptiveAvgPool2d(1), flat, nn.Linear(8, 8), nn.GELU(), last)
    assert not known(nn.AdaptiveAvgPool2d(2), flat, nn.Linear(32, 3)), "has no last layer"
    last.register_forward_hook(lambda *_: None)
    assert not known(nn.AdaptiveAvgPool2d(1), flat, last)


def test_an_export_needs_no_other_file(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "alone" / "small.onnx"
    done = CliRunner().invoke(app, ["models", "export", str(bundle.folder), "--onnx", str(target)])
    assert done.exit_code == 0, done.output
    assert [path.name for path in target.parent.iterdir()] == ["small.onnx"]
    some = images(bundle, 2)
    assert_same(by_onnxruntime(target, some.numpy()), by_torch(bundle, some))
