"""The engine: windows in, tiles out, in whatever batches memory allows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from geogaze.errors import DeviceAbsent, DeviceBroke, HostOutOfMemory, OutOfMemory, Retry
from geogaze.evidence import engine as engine_module
from geogaze.evidence import kept as kept_module
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.kept import load_engine
from geogaze.evidence.pixels.network import PixelNetwork
from geogaze.evidence.routes import Evidence, explain_activations
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.targets import own
from geogaze.networks.cuts import split
from geogaze.networks.loading import load_model
from geogaze.networks.split import Split
from tests.factories import make_values

TILE, STRIDE = 64, 32
TARGETS = own((2, 0))
FULL = ((0.0, 255.0),)


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Bundle:
    return read_bundle(bundle_folder)


@pytest.fixture
def engine(bundle: Bundle) -> Engine:
    return Engine(bundle, EngineOptions("cpu", batch_size=4, runtime="torch"))


def window(engine: Engine, rows: int = 256, cols: int = 320) -> Tensor:
    return engine.prepare(make_values(rows, cols), np.ones((rows, cols), dtype=bool), FULL)


CORNERS = [(row, col) for row in (0, 32, 160) for col in (0, 64, 96, 224)]


def joined(results: Any) -> tuple[np.ndarray, np.ndarray]:
    results = list(results)
    order = np.concatenate([r.tiles for r in results])
    evidence = np.concatenate([r.evidence for r in results])
    logits = np.concatenate([r.logits for r in results])
    assert sorted(order) == list(range(len(order)))
    return logits[np.argsort(order)], evidence[np.argsort(order)]


def close(ours: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    assert ours.shape == expected.shape
    assert np.abs(expected).max() > 0
    assert np.abs(ours - expected).max() < tolerance * np.abs(expected).max()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_windows_are_normalised_as_numpy_would(engine: Engine, dtype: str) -> None:
    values = make_values(40, 50, dtype=dtype)
    if dtype.startswith("float"):
        values[0, 3, 4] = np.nan
    valid = np.ones((40, 50), dtype=bool)
    valid[5:9] = False
    rescale = ((0.0, 0.8), (0.1, 0.9), (0.2, 1.0))
    if not dtype.startswith("float"):
        top = float(np.iinfo(dtype).max)
        rescale = tuple((low * top, high * top) for low, high in rescale)  # type: ignore[assignment]
    low, high = np.array(rescale).T[:, :, None, None]
    share = (np.clip(np.nan_to_num(values.astype(float)), low, high) - low) / (high - low)
    mean, std = (np.array(v)[:, None, None] for v in (engine.bundle.mean, engine.bundle.std))
    expected = np.where(valid, (share - mean) / std, 0)
    found = engine.prepare(values, valid, rescale)
    assert found.shape == (1, 3, 40, 50)
    assert found.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-5)


def test_each_tile_gets_what_it_gets_alone(engine: Engine) -> None:
    pixels = window(engine)
    results = list(engine.explain_tiles(pixels, CORNERS, TARGETS))
    assert [len(r.tiles) for r in results] == [4, 4, 4]
    assert {r.route for r in results} == {"channel-shift"}
    logits, evidence = joined(results)
    assert evidence.shape == (12, 2, 2, 2)
    for i, (row, col) in enumerate(CORNERS):
        image = pixels[:, :, row : row + TILE, col : col + TILE]
        alone = engine.explain_batch(image, TARGETS)
        close(evidence[i : i + 1], alone.evidence.numpy())
        close(logits[i : i + 1], alone.logits.numpy())
    assert engine.batches.busy_seconds > 0


def test_a_shared_trunk_is_the_windows_own_activations_sliced(engine: Engine) -> None:
    """Reference: the trunk over everything, then each tile's cells by hand."""
    halo = engine.bundle.halo
    assert halo
    pixels = window(engine, 256 + 2 * halo, 320 + 2 * halo)
    corners = [(row + halo, col + halo) for row, col in CORNERS]
    logits, evidence = joined(engine.explain_shared(pixels, corners, TARGETS))
    cut = engine.cut
    assert isinstance(cut, Split)
    with torch.no_grad():
        everything = cut.trunk(pixels)
    for i, (row, col) in enumerate(corners):
        r, c = row // STRIDE, col // STRIDE
        expected = explain_activations(cut, everything[:, :, r : r + 2, c : c + 2], TARGETS)
        close(evidence[i : i + 1], expected.evidence.numpy())
        close(logits[i : i + 1], expected.logits.numpy())


