"""Networks that an installed package would offer, for commands in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from geogaze.networks.architectures import offer, withdraw
from tests.unit.evidence import strangers

OWN: dict[str, Callable[[int], nn.Module]] = {
    "s2-net": lambda classes: strangers.Net(classes, bands=13),
    "gray-net": lambda classes: strangers.Net(classes, bands=1),
    "own-net": strangers.Net,
    "soft-net": lambda classes: strangers.Ending(nn.Softmax(dim=1), classes),
    "between-net": strangers.Between,
    "dropping-net": strangers.Dropping,
    "labels-net": strangers.Segmenting,
    "failing-net": strangers.Failing,
}

SIZE = ("--input-size", 64)


@pytest.fixture
def own_networks() -> Iterator[None]:
    for name, build in OWN.items():
        offer(name, build)
    yield
    for name in OWN:
        withdraw(name)


def checkpoint(arch: str, classes: int, seed: int = 0) -> Path:
    """Weights of a network, and a file of so many names beside them."""
    torch.manual_seed(seed)
    Path("names.txt").write_text("\n".join(f"class {i}" for i in range(classes)))
    torch.save({"state_dict": strangers.drawn(OWN[arch](classes)).state_dict()}, "weights.pth")
    return Path("weights.pth")


def words(arch: str, classes: int, *more: object) -> tuple[object, ...]:
    """A command that imports a network of that kind, with drawn weights, as ``mine``."""
    given = ("models", "import", checkpoint(arch, classes), "--arch", arch, "--out", "mine")
    return (*given, "--classes", "names.txt", *SIZE, *more)
