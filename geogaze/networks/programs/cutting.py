"""Where a program is cut: behind its last maps through which all that follows comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.programs.program import STEPS, Program
from geogaze.networks.programs.steps import Step
from geogaze.networks.split import Split

_FEWEST = 2  # cells along a side; less is no map
_USUAL = 224  # pixels of images of any size
_POOLING = frozenset({"adaptive_avg_pool2d", "adaptive_max_pool2d"})
_PLAIN: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "hardswish": nn.Hardswish,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class Counts(NamedTuple):
    """What is computed of the number of images: names that stand for it, steps, all their names."""

    names: tuple[str, ...]
    steps: tuple[Step, ...]
    known: frozenset[str]


class Stretch(nn.Module):
    """Some steps of a program in a row, from one value to another.

    How many images there are (``counts``), and what is computed of that, is known in each.
    """

    def __init__(
        self, program: Program, steps: Sequence[Step], takes: str, gives: str, counts: Counts
    ) -> None:
        super().__init__()
        self.program = program
        self._steps, self._takes, self._gives = (*counts.steps, *steps), takes, gives
        self._counts = counts.names

    @override
    def extra_repr(self) -> str:
        return f"from {self._takes} by {len(self._steps)} steps to {self._gives}"

    def forward(self, given: Tensor) -> Any:
        """What the last step gives."""
        held: dict[str, Any] = {self._takes: given, **dict.fromkeys(self._counts, len(given))}
        keep = frozenset({self._gives})
        return self.program.run(held, self._steps, given.device, keep)[self._gives]


def split_program(program: Program) -> Split:
    """A program, cut behind its last maps.

    Raises:
        UnsupportedArchitecture: it has no such maps, or labels pixels.
    """
    recorded = program.recorded
    answer = next(iter(recorded.answers.values()))
    if recorded.keyed:
        answer = next(
            (recorded.answers[k] for k in ("logits", "out") if k in recorded.answers), answer
        )
    shapes = _shapes(program)
    if len(shapes[answer]) != 2:
        raise UnsupportedArchitecture("The program labels pixels. Name a layer.")
    counts = _counts(recorded.steps)
    at = _last_alone(recorded.takes, recorded.steps, shapes, counts.known)
    if at is None or _attention(recorded.steps[at + 1 :], shapes):
        raise UnsupportedArchitecture(
            "The program has no maps through which all comes that its scores are made of: import "
            "the network's state_dict() with --arch, or name a layer that gives maps with --layer."
        )
    before, after = recorded.steps[: at + 1], recorded.steps[at + 1 :]
    (value,) = before[-1].gives
    head = _known_head(program, after, value, shapes) or Stretch(
        program, after, value, answer, counts
    )
    trunk = Stretch(program, before, recorded.takes, value, counts)
    mixes = _attention(before, shapes)
    return Split(trunk.eval(), head.eval(), name_of(recorded.steps, at), mixes=mixes)


def attends(network: nn.Module) -> bool:
    """Whether it is, or holds, a program whose attention mixes places."""
    programs = [part for part in network.modules() if isinstance(part, Program)]
    return any(_attention(part.recorded.steps, _shapes(part)) for part in programs)


def _attention(steps: Sequence[Step], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether places attend to each other in some steps."""
    return any(
        step.kind == "scaled_dot_product_attention"
        or (step.kind == "softmax" and _to_each_other(shapes[step.gives[0]]))
        for step in steps
    )


def _to_each_other(shape: tuple[int, ...]) -> bool:
    return len(shape) > 2 and shape[-1] == shape[-2] > 1


def step_named(program: Program, layer: str) -> str:
    """The module of a program that a layer's name stands for: a step, or a module of the original
    network, whose last step it is.
    """
    calls = [step for step in program.recorded.steps if _inside(step.within, layer)]
    return f"{STEPS}.{calls[-1].name}" if calls else layer


def name_of(steps: Sequence[Step], at: int) -> str:
    """What a step is called: the outermost module that ends with it, or its own name."""
    path = steps[at].within.split(".")
    for length in range(1, len(path) + 1):
        name = ".".join(path[:length])
        if name and not any(_inside(step.within, name) for step in steps[at + 1 :]):
            return name
    return f"{STEPS}.{steps[at].name}"


def _inside(path: str, module: str) -> bool:
    return path == module or path.startswith(f"{module}.")


