"""A program as a network: its steps are modules, so that layers are named, caught and replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.programs.operators import DTYPES, MEMORY, operator_of
from geogaze.networks.programs.steps import Recorded, Step

ARCHITECTURE = "torch.export"
"""What bundles of programs have as their architecture."""
TEXT = "program"
"""What the steps lie under beside their weights, which they belong to as much as to each other."""
STEPS = "steps"


class Called(nn.Module):
    """A step."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._call, self._step = operator_of(step.target), step

    @override
    def extra_repr(self) -> str:
        return f"{self._step.target} {self._step.args} {self._step.options}"

    def forward(self, *args: Any, **options: Any) -> Any:
        """What the operator gives."""
        return self._call(*args, **options)


class Program(nn.Module):
    """A recorded network; its state has the names of the original one's.

    Args:
        steps: what it does.
        state: its tensors.
    """

    def __init__(self, steps: Recorded, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._recorded = steps
        for name, value in state.items():
            self._hold(name, value)
        taken = getattr(self, STEPS, None)
        if taken is not None:
            raise UnsupportedArchitecture(
                f"The program has a module {STEPS!r} of its own: call it otherwise, and export it "
                "again."
            )
        calls = nn.Module()
        for step in steps.steps:
            calls._modules[step.name] = Called(step)  # noqa: SLF001  names such as "add" are taken
        self.add_module(STEPS, calls)
        self._last = _last_uses(steps)
        self.eval().requires_grad_(False)

    @property
    def beside(self) -> dict[str, str]:
        """What is stored beside its weights."""
        return {TEXT: self._recorded.text()}

    @property
    def recorded(self) -> Recorded:
        """What it does."""
        return self._recorded

    def forward(self, images: Tensor) -> Any:
        """Whatever the network gives, as a dict or a tuple where it is several."""
        held = self.run({self._recorded.takes: images}, self._recorded.steps, images.device)
        answers = {key: held[name] for key, name in self._recorded.answers.items()}
        if self._recorded.keyed:
            return answers
        return next(iter(answers.values())) if len(answers) == 1 else tuple(answers.values())

    def run(
        self,
        held: dict[str, Any],
        steps: Sequence[Step],
        device: torch.device,
        keep: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """Take some steps; ``held`` are values by name, of which those that are used up go, except
        what ``keep`` names.
        """
        calls = self._modules[STEPS]
        assert calls is not None
        weights = self._recorded.weights
        known: dict[str, Tensor] = {}

        def value_of(name: str) -> Any:
            if name in weights:
                if name not in known:
                    known[name] = self._tensor(weights[name])
                return known[name]
            return held[name]

        for step in steps:
            args = _filled(step.args, value_of, device)
            options = {
                name: _filled(value, value_of, device) for name, value in step.options.items()
            }
            call = calls._modules[step.name]  # noqa: SLF001
            assert call is not None
            given = call(*args, **options)
            held.update(zip(step.gives, given if step.several else (given,), strict=True))
            for name in self._last.get(step.name, ()):
                if name not in keep:
                    held.pop(name, None)
        return held

    def reset_parameters(self) -> None:
        """Draw weights anew, for who asks what an untrained network would say."""
        for value in self.parameters():
            if value.ndim > 1:
                nn.init.kaiming_uniform_(value)

    def _hold(self, name: str, value: Tensor) -> None:
        """Make a tensor part of the state, by its name's path."""
        *path, last = name.split(".")
        owner: nn.Module = self
        for part in path:
            if part not in owner._modules:  # noqa: SLF001
                owner.add_module(part, nn.Module())
            found = owner._modules[part]  # noqa: SLF001
            assert found is not None
            owner = found
        if name in self._recorded.trained:
            owner.register_parameter(last, nn.Parameter(value, requires_grad=False))
        else:
            owner.register_buffer(last, value)

    def _tensor(self, name: str) -> Tensor:
        path, _, last = name.rpartition(".")
        found: Tensor = getattr(self.get_submodule(path), last)
        return found


def _last_uses(steps: Recorded) -> dict[str, tuple[str, ...]]:
    """Values that nobody needs behind a step, by its name."""
    last: dict[str, str] = {}
    for step in steps.steps:
        for name in (*step.gives, *step.takes):
            last[name] = step.name
    found: dict[str, tuple[str, ...]] = {}
    for name, at in last.items():
        if name not in steps.answers.values() and name not in steps.weights:
            found[at] = (*found.get(at, ()), name)
    return found


def _filled(value: Any, value_of: Callable[[str], Any], device: torch.device) -> Any:
    """An argument with what stands for something else put in; lists as tuples."""
    if isinstance(value, Mapping):
        ((kind, of),) = value.items()
        if kind == "of":
            return value_of(of)
        return DTYPES[of] if kind == "dtype" else MEMORY[of] if kind == "memory" else device
    if isinstance(value, list | tuple):
        return tuple(_filled(part, value_of, device) for part in value)
    return value
