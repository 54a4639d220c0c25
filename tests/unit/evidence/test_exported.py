"""A bundle's graph as an engine: the evidence of torch's, without torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from geogaze.config import Settings
from geogaze.errors import (
    DeviceAbsent,
    DeviceBroke,
    InvalidBundle,
    OutOfMemory,
    UnsupportedArchitecture,
)
from geogaze.evidence import engines
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.engines import load_engine
from geogaze.evidence.explainer import Explainer
from geogaze.evidence.exported import GraphEngine
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.targets import Target
from tests.factories import make_values

CORNERS = [(row, col) for row in (0, 16, 64) for col in (0, 32, 40, 64)]
TARGETS: list[Sequence[Target] | None] = [
    None,
    ((2, None), (0, None)),
    ((1, 2), (None, 0), (2, None)),
]


@pytest.fixture(scope="module")
def bundle(graph_bundle_folder: Path) -> Bundle:
    return read_bundle(graph_bundle_folder)


@pytest.fixture(scope="module")
def torchs(bundle: Bundle) -> Engine:
    return Engine(bundle, EngineOptions("cpu", batch_size=5, runtime="torch"))


def explained(
    engine: Explainer, values: NDArray[Any], valid: NDArray[np.bool_], rescale: Any, targets: Any
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    window = engine.prepare(values, valid, rescale)
    batches = list(engine.explain_tiles(window, CORNERS, targets))
    assert np.concatenate([batch.tiles for batch in batches]).tolist() == list(range(len(CORNERS)))
    assert {batch.route for batch in batches} == {"channel-shift"}
    return (
        np.concatenate([batch.logits for batch in batches]),
        np.concatenate([batch.evidence for batch in batches]),
    )


@pytest.mark.parametrize("kind", [Engine, GraphEngine])
def test_a_temperature_changes_probabilities_alone(
    bundle: Bundle, torchs: Engine, kind: type[Explainer]
) -> None:
    softer = bundle.model_copy(update={"temperature": 4.0})
    options = EngineOptions("cpu", batch_size=5, runtime="torch")
    engine = Engine(softer, options) if kind is Engine else GraphEngine(softer, 5, 1)
    values, valid = make_values(64, 64), np.ones((64, 64), dtype=bool)
    found, right = (
        next(iter(one.explain_tiles(one.prepare(values, valid, ((0.0, 255.0),)), [(0, 0)], None)))
        for one in (engine, torchs)
    )
    peaks = np.abs(right.logits).max(), np.abs(right.evidence).max()
    assert np.abs(found.logits - right.logits).max() < 1e-5 * peaks[0]
    assert np.abs(found.evidence - right.evidence).max() < 1e-5 * peaks[1]
    expected = np.exp(right.logits / 4) / np.exp(right.logits / 4).sum()
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-5)
    assert not np.allclose(found.probabilities, right.probabilities, rtol=1e-2)


@pytest.mark.parametrize("targets", TARGETS, ids=["best", "classes", "contrasts"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_evidence_is_that_of_torch(
    bundle: Bundle, torchs: Engine, dtype: str, targets: Sequence[Target] | None
) -> None:
    values = make_values(128, 140, dtype=dtype)
    valid = np.ones((128, 140), dtype=bool)
    valid[:20, 30:50] = False
    top = 1.0 if dtype == "float32" else float(np.iinfo(dtype).max)
    rescale = ((0.0, 0.9 * top), (0.1 * top, top), (0.0, top))
    ours = explained(GraphEngine(bundle, 5, 1), values, valid, rescale, targets)
    right = explained(torchs, values, valid, rescale, targets)
    for found, expected in zip(ours, right, strict=True):
        assert found.shape == expected.shape
        assert np.abs(expected).max() > 0
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_bands_are_known_each_for_itself(bundle: Bundle, torchs: Engine) -> None:
    values = make_values(128, 140)
    known = np.random.default_rng(1).random(values.shape) > 0.2
    ours, theirs = (
        np.asarray(engine.prepare(values, known, ((0.0, 255.0),)))
        for engine in (GraphEngine(bundle, 1, 1), torchs)
    )
    np.testing.assert_allclose(ours, theirs[0].transpose(1, 2, 0), rtol=1e-6, atol=1e-6)


def test_results_outlive_the_next_batch(bundle: Bundle) -> None:
    values, valid = make_values(128, 140), np.ones((128, 140), dtype=bool)
    window = (engine := GraphEngine(bundle, 4, 1)).prepare(values, valid, ((0.0, 255.0),))
    kept = [
        (one, one.logits.copy(), one.evidence.copy())
        for one in engine.explain_tiles(window, CORNERS, ((0, None),))
    ]
    assert len(kept) == 3
    for batch, logits, evidence in kept:
        np.testing.assert_array_equal(batch.logits, logits)
        np.testing.assert_array_equal(batch.evidence, evidence)


class Failing:
    """A graph that takes so many images, and then no more."""

    def __init__(self, most: int, text: str) -> None:
        self.most, self.text = most, text

    def stream(self, images: Iterable[NDArray[np.float32]]) -> Iterator[list[NDArray[np.float32]]]:
        for number, _ in enumerate(images):
            if number == self.most:
                raise RuntimeError(self.text)
            yield [np.zeros(3, np.float32), np.zeros((3, 2, 2), np.float32)]


def ask(engine: GraphEngine) -> int:
    window = engine.prepare(make_values(128, 140), np.ones((128, 140), bool), ((0.0, 255.0),))
    return sum(len(batch.tiles) for batch in engine.explain_tiles(window, CORNERS, None))


@pytest.mark.parametrize("most", [0, 5, len(CORNERS) - 1])
@pytest.mark.parametrize(
    ("text", "kind"), [("std::bad_alloc", OutOfMemory), ("illegal operand", DeviceBroke)]
)
def test_failures_are_errors_of_ours(
    bundle: Bundle, text: str, kind: type[Exception], most: int
) -> None:
    engine = GraphEngine(bundle, 4, 1)
    working = engine._graph
    engine._graph = Failing(most, text)  # type: ignore[assignment]
    with pytest.raises(kind, match=text):
        ask(engine)
    engine._graph = working
    assert ask(engine) == len(CORNERS)  # and the turn is given on


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors"])
@pytest.mark.parametrize("how", ["missing", "changed"])
def test_files_that_are_not_those_described_are_refused(
    bundle: Bundle, tmp_path: Path, name: str, how: str
) -> None:
    assert bundle.folder
    folder = tmp_path / "broken"
    shutil.copytree(bundle.folder, folder)
    if how == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes() + b"x")
    with pytest.raises(InvalidBundle, match=name.replace(".", r"\.")):
        GraphEngine(read_bundle(folder))


def test_a_graph_that_gives_something_else_is_not_used(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_has_gpu", lambda: False)
    assert bundle.proof is not None
    turned = {"evidence": bundle.proof.evidence[::-1]}
    other = bundle.model_copy(update={"proof": bundle.proof.model_copy(update=turned)})
    asked = Settings(device="cpu", torch_threads=1, runtime="openvino")
    for _ in range(2):
        with pytest.raises(UnsupportedArchitecture, match=r"other evidence .*GEOGAZE_RUNTIME"):
            load_engine(other, asked)
    auto = asked.model_copy(update={"runtime": "auto"})
    with monkeypatch.context() as patch:
        patch.setattr(GraphEngine, "__init__", None)  # it is not tried again
        assert isinstance(load_engine(other, auto), Engine)
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(DeviceAbsent, match="runs wrongly on this machine, needs torch"):
        load_engine(other, auto)


def test_a_proof_that_cannot_be_given_is_an_error_of_ours(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: GraphEngine, images: Any) -> Any:
        raise RuntimeError("std::bad_alloc")

    monkeypatch.setattr(GraphEngine, "explain_batch", fail)
    with pytest.raises(OutOfMemory):
        GraphEngine(bundle, 1, 1)


def test_bundles_of_before_run_without_a_proof(bundle: Bundle) -> None:
    before = bundle.model_copy(update={"proof": None})
    assert isinstance(load_engine(before, Settings(device="cpu", torch_threads=1)), GraphEngine)


@pytest.mark.parametrize(
    ("settings", "asked", "needs"),
    [
        ({}, {}, None),
        ({"precision": "fp32", "runtime": "openvino", "device": "cpu"}, {}, None),
        ({"runtime": "torch"}, {}, "GEOGAZE_RUNTIME=torch"),
        ({"precision": "bf16"}, {}, "GEOGAZE_PRECISION=bf16"),
        ({"device": "cuda:1"}, {}, "The device 'cuda:1'"),
        ({}, {"method": "saliency"}, "The method Saliency"),
        ({}, {"method": "layercam"}, "The method LayerCAM"),
        ({}, {"context": "scene"}, "Scene context"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_a_graph_cannot_do_goes_to_torch(
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    asked: dict[str, str],
    needs: str | None,
) -> None:
    monkeypatch.setattr(engines, "_has_gpu", lambda: False)
    here = Settings(torch_threads=1, **settings)
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "torch" else object())
    if needs is None:
        assert isinstance(load_engine(bundle, here, **asked), GraphEngine)
        return
    with pytest.raises(DeviceAbsent, match="pip install 'geogaze") as caught:
        load_engine(bundle, here, **asked)
    assert str(caught.value).startswith(needs)
    if here.device == "auto":
        monkeypatch.undo()
        monkeypatch.setattr(engines, "_has_gpu", lambda: False)
        assert isinstance(load_engine(bundle, here, **asked), Engine)


def test_a_bundle_without_a_graph_goes_to_torch(bundle_folder: Path) -> None:
    engine = load_engine(read_bundle(bundle_folder), Settings(device="cpu", torch_threads=1))
    assert isinstance(engine, Engine)


def test_a_gpu_is_torchs(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver = tmp_path / "nvidiactl"
    monkeypatch.setattr(engines, "_DRIVERS", (driver,))
    assert isinstance(load_engine(bundle, Settings(torch_threads=1)), GraphEngine)
    driver.write_text("")
    assert isinstance(load_engine(bundle, Settings(torch_threads=1)), Engine)
    assert isinstance(load_engine(bundle, Settings(device="cpu", torch_threads=1)), GraphEngine)
