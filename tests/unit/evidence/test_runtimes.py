"""What runs a trunk: OpenVINO as torch does, converted once, tried before it is trusted."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from geogaze.errors import DeviceAbsent, UnsupportedArchitecture
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.runtimes import choice, converted, openvino
from geogaze.evidence.runtimes.converted import OpenVinoTrunk, Shapes, convert
from geogaze.evidence.runtimes.trunk import TorchTrunk
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.targets import own
from tests.factories import make_bundle, make_values

TILES = Shapes((3, 32, 32), (3, 48, 40))


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Bundle:
    return read_bundle(bundle_folder)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = (nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.GELU(), nn.Conv2d(8, 5, 3, 2, 1))
    return nn.Sequential(*layers).eval().requires_grad_(False)


def images(count: int = 3, height: int = 32, width: int = 32) -> Tensor:
    torch.manual_seed(7)
    noise = torch.randn(count, 3, height, width)
    return noise.contiguous(memory_format=torch.channels_last)


def far(found: Tensor, exact: Tensor) -> float:
    assert found.shape == exact.shape
    return float((found - exact).abs().max() / exact.abs().max())


def test_workers_share_all_cores_and_are_not_pinned_to_the_same_ones() -> None:
    """Two of one thread each were pinned to one core, and did half of what one did alone."""
    graph = openvino.Graph(converted.converted(network(), images()), threads=1)
    assert graph._request is not None
    compiled = graph._request.get_compiled_model()
    assert not compiled.get_property("ENABLE_CPU_PINNING")


class Counted:
    """Counts conversions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        convert = converted.converted

        def counted(*args: Any) -> Any:
            self.count += 1
            return convert(*args)

        monkeypatch.setattr(converted, "converted", counted)


@pytest.mark.parametrize(("count", "height", "width"), [(1, 32, 32), (9, 32, 32), (2, 80, 52)])
def test_activations_are_torchs_for_batches_and_images_of_any_size(
    count: int, height: int, width: int
) -> None:
    trunk = network()
    ours = convert(trunk, TILES, None, "fp32", 1)
    some = images(count, height, width)
    assert far(ours(some), trunk(some)) < 1e-5
    assert ours.runtime.startswith("openvino 20")
    assert ours.precision == "fp32"


def test_memory_of_any_layout_is_read_right() -> None:
    trunk = network()
    some = images()
    ours = convert(trunk, TILES, None, "fp32", 1)
    cut = images(3, 40, 40)[:, :, 4:36, 8:40]  # as tiles are cut from a window
    assert far(ours(some.contiguous()), trunk(some)) < 1e-5
    assert far(ours(cut), trunk(cut)) < 1e-5


def test_lower_precision_is_near_and_not_the_same() -> None:
    trunk = network()
    some = images()
    found = convert(trunk, TILES, None, "bf16", 1)
    assert found.precision == "bf16"
    off = far(found(some), trunk(some))
    assert off < 0.05
    assert off > 1e-5 or not _narrows()


def _narrows() -> bool:
    """Whether this processor computes in bf16; else OpenVINO does so in float32."""
    hints = openvino._core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in hints


class Ill(nn.Module):
    """Subtracts what it has added: rounding grows a thousand times, whoever rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 5, 3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.first(images) + 3e3 - 3e3)


def test_what_rounds_no_worse_than_torch_is_as_exact() -> None:
    torch.manual_seed(0)
    trunk, some = Ill().eval().requires_grad_(False), images(3)
    exact = copy.deepcopy(trunk).double()(some.double()).float()
    own = far(trunk(some), exact)
    assert own > 1e-5, "torch itself is no nearer"
    near = exact * (1 + 1.5 * own)
    assert converted._as_exact(near, trunk(some), trunk, some)
    assert not converted._as_exact(exact * (1 + 3 * own), trunk(some), trunk, some)
    assert not converted._as_exact(near * float("nan"), trunk(some), trunk, some)
    assert not converted._as_exact(near[:, :4], trunk(some), trunk, some)


def test_a_network_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conversions = Counted(monkeypatch)
    some = images()
    for _ in range(2):
        trunk = network()
        assert far(convert(trunk, TILES, tmp_path, "fp32", 1)(some), trunk(some)) < 1e-5
    assert conversions.count == 1
    other = network(seed=1)
    assert far(convert(other, TILES, tmp_path, "fp32", 1)(some), other(some)) < 1e-5
    assert conversions.count == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("broken", ["trunk.bin", "trunk.xml"])
@pytest.mark.parametrize("how", ["cut", "other"])
def test_what_lies_in_the_cache_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, how: str
) -> None:
    trunk, some = network(), images()
    convert(trunk, TILES, tmp_path, "fp32", 1)
    (kept,) = tmp_path.iterdir()
    data = (kept / broken).read_bytes()
    (kept / broken).write_bytes(data[: len(data) // 2] if how == "cut" else b"\x42" * len(data))
    conversions = Counted(monkeypatch)
    assert far(convert(trunk, TILES, tmp_path, "fp32", 1)(some), trunk(some)) < 1e-5
    convert(trunk, TILES, tmp_path, "fp32", 1)
    assert conversions.count == 1  # and kept


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    trunk, some = network(), images()
    assert far(convert(trunk, TILES, file / "cache", "fp32", 1)(some), trunk(some)) < 1e-5


def test_nobody_is_told_of_a_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    """openvino.convert_model() sends events to an analytics host, unless a user has declined."""
    from openvino_telemetry import Telemetry

    def tell(*_: Any, **__: Any) -> None:
        raise AssertionError("telemetry")

    monkeypatch.setattr(type(Telemetry), "__call__", tell)
    trunk = network()
    assert far(convert(trunk, TILES, None, "fp32", 1)(images()), trunk(images())) < 1e-5


class Sized(nn.Module):
    """What tracing gets wrong: it looks at the size of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.conv(images)
        return found if images.shape[2] == 32 else found * 2


