"""Checkpoints of all kinds of trainers, read without running what they hold."""

from __future__ import annotations

import argparse
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from geogaze.errors import InvalidRequest
from geogaze.networks.checkpoints import fitted, read_checkpoint

WEIGHTS = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.zeros(2)}


def prefixed(prefix: str) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in WEIGHTS.items()}


class Settings:
    """An object of somebody's package."""

    def __init__(self) -> None:
        self.rate = 0.1


class Attributes(dict[str, Any]):
    """As Lightning has it for hyper-parameters."""


LIGHTNING = {
    "pytorch-lightning_version": "2.4.0",
    "hyper_parameters": Attributes(rate=0.1, args=argparse.Namespace(width=3)),
    "callbacks": {"ModelCheckpoint": {"best": np.float64(0.9), "path": Path("x")}},
    "loops": {"settings": Settings()},
}

KINDS: dict[str, Any] = {
    "plain": WEIGHTS,
    "ordered": OrderedDict(WEIGHTS),
    "state_dict": {"state_dict": WEIGHTS, "epoch": 3},
    "model_state_dict": {"model_state_dict": WEIGHTS, "optimizer_state_dict": {"state": {}}},
    "model": {"model": WEIGHTS, "args": argparse.Namespace(lr=0.1)},
    "nested": {"model": {"state_dict": WEIGHTS}},
    "doubly nested": {"checkpoint": {"model": {"state_dict": WEIGHTS}}, "epoch": 3},
    "DeepSpeed": {"module": WEIGHTS, "optimizer": None},
    "EMA": {"state_dict_ema": prefixed("module."), "epoch": 3},
    "EMA beside": {"model_ema": {"fc.weight": torch.zeros(2, 3)}, "state_dict": WEIGHTS},
    "ema_pytorch": {
        **prefixed("ema_model."),
        **{f"online_model.{name}": value + 1 for name, value in WEIGHTS.items()},
        "initted": torch.tensor(True),
        "step": torch.tensor(9),
    },
    "numpy scalars": {"state_dict": WEIGHTS, "best": np.float64(0.9), "at": np.int64(3)},
    "DataParallel": {"state_dict": prefixed("module.")},
    "compiled": prefixed("_orig_mod."),
    "compiled and distributed": {"model": prefixed("_orig_mod.module.")},
    "SWA": {"n_averaged": torch.tensor(3), **prefixed("module.")},
    "Lightning, model": {"state_dict": prefixed("model."), **LIGHTNING},
    "Lightning, net": {
        "state_dict": {**prefixed("net."), "criterion.weight": torch.ones(2)},
        **LIGHTNING,
    },
    "Lightning, compiled": {"state_dict": prefixed("model._orig_mod."), **LIGHTNING},
    "Lightning, two networks": {
        "state_dict": {**prefixed("model."), "net.other.weight": torch.ones(2)},
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_networks_own_tensors(tmp_path: Path, kind: str) -> None:
    torch.save(KINDS[kind], tmp_path / "mine.ckpt")
    read = fitted(read_checkpoint(tmp_path / "mine.ckpt"), WEIGHTS)
    assert read.keys() == WEIGHTS.keys()
    assert torch.equal(read["fc.weight"], WEIGHTS["fc.weight"])


def test_what_averaged_weights_are_saved_as_fits_their_network(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    torch.save(AveragedModel(network).state_dict(), tmp_path / "swa.pth")
    state = fitted(read_checkpoint(tmp_path / "swa.pth"), network.state_dict())
    network.load_state_dict(state)


def test_a_network_with_a_module_of_that_name_keeps_it(tmp_path: Path) -> None:
    own = prefixed("module.")
    torch.save(own, tmp_path / "plain.pth")
    torch.save({f"module.{name}": value for name, value in own.items()}, tmp_path / "parallel.pth")
    for name in ("plain.pth", "parallel.pth"):
        assert fitted(read_checkpoint(tmp_path / name), own).keys() == own.keys()


def test_of_another_network_nothing_is_lost() -> None:
    state = {"trunk.weight": torch.ones(2), "n_averaged": torch.tensor(1)}
    assert fitted(state, WEIGHTS).keys() == {"trunk.weight"}
    assert fitted(state, ["n_averaged"]).keys() == state.keys()


def test_safetensors_are_read_like_other_checkpoints(tmp_path: Path) -> None:
    save_file(prefixed("module."), tmp_path / "checkpoint.safetensors")
    state = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert fitted(state, WEIGHTS).keys() == WEIGHTS.keys()


def test_files_from_before_archives_are_read(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / "old.pth").keys() == WEIGHTS.keys()


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("place", ["fc.weight", "beside"])
def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, place: str, archive: bool) -> None:
    evil = Malicious(tmp_path / "ran")
    content = {"fc.weight": evil} if place == "fc.weight" else {"model": WEIGHTS, "beside": evil}
    torch.save(content, tmp_path / "evil.pth", _use_new_zipfile_serialization=archive)
    with pytest.raises(InvalidRequest, match=r"evil\.pth"):
        read_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


ODD: list[Any] = [
    {},
    {"epoch": 3},
    {"fc.weight": torch.ones(2), "epoch": 3},
    {"model": {"fc.weight": np.ones(2)}},
    torch.ones(2),
    [torch.ones(2)],
    nn.Linear(2, 2),
]


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_a_checkpoint_without_a_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(InvalidRequest, match=r"odd\.pth.*state_dict\(\)"):
        read_checkpoint(tmp_path / "odd.pth")


@pytest.mark.parametrize("name", ["missing.pth", "missing.safetensors", "text.pth", "cut.pth"])
def test_a_checkpoint_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.pth").write_text("not a checkpoint")
    torch.save({"fc.weight": torch.ones(200, 200)}, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidRequest, match=name) as refused:
        read_checkpoint(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert "torch." not in str(refused.value).replace("torch.save", "")
