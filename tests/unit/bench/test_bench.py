"""The benchmarks run and tell the truth about themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from geogaze.bench import pipeline as pipeline_module
from geogaze.bench.clock import ceiling_flops, paired
from geogaze.bench.engine import bench_engine
from geogaze.bench.pipeline import PipelineJob, bench_pipeline
from geogaze.cli.app import app
from geogaze.config import Settings
from geogaze.errors import UnsupportedArchitecture

CPU = torch.device("cpu")
KEYS = {
    *("arch", "classes", "batch", "device", "dtype", "path", "forward_s", "explain_s", "ratio"),
    *("peers", "flops_per_tile", "achieved_flops", "ceiling_flops"),
}
NAME = "shufflenet_v2_x0_5"


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
        NAME, classes=3, batch=2, device="cpu", dtype="fp32", runs=1, peers=True, threads=1
    )
    assert set(found) >= KEYS
    assert found["path"] == "channel-shift"
    assert found["ratio"] > 0
    assert set(found["peers"]) == {"pytorch-grad-cam", "captum", "torchcam"}
    for name, peer in found["peers"].items():
        assert set(peer) == {"seconds", "slower_than_ours", "max_relative_difference"}
        assert peer["slower_than_ours"] == pytest.approx(peer["seconds"] / found["explain_s"])
        assert peer["max_relative_difference"] < 1e-3, name


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(UnsupportedArchitecture):
        bench_engine("resnet0", classes=2, batch=1, device="cpu", dtype="fp32")


@pytest.mark.parametrize("context", ["tile", "scene"])
def test_a_job_is_held_against_the_engine(
    scene: Path, monkeypatch: pytest.MonkeyPatch, context: str
) -> None:
    monkeypatch.setattr(pipeline_module, "_ENGINE_SECONDS", 0.2)
    job = PipelineJob(scene, NAME, 3, context=context)  # type: ignore[arg-type]
    found = bench_pipeline(job, Settings(device="cpu", torch_threads=1))
    assert found["tiles"] == 2
    assert found["efficiency"] == pytest.approx(
        found["end_to_end_tiles_per_s"] / found["engine_tiles_per_s"]
    )
    assert 0 < found["device_busy"] <= 1


def test_the_command_ends_with_one_json_object() -> None:
    words = ["bench", "engine", "--arch", NAME, "--classes", "2", "--batch", "1", "--runs", "1"]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.strip().splitlines()[-1])
    assert set(found) >= KEYS
    shown = CliRunner().invoke(app, words)
    assert "channel-shift" in shown.stdout