def test_a_network_that_does_otherwise_than_torch_is_not_run(bundle: Bundle) -> None:
    trunk = Sized().requires_grad_(False)
    convert(trunk, Shapes((3, 32, 32)), None, "fp32", 1)
    with pytest.raises(UnsupportedArchitecture, match="other activations than torch"):
        convert(trunk, TILES, None, "fp32", 1)


class Foreign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return torch.from_numpy(np.sin(images.numpy()))


class Strange(nn.Module):
    """Has what no graph has."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = Foreign.apply(self.conv(images))
        return found


def test_what_cannot_be_converted_runs_on_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = read_bundle(make_bundle(tmp_path / "tiny"))

    def refuse(*_: Any) -> Any:
        raise UnsupportedArchitecture("OpenVINO cannot run this network.")

    monkeypatch.setattr(choice, "convert", refuse)
    assert isinstance(Engine(bundle, EngineOptions("cpu")).trunk, TorchTrunk)
    with pytest.raises(UnsupportedArchitecture, match="cannot run"):
        Engine(bundle, EngineOptions("cpu", runtime="openvino"))
    monkeypatch.undo()
    assert isinstance(Engine(bundle, EngineOptions("cpu")).trunk, OpenVinoTrunk)
    assert isinstance(Engine(bundle, EngineOptions("cpu", runtime="torch")).trunk, TorchTrunk)


def test_operations_that_openvino_lacks_are_a_sentence() -> None:
    with pytest.raises(UnsupportedArchitecture, match="GEOGAZE_RUNTIME"):
        convert(Strange().requires_grad_(False), TILES, None, "fp32", 1)


def test_without_openvino_torch_runs(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "openvino_present", lambda: False)
    assert isinstance(Engine(bundle, EngineOptions("cpu")).trunk, TorchTrunk)
    with pytest.raises(DeviceAbsent, match="pip install"):
        Engine(bundle, EngineOptions("cpu", runtime="openvino"))
    with pytest.raises(DeviceAbsent, match="knows fp32 and bf16, not fp16"):
        Engine(bundle, EngineOptions("cpu", "fp16", runtime="openvino"))


@pytest.mark.parametrize("architecture", ["resnet18", "densenet121", "convnext_tiny", "alexnet"])
def test_evidence_is_that_of_torch(tmp_path: Path, architecture: str) -> None:
    bundle = read_bundle(make_bundle(tmp_path / architecture, architecture=architecture))

    def explained(runtime: Any) -> tuple[np.ndarray, np.ndarray, str]:
        engine = Engine(bundle, EngineOptions("cpu", batch_size=4, runtime=runtime))
        values = make_values(96, 128)
        window = engine.prepare(values, np.ones((96, 128), dtype=bool), ((0.0, 255.0),))
        corners = [(0, 0), (32, 0), (0, 64), (32, 32), (16, 48)]
        batches = list(engine.explain_tiles(window, corners, own((2, 0, 1))))
        return (
            np.concatenate([batch.logits for batch in batches]),
            np.concatenate([batch.evidence for batch in batches]),
            engine.ran["runtime"],
        )

    (logits, evidence, runtime), (right_logits, right, torchs) = map(
        explained, ("openvino", "torch")
    )
    assert runtime.startswith("openvino")
    assert torchs.startswith("torch")
    assert np.abs(logits - right_logits).max() < 1e-5 * np.abs(right_logits).max()
    assert np.abs(evidence - right).max() < 1e-5 * np.abs(right).max()
    assert np.abs(right).max() > 0


class Batched(nn.Module):
    """Adds a token to each image; tracing takes the number of images for a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 4, 4)
        self.token = nn.Parameter(torch.ones(1, 1, 4))

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.conv(images).flatten(2).transpose(1, 2)
        return torch.cat([self.token.expand(int(images.shape[0]), -1, -1), tokens], dim=1)


def test_a_network_that_takes_one_number_of_tiles_is_not_run() -> None:
    with pytest.raises(UnsupportedArchitecture, match="GEOGAZE_RUNTIME"):
        convert(Batched().requires_grad_(False), Shapes((3, 32, 32)), None, "fp32", 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_has_failed_is_told_and_spoils_nothing_after_it(threads: int) -> None:
    """By one thread OpenVINO's ``infer`` gave the batch before, and ran what failed once more
    inside the next graph's: a segmentation fault, its own graph being gone."""
    some = images(3).permute(0, 2, 3, 1).numpy()
    failing = openvino.Graph(converted.converted(Batched().eval(), images(3)), threads=threads)
    right = failing(some)[0].copy()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="Concat"):
            failing(some[:2])
    np.testing.assert_array_equal(failing(some)[0], right)
    with pytest.raises(RuntimeError, match="Concat"):
        failing(some[:2])
    del failing
    trunk = network()
    ours = convert(trunk, TILES, None, "fp32", threads)
    assert far(ours(images()), trunk(images())) < 1e-5
