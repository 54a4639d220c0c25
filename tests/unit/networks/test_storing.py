"""In which precision weights are stored: half where that holds them."""

from __future__ import annotations

import torch
from torch import nn

from geogaze.networks.storing import as_stored, half_state, survives_halving


def test_what_half_precision_cannot_hold_stays_whole() -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_var.fill_(70_000)
    with torch.no_grad():
        norm.weight.fill_(1e6)
        norm.bias.fill_(1e-9)
    state = half_state(norm)
    assert {name: value.dtype for name, value in state.items()} == {
        **dict.fromkeys(("weight", "bias", "running_mean", "running_var"), torch.float32),
        "num_batches_tracked": torch.int64,
    }
    for name, value in norm.state_dict().items():
        assert torch.equal(state[name], value)


def test_what_it_can_is_halved_zeros_and_nothing_too() -> None:
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.bias)
    layer.empty = nn.Parameter(torch.empty(0))
    assert {value.dtype for value in half_state(layer).values()} == {torch.float16}


def test_networks_whose_weights_cancel_do_not_survive_it() -> None:
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([[1000.3, -1000.0]])

    def close(network: nn.Module) -> bool:
        return abs(network(torch.ones(1, 2)).item() - 0.3) < 0.01

    assert close(layer)
    assert not survives_halving(layer, close)
    assert as_stored(layer, half_state(layer)).weight.dtype == torch.float32