def _shapes(program: Program) -> dict[str, tuple[int, ...]]:
    """The shape of what every step gives for two images; of what is no tensor, ()."""
    bands, rows, cols = program.recorded.images
    found: dict[str, tuple[int, ...]] = {}
    kinds = (weight.dtype for weight in program.parameters() if weight.is_floating_point())
    shape = (2, bands or 3, rows or _USUAL, cols or _USUAL)
    images = torch.zeros(shape, dtype=next(kinds, torch.float32))
    held: dict[str, Any] = {program.recorded.takes: images}
    with torch.no_grad():
        for step in program.recorded.steps:
            held = program.run(held, [step], images.device, frozenset(step.gives))
            for name in step.gives:
                found[name] = tuple(getattr(held.get(name), "shape", ()))
    return found


def _counts(steps: Sequence[Step]) -> Counts:
    """What a program computes of the number of images alone."""
    names = [s.gives[0] for s in steps if s.kind == "sym_size" and list(s.args[1:]) == [0]]
    known, found = set(names), []
    for step in steps:
        if step.target.startswith("_operator.") and known.issuperset(step.takes):
            found.append(step)
            known.add(step.gives[0])
    return Counts(tuple(names), tuple(found), frozenset(known))


def _last_alone(
    takes: str, steps: Sequence[Step], shapes: Mapping[str, tuple[int, ...]], known: frozenset[str]
) -> int | None:
    """The last step that gives maps which alone reach what follows; None where there is none."""
    last = {name: i for i, step in enumerate(steps) for name in step.takes if name not in known}
    found, reaches = None, last.get(takes, -1)
    for i, step in enumerate(steps):
        shape = shapes[step.gives[0]]
        alone = len(step.gives) == 1 and reaches <= i and step.kind not in _POOLING
        if alone and len(shape) == 4 and shape[2] == shape[3] >= _FEWEST:
            found = i
        reaches = max(reaches, *(last.get(name, -1) for name in step.gives))
    return found


def _known_head(
    program: Program, steps: Sequence[Step], value: str, shapes: Mapping[str, tuple[int, ...]]
) -> nn.Sequential | None:
    """The steps as modules of torch, whose derivatives are known; None where there is another."""
    modules: list[nn.Module] = []
    for step in steps:
        if step.kind == "sym_size" or step.target.startswith("_operator."):
            continue
        used = [name for name in step.takes if shapes.get(name) and name != value]
        if step.takes[:1] != (value,) or used or len(step.gives) != 1:
            return None
        given, value = shapes[value], step.gives[0]
        laid = _flattens(step, given, shapes[value])
        found = [nn.Flatten()] if laid else _module(program, step, len(given))
        if found is None:
            return None
        modules += found
    return nn.Sequential(*modules)


def _flattens(step: Step, given: tuple[int, ...], gives: tuple[int, ...]) -> bool:
    """Whether all values of an image are laid in a row."""
    kinds = {"flatten", "view", "reshape"}
    return step.kind in kinds and len(given) == 4 and gives == (given[0], prod(given[1:]))


def _module(program: Program, step: Step, axes: int) -> list[nn.Module] | None:
    """A step on a tensor of so many axes as modules of torch; None where it has none."""
    rest = list(step.args[1:])
    if step.kind in _PLAIN and not rest and not step.options:
        return [_PLAIN[step.kind]()]
    if step.kind == "dropout":
        return []
    if step.kind == "adaptive_avg_pool2d":
        return [nn.AdaptiveAvgPool2d(tuple(rest[0]))]
    over = rest[0] if rest and step.kind == "mean" else None
    if over and axes == 4 and sorted(axis % 4 for axis in over) == [2, 3]:
        keeps = rest[1] if len(rest) > 1 else step.options.get("keepdim", False)
        return [nn.AdaptiveAvgPool2d(1), *([] if keeps else [nn.Flatten()])]
    if step.kind == "linear":
        weight, bias = (_weight(program, part) for part in [*rest, None][:2])
        if weight is None or (bias is None and any(rest[1:2])):  # no parameters
            return None
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        layer.weight, layer.bias = weight, bias  # type: ignore[assignment]
        return [layer]
    return None


def _weight(program: Program, argument: Any) -> nn.Parameter | None:
    """The parameter that an argument stands for."""
    name = program.recorded.weights.get(argument["of"], "") if argument else ""
    return dict(program.named_parameters()).get(name)
