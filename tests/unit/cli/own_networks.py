"""Networks that an installed package would offer, for commands in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
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


@pytest.fixture
def own_networks() -> Iterator[None]:
    for name, build in OWN.items():
        offer(name, build)
    yield
    for name in OWN:
        withdraw(name)
