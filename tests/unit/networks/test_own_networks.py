"""Networks of one's own, built for real; torchvision's for other bands than three."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks import architectures as module
from geogaze.networks.architectures import build
from geogaze.networks.cuts import split


def test_a_function_that_fails_or_gives_no_module_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OFFERED_HERE", {"broken": lambda n: [] / n, "list": lambda n: []})
    with pytest.raises(UnsupportedArchitecture, match=r"'broken' cannot be built for 7.*TypeError"):
        build("broken", 7)
    with pytest.raises(UnsupportedArchitecture, match=r"'list' is a list.*nn\.Module"):
        build("list", 7)


def test_building_one_leaves_torchs_random_state_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OFFERED_HERE", {"own": lambda n: nn.Linear(3, n)})
    torch.manual_seed(0)
    build("own", 7)
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v2", "convnext_tiny"])
def test_torchvisions_take_other_bands_by_their_first_layer(name: str) -> None:
    usual, other = build(name, 3), build(name, 3, 13)
    first = next(m for m in other.modules() if isinstance(m, nn.Conv2d))
    assert (first.in_channels, first.weight.is_meta) == (13, True)
    shapes = {n: v.shape for n, v in other.state_dict().items()}
    changed = [n for n, v in usual.state_dict().items() if v.shape != shapes[n]]
    assert len(changed) == 1
    assert shapes.keys() == usual.state_dict().keys()
    drawn = build(name, 3, 13, initialise=True)
    with torch.no_grad():
        assert split(drawn).trunk(torch.zeros(1, 13, 64, 64)).shape[2:] == (2, 2)
