"""The benchmarks run and tell the truth about themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer
from typer.testing import CliRunner

from geogaze.bench import engine as engine_module
from geogaze.bench import pipeline as pipeline_module
from geogaze.bench.clock import ceiling_flops, paired
from geogaze.bench.engine import bench_engine
from geogaze.bench.networks import random_bundle
from geogaze.bench.peers import PeerResult, compare
from geogaze.bench.pipeline import PipelineJob, bench_pipeline
from geogaze.cli.app import app
from geogaze.config import Settings
from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence.kept import load_engine
from geogaze.evidence.routes import explain
from geogaze.models.targets import own
from geogaze.networks.cuts import cut_at
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run

CPU = torch.device("cpu")
KEYS = {
    *("arch", "classes", "batch", "device", "dtype", "path", "forward_s", "explain_s", "ratio"),
    *("runtime", "precision", "plain", "ratio_best"),
    *("peers", "flops_per_tile", "achieved_flops", "ceiling_flops"),
}
NAME = "squeezenet1_1"


def test_pairs_take_turns_and_a_median_shrugs_off_an_outlier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([1.0, 2.0, 2.0, 1.0, 1.0, 40.0, 2.0, 1.0, 1.0, 2.0])
    called: list[str] = []

    def seconds(work: object, device: torch.device) -> float:
        called.append("first" if work is first else "second")
        return next(clock)

    def first() -> None: ...
    def second() -> None: ...

    monkeypatch.setattr("geogaze.bench.clock.seconds", seconds)
    one, two, ratio = paired(first, second, CPU, 5)
    assert called[:4] == ["first", "second", "second", "first"]
    assert (one, two, ratio) == (1.0, 2.0, 2.0)


def test_the_ceiling_is_a_rate_that_this_machine_reached() -> None:
    assert 1e9 < ceiling_flops(CPU, torch.float32) < 1e15


def test_the_engine_and_its_peers_see_the_same() -> None:
    found = bench_engine(
        NAME,
        classes=3,
        batch=2,
        device="cpu",
        runtime="torch",
        runs=1,
        peers=True,
        threads=1,
    )
    assert set(found) >= KEYS
    assert found["path"] == "channel-shift"
    assert found["ratio"] > 0
    assert set(found["peers"]) == {"pytorch-grad-cam", "captum", "torchcam"}
    for name, peer in found["peers"].items():
        assert set(peer) == {"seconds", "slower_than_ours", "max_relative_difference"}
        assert peer["max_relative_difference"] < 1e-3, name


def test_peers_see_maps_where_the_layer_gives_tokens() -> None:
    torch.manual_seed(0)
    model = VisionTransformer(32, 8, 2, 2, 16, 24, num_classes=3).eval()
    nn.init.normal_(model.heads.head.weight)
    images = torch.randn(2, 3, 32, 32)
    cut = cut_at(model)
    found = compare(model, cut, images, explain(cut, images, own(range(3))).evidence.detach())
    assert {name: peer.max_relative_difference < 1e-4 for name, peer in found.items()} == {
        "pytorch-grad-cam": True,
        "captum": True,
        "torchcam": True,
    }


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(UnsupportedArchitecture):
        bench_engine("resnet0", classes=2, batch=1, device="cpu", precision="fp32")


def test_a_peer_is_so_much_slower_as_its_seconds_say(monkeypatch: pytest.MonkeyPatch) -> None:
    # Plain inference by torch, by OpenVINO at once and tile by tile, and by our own trunk.
    clock = iter([(2.0, 0.5, 0.25), (0.4, 0.5, 1.25), (0.45, 0.5, 1.1), (1.0, 0.5, 0.5)])
    ceilings = iter([1e9, 4e9])
    monkeypatch.setattr(engine_module, "paired", lambda *_: next(clock))
    monkeypatch.setattr(engine_module, "ceiling_flops", lambda *_: next(ceilings))
    peers = {"torchcam": PeerResult(3.0, 0.0)}
    monkeypatch.setattr(engine_module, "compare", lambda *_: peers)
    monkeypatch.setattr(engine_module, "count_flops", lambda *_: 1_000_000)
    found = bench_engine(
        NAME, classes=2, batch=4, device="cpu", runtime="torch", runs=1, peers=True, threads=1
    )
    assert found["peers"]["torchcam"]["slower_than_ours"] == 6.0
    assert (found["forward_s"], found["explain_s"], found["ratio"]) == (2.0, 0.5, 0.25)
    assert found["plain"] == {"torch": 2.0, "openvino": 0.4, "openvino, tile by tile": 0.45}
    assert (found["ratio_best"], found["ratio_same_trunk"]) == (1.25, 0.5)
    assert found["achieved_flops"] == 8e6  # four tiles in half a second
    assert (found["ceiling_flops"], found["ceiling_share"]) == (4e9, 0.002)


@pytest.mark.parametrize("context", ["tile", "scene"])
def test_a_job_is_held_against_the_engine(
    scene: Path, monkeypatch: pytest.MonkeyPatch, context: str
) -> None:
    """A job of two tiles, one of them invalid, in half a second, of which the device was busy a
    quarter; the engine alone did 10 and 30 tiles a second.
    """
    alone = iter([10.0, 30.0])
    monkeypatch.setattr(pipeline_module, "_engine_speed", lambda *_: next(alone))
    load, engines = pipeline_module.load_engine, []

    def loaded(*args: Any) -> Any:
        engines.append(load(*args))
        return engines[-1]

    def timed(*args: Any) -> Any:
        report = run(*args)
        assert report.tiles == 2
        assert engines[0].batches.busy_seconds > 0, "the job has another engine"
        engines[0].batches.busy_seconds = 0.125
        return replace(report, seconds=0.5, skipped=[{"reason": "no valid pixel", "tiles": 1}])

    monkeypatch.setattr(pipeline_module, "load_engine", loaded)
    monkeypatch.setattr(pipeline_module, "run", timed)
    job = PipelineJob(scene, NAME, 3, context=context)  # type: ignore[arg-type]
    found = bench_pipeline(job, Settings(device="cpu", torch_threads=1))
    assert found["tiles"] == 1
    assert found["engine_tiles_per_s"] == 20.0
    assert found["end_to_end_tiles_per_s"] == 2.0
    assert found["efficiency"] == 0.1
    assert found["device_busy"] == 0.25
    assert found["context"] == context


@pytest.mark.parametrize("context", ["tile", "scene"])
def test_the_engines_speed_is_its_tiles_over_its_time(
    scene: Path, monkeypatch: pytest.MonkeyPatch, context: str
) -> None:
    """On a clock that goes on by six seconds whenever it is looked at: at 0, 6, 12 and 18."""
    ticks = count(0, 6)
    bundle = random_bundle(scene.parent / "bundle", NAME, 3)
    request = ExplainRequest(scene=str(scene), model=str(bundle.folder), context=context)  # type: ignore[arg-type]
    settings = Settings(device="cpu", torch_threads=1)
    plan = make_plan(request, settings, local=True)
    engine = load_engine(bundle, settings)
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(pipeline_module, "time", clock)
    (chunk,) = plan.chunks
    tiles = len(list(chunk.tiles()))
    assert pipeline_module._engine_speed(engine, plan) == pytest.approx(2 * tiles / 18)


def test_the_command_ends_with_one_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["bench", "engine", "--arch", NAME, "--classes", "2", "--batch", "1", "--runs", "1"]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.strip().splitlines()[-1])
    assert set(found) >= KEYS
    monkeypatch.setattr("geogaze.bench.engine.bench_engine", lambda *_, **__: found)
    shown = CliRunner().invoke(app, words)
    assert "channel-shift" in shown.stdout