def test_blocks_of_a_shared_trunk_hardly_show(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies beyond the halo counts for about a hundredth."""
    halo = engine.bundle.halo
    assert halo
    pixels = window(engine, 256 + 2 * halo, 320 + 2 * halo)
    corners = [(row + halo, col + halo) for row, col in CORNERS]
    _, whole = joined(engine.explain_shared(pixels, corners, TARGETS))
    parts = Engine(engine.bundle, EngineOptions("cpu", batch_size=4, runtime="torch"))
    monkeypatch.setattr(engine_module, "pixels_at_once", lambda *_: 1)
    results = list(parts.explain_shared(pixels, corners, TARGETS))
    assert len(results) == len(corners)
    close(joined(results)[1], whole, 0.05)


def failing(most: int, compute: Callable[..., Evidence]) -> Callable[..., Evidence]:
    def limited(images: Tensor, *args: Any) -> Evidence:
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(images, *args)

    return limited


def test_when_memory_runs_out_batches_are_halved_and_work_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = window(engine)
    expected = joined(engine.explain_tiles(pixels, CORNERS, TARGETS))[1]
    monkeypatch.setattr(engine, "explain_batch", failing(1, engine.explain_batch))
    results = list(engine.explain_tiles(pixels, CORNERS, TARGETS))
    assert [len(r.tiles) for r in results] == [1] * 12
    assert engine.batches.size == 1
    close(joined(results)[1], expected)


def test_a_tile_that_does_not_fit_is_an_error_of_ours(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "explain_batch", failing(0, engine.explain_batch))
    with pytest.raises(OutOfMemory, match="one tile"):
        list(engine.explain_tiles(window(engine), CORNERS, TARGETS))


def test_a_shared_window_that_does_not_fit_is_parted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    halo = engine.bundle.halo
    assert halo
    pixels = window(engine, 256 + 2 * halo, 320 + 2 * halo)
    corners = [(row + halo, col + halo) for row, col in CORNERS]
    whole = joined(engine.explain_shared(pixels, corners, TARGETS))[1]
    run = engine._activations

    def limited(images: Tensor) -> Tensor:
        if images.shape[2] * images.shape[3] > (256 + 2 * halo) * (200 + 2 * halo):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return run(images)

    monkeypatch.setattr(engine, "_activations", limited)
    close(joined(engine.explain_shared(pixels, corners, TARGETS))[1], whole, 0.05)


def test_other_failures_are_not_taken_for_want_of_memory(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Evidence:
        raise RuntimeError("device-side assert")

    monkeypatch.setattr(engine, "explain_batch", broken)
    with pytest.raises(RuntimeError, match="assert"):
        list(engine.explain_tiles(window(engine), CORNERS, TARGETS))


def test_whoever_stops_half_way_gives_the_device_back(engine: Engine) -> None:
    pixels = window(engine)
    with closing(engine.explain_tiles(pixels, CORNERS, TARGETS)) as results:
        next(results)
        assert engine_module._TURN.locked()
    assert not engine_module._TURN.locked()


def test_each_tile_may_be_asked_for_its_own_best_class(engine: Engine) -> None:
    pixels = window(engine)
    logits, best = joined(engine.explain_tiles(pixels, CORNERS, None))
    _, every = joined(engine.explain_tiles(pixels, CORNERS, own(range(3))))
    assert best.shape == (12, 1, 2, 2)
    close(best[:, 0], every[np.arange(12), logits.argmax(axis=1)])


def test_methods_per_pixel_come_at_pixel_resolution(engine: Engine) -> None:
    (result,) = engine.explain_tiles(window(engine), CORNERS[:1], TARGETS, "saliency")
    assert result.evidence.shape == (1, 2, TILE, TILE)
    assert result.route == "pixels"
    assert result.evidence.min() >= 0
    (plain,) = engine.explain_tiles(window(engine), CORNERS[:1], TARGETS)
    close(result.logits, plain.logits)


@pytest.mark.parametrize("method", ["saliency", "guided-gradcam"])
def test_methods_per_pixel_come_for_every_tile_in_smaller_batches(
    engine: Engine, method: str
) -> None:
    """A backward pass takes eight times a forward's memory: 16 tiles forward, 2 backward."""
    pixels = window(engine)
    engine.batches.size = 16
    corners = CORNERS[:5]
    results = list(engine.explain_tiles(pixels, corners, TARGETS, method))
    assert [r.tiles.tolist() for r in results] == [[0, 1], [2, 3], [4]]
    assert engine.batches.size == 16
    logits, evidence = joined(results)
    assert evidence.shape == (5, 2, TILE, TILE)
    reference = PixelNetwork(split(load_model(engine.bundle)))
    for i, (row, col) in enumerate(corners):
        image = pixels[:, :, row : row + TILE, col : col + TILE]
        close(evidence[i : i + 1], reference.attribute(method, image, TARGETS).numpy())
        close(logits[i : i + 1], engine.logits(image).numpy())


def test_memory_that_runs_out_backwards_halves_the_batches_backwards(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = window(engine)
    expected = joined(engine.explain_tiles(pixels, CORNERS, TARGETS, "saliency"))[1]
    engine.batches.size = 64  # 8 backwards
    network = engine._pixel_network
    monkeypatch.setattr(network, "explain", failing(2, network.explain))
    results = list(engine.explain_tiles(pixels, CORNERS, TARGETS, "saliency"))
    assert [len(r.tiles) for r in results] == [2] * 6
    assert engine.batches.size == 16, "8, 4, 2 backwards are 64, 32, 16 forwards"
    close(joined(results)[1], expected)


def test_the_device_is_busy_for_all_of_the_batches(engine: Engine) -> None:
    pixels = window(engine)
    seconds = iter([0.5, 0.25, 0.125])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geogaze.evidence.batches.Clock.seconds", lambda clock: next(seconds))
        list(engine.explain_tiles(pixels, CORNERS, TARGETS))
    assert engine.batches.busy_seconds == 0.875


def test_a_shared_trunk_runs_on_the_first_batchs_clock_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    halo = engine.bundle.halo
    assert halo
    clocks: list[object] = []
    launch = engine.batches._launch

    def seen(tiles: Any, compute: Any, clock: Any) -> Any:
        clocks.append(clock)
        return launch(tiles, compute, clock)

    monkeypatch.setattr(engine.batches, "_launch", seen)
    pixels = window(engine, 256 + 2 * halo, 320 + 2 * halo)
    corners = [(row + halo, col + halo) for row, col in CORNERS]
    list(engine.explain_shared(pixels, corners, TARGETS))
    assert [clock is not None for clock in clocks] == [True, False, False]


def test_bf16_is_nearly_the_same(engine: Engine, bundle: Bundle) -> None:
    pixels = window(engine)
    _, exact = joined(engine.explain_tiles(pixels, CORNERS, TARGETS))
    narrow = Engine(bundle, EngineOptions("cpu", "bf16", batch_size=4, runtime="torch"))
    _, rounded = joined(narrow.explain_tiles(pixels, CORNERS, TARGETS))
    assert rounded.dtype == np.float32
    assert np.abs(rounded - exact).max() > 0
    assert np.corrcoef(rounded.ravel(), exact.ravel())[0, 1] > 0.99


def test_batches_are_sized_by_free_memory(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Engine(bundle, EngineOptions("cpu", runtime="torch")).batches.size == 32
    assert Engine(bundle, EngineOptions("cpu", runtime="openvino")).batches.size == 8
    poor = Engine(bundle, EngineOptions("cpu"))
    free = 10 * poor._tile_bytes
    monkeypatch.setattr("geogaze.evidence.prepare.free_bytes", lambda device: free)
    assert poor.batches.size == 4  # of 40 % of it


def test_an_engine_is_kept_for_other_settings_that_do_not_concern_it(bundle: Bundle) -> None:
    from geogaze.config import Settings

    one = load_engine(bundle, Settings(device="cpu", storage="a"))
    two = load_engine(bundle, Settings(device="cpu", storage="b"))
    other = load_engine(bundle, Settings(device="cpu", batch_size=3))
    assert one is two
    assert other is not one


def test_a_device_that_is_not_there_is_told(bundle: Bundle) -> None:
    from geogaze.config import Settings

    with pytest.raises(DeviceAbsent, match="'cuda:99'"):
        load_engine(bundle, Settings(device="cuda:99"))
    with pytest.raises(DeviceAbsent, match="'abacus'"):
        load_engine(bundle, Settings(device="abacus"))


SICK = [
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
]
NO_ROOM = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 98.00 MiB"),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*args: Any, **options: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("error", SICK)
@pytest.mark.parametrize("step", ["launch", "fetch"])
@pytest.mark.parametrize("how", ["explain_tiles", "explain_shared"])
def test_a_device_that_fails_is_no_tiles_fault(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception, step: str, how: str
) -> None:
    target = {"launch": "_launch", "fetch": "_fetched"}[step]
    monkeypatch.setattr(engine.batches, target, raising(error))
    halo = engine.bundle.halo or 0
    pixels = window(engine, 256 + 2 * halo, 320 + 2 * halo)
    with pytest.raises(DeviceBroke) as caught:
        list(getattr(engine, how)(pixels, [(halo, halo)], TARGETS))
    assert str(error) in str(caught.value)
    told = caught.value
    assert told.retry is Retry.OUTAGE
    assert told.ends_process


def test_what_is_neither_memory_nor_device_stays_what_it_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "explain_batch", raising(RuntimeError("sizes do not match")))
    with pytest.raises(RuntimeError, match="sizes do not match"):
        list(engine.explain_tiles(window(engine), CORNERS, TARGETS))


@pytest.mark.parametrize(("errors", "kind"), [(SICK, DeviceBroke), (NO_ROOM[:4], HostOutOfMemory)])
def test_a_window_that_cannot_be_uploaded_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, errors: list[Exception], kind: Any
) -> None:
    for error in errors:
        monkeypatch.setattr(engine._uploader, "upload", raising(error))
        with pytest.raises(kind):
            window(engine)


@pytest.mark.parametrize(
    ("error", "kind"), [*((e, OutOfMemory) for e in NO_ROOM), *((e, DeviceBroke) for e in SICK)]
)
def test_loading_that_fails_is_not_the_requests_fault(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[OutOfMemory]
) -> None:
    from geogaze.config import Settings

    monkeypatch.setattr(engine_module, "load_model", raising(error))
    with pytest.raises(kind) as caught:
        load_engine(bundle, Settings(device="cpu", batch_size=5))
    assert caught.value.retry in {Retry.ELSEWHERE, Retry.OUTAGE}
    assert caught.value.status == 503


def test_networks_that_are_kept_make_room_for_another(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geogaze.config import Settings

    kept = load_engine(bundle, Settings(device="cpu", batch_size=6))
    load = engine_module.load_model

    def crowded(wanted: Bundle) -> Any:
        if kept_module.kept_engine.cache_info().currsize:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return load(wanted)

    monkeypatch.setattr(engine_module, "load_model", crowded)
    other = load_engine(bundle, Settings(device="cpu", batch_size=7))
    assert other is not kept
    assert other.batches.size == 7
