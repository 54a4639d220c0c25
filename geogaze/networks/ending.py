"""How a network ends: in logits, or in probabilities, of which there is no evidence to look for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from geogaze.errors import UnsupportedArchitecture
from geogaze.models.bundles import Probabilities
from geogaze.networks.logits import scores_in

_RULES: dict[str, Probabilities] = {
    **dict.fromkeys(("softmax", "log_softmax", "softmin"), "softmax"),
    **dict.fromkeys(("sigmoid", "logsigmoid", "hardsigmoid"), "sigmoid"),
}
_REMOVABLE = (nn.Softmax, nn.LogSoftmax, nn.Softmax2d, nn.Sigmoid, nn.LogSigmoid)
_SUM_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Ending:
    """A function that makes probabilities of logits, at a network's end.

    ``rule`` is what it makes of them, ``module`` the name of the module that does only this; None
    where there is none.
    """

    function: str
    rule: Probabilities
    module: str | None


class _Watching(TorchFunctionMode):
    """Keeps what functions gave that make probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[str, Tensor]] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").partition(".")[0].rstrip("_")
        if name in _RULES and isinstance(result, Tensor):
            self.given.append((name, result))
        return result


def ending_of(model: nn.Module, images: Tensor) -> Ending | None:
    """What a network ends in besides logits; None where it ends in logits.

    Args:
        model: in evaluation mode.
        images: (B, bands, T, T), a few.
    """
    with torch.no_grad(), _caught(model) as by_module, _Watching() as seen:
        output = scores_in(model(images), len(images))
    for function, given in seen.given:
        if _same(given, output):
            runs = [name for name, value in by_module if _same(value, output)]
            once = len(runs) == 1 and sum(name == runs[0] for name, _ in by_module) == 1
            return Ending(function, _RULES[function], runs[0] if once else None)
    for function, shares in (("softmax", output), ("log_softmax", output.exp())):
        if output.shape[1] > 1 and _sums_to_one(shares):
            return Ending(function, "softmax", None)
    return None


def take_off(model: nn.Module, name: str) -> None:
    """Put a module that does nothing in the place of the one that a network ends in.

    Raises:
        UnsupportedArchitecture: the network has no module of that name.
    """
    if not name or name not in dict(model.named_modules()):
        raise UnsupportedArchitecture(f"{type(model).__name__} has no module {name!r} to take off.")
    model.set_submodule(name, nn.Identity())


@contextmanager
def _caught(model: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """What each run of a removable module gave, by the module's name."""
    given: list[tuple[str, Tensor]] = []

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: given.append((name, output))

    handles = [
        module.register_forward_hook(hook(name))
        for name, module in model.named_modules()
        if type(module) in _REMOVABLE
    ]
    try:
        yield given
    finally:
        for handle in handles:
            handle.remove()


def _same(value: Tensor, output: Tensor) -> bool:
    return value.numel() == output.numel() and torch.equal(value.flatten(), output.flatten())


def _sums_to_one(shares: Tensor) -> bool:
    positive = bool((shares >= 0).all())
    return positive and bool(((shares.sum(dim=1) - 1).abs() < _SUM_TOLERANCE).all())
