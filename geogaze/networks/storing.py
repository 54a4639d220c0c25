"""In which precision a bundle stores weights: half, where nothing is lost that shows."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

State = dict[str, Tensor]

_LOSS = 2e-3  # of a tensor's largest value; rounding to half precision loses a quarter of it


def half_state(model: nn.Module) -> State:
    """A network's state with its parameters in half precision, as bundles store it.

    Buffers stay as they are: running variances pass what half precision can hold, 65,504. So do
    parameters that would not come back as they were.
    """
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return {
        name: _halved(value) if name in parameters else value
        for name, value in whole_state(model).items()
    }


def whole_state(model: nn.Module) -> State:
    """A network's state as it is; no two tensors share their memory."""
    return {
        name: value.detach().cpu().contiguous().clone()
        for name, value in model.state_dict().items()
    }


def _halved(value: Tensor) -> Tensor:
    """A parameter in half precision; as it is where that cannot hold it."""
    if not value.is_floating_point():
        return value
    half = value.half()
    lost = (half.double() - value.double()).abs()
    # Not "greater": what became infinite, or was no number, is lost too.
    kept = not value.numel() or bool(lost.max() <= _LOSS * value.double().abs().max())
    return half if kept else value


def survives_halving(model: nn.Module, close: Callable[[nn.Module], bool]) -> bool:
    """Whether a network, rounded as :func:`half_state` stores it, is still close to itself.

    Args:
        model: the network, which stays as it is.
        close: whether a network is.
    """
    return close(as_stored(model, half_state(model)))


def as_stored(model: nn.Module, state: State) -> nn.Module:
    """The network as whoever reads the bundle will have it: its weights rounded, and widened."""
    copied = copy.deepcopy(model).eval().requires_grad_(False)
    wide = {name: v.float() if v.is_floating_point() else v for name, v in state.items()}
    take_state(copied, wide)
    return copied


def take_state(model: nn.Module, state: State) -> None:
    """Give a network its whole state, as one of the network's own version.

    A version lies in a state dict beside its tensors, and is asked for by MNASNet.
    """
    versioned = OrderedDict(state)
    versioned._metadata = model.state_dict()._metadata  # type: ignore[attr-defined]  # noqa: SLF001
    model.load_state_dict(versioned, assign=True)
