"""A program as a list of steps: what is called, with what, and what it gives. No tensors here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.programs.operators import DTYPES, MEMORY, operator_of

_TRAINS = {"batch_norm": "training", "dropout": "train", "instance_norm": "use_input_stats"}
_MAPPINGS = frozenset({"builtins.dict", "collections.OrderedDict"})


@dataclass(frozen=True)
class Step:
    """One call.

    ``args`` and ``options`` are numbers, lists, and objects that stand for something else:
    ``{"of": NAME}`` for what another step gave, ``{"dtype": N}``, ``{"memory": N}``, and
    ``{"here": true}`` for the images' device. ``gives`` names what it gives, several where it is a
    list; ``within`` is the module of the original network that called it.
    """

    name: str
    target: str
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    gives: tuple[str, ...]
    several: bool
    within: str

    @property
    def kind(self) -> str:
        """The operator's name, without what tells its forms apart: ``conv2d``, ``relu``."""
        return self.target.removeprefix("torch.ops.aten.").partition(".")[0].rstrip("_")

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of all values it is given."""
        return tuple(_names([*self.args, *self.options.values()]))


@dataclass(frozen=True)
class Recorded:
    """A program without its tensors.

    ``images`` is the shape (bands, rows, cols) of what it takes, None where it is free, and
    ``takes`` what steps call that. ``weights`` says what they call the tensors of the state, of
    which ``trained`` are parameters. ``answers`` are names of values, by keys where the network
    gives a mapping (``keyed``).
    """

    takes: str
    images: tuple[int | None, ...]
    weights: Mapping[str, str]
    trained: tuple[str, ...]
    steps: tuple[Step, ...]
    answers: Mapping[str, str]
    keyed: bool

    def text(self) -> str:
        """All of it as JSON, which :meth:`parsed` reads."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parsed(cls, text: str) -> Recorded:
        """What :meth:`text` wrote.

        Raises:
            UnsupportedArchitecture: a step uses what no program may.
        """
        held = json.loads(text)
        steps = tuple(
            Step(**{**step, "args": tuple(step["args"]), "gives": tuple(step["gives"])})
            for step in held.pop("steps")
        )
        for step in steps:
            operator_of(step.target)
        return cls(steps=steps, **{**held, "images": tuple(held["images"])})


def recorded(program: Mapping[str, Any], weights: Mapping[str, str]) -> Recorded:
    """The steps of a program as ``torch.export`` saves it.

    Args:
        program: its JSON.
        weights: what it calls the network's tensors.

    Raises:
        UnsupportedArchitecture: it takes anything but one batch of images, of any number, or does
            what is not known.
    """
    module = program["graph_module"]
    graph, signature = module["graph"], module["signature"]
    steps = tuple(_step(node) for node in graph["nodes"] if node["outputs"])
    takes = [
        spec["user_input"]["arg"]["as_tensor"]["name"]
        for spec in signature["input_specs"]
        if "as_tensor" in spec.get("user_input", {}).get("arg", {})
    ]
    if len(takes) != 1:
        raise UnsupportedArchitecture(
            f"The program takes {len(takes)} tensors: export a module whose forward takes images "
            "alone."
        )
    count, *images = [size.get("as_int") for size in graph["tensor_values"][takes[0]]["sizes"]]
    if len(images) != 3:
        raise UnsupportedArchitecture(
            f"The program takes a tensor of {len(images) + 1} axes, not images (batch, bands, "
            "rows, cols)."
        )
    if count is not None:
        raise UnsupportedArchitecture(
            f"The program takes {count} image{'s' * (count != 1)} at a time, no more and no less: "
            "export it with dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) and two images."
        )
    answers, keyed = _answers(signature["output_specs"], module["module_call_graph"])
    trained = tuple(
        spec["parameter"]["parameter_name"]
        for spec in signature["input_specs"]
        if "parameter" in spec
    )
    return Recorded(takes[0], tuple(images), weights, trained, steps, answers, keyed)


def _answers(
    specs: list[dict[str, Any]], calls: list[dict[str, Any]]
) -> tuple[dict[str, str], bool]:
    names = []
    for spec in specs:
        if "user_output" not in spec:
            raise _in_training()
        if "as_tensor" in spec["user_output"]["arg"]:
            names.append(spec["user_output"]["arg"]["as_tensor"]["name"])
    _, outline = json.loads(calls[0]["signature"]["out_spec"])
    if outline["type"] in _MAPPINGS:
        keys = json.loads(outline["context"])
        if len(keys) == len(names) == len(specs):
            return dict(zip(map(str, keys), names, strict=True)), True
    return {str(number): name for number, name in enumerate(names)}, False


def _in_training() -> UnsupportedArchitecture:
    return UnsupportedArchitecture(
        "The program was exported as in training: call the module's eval() before export."
    )


def _step(node: Mapping[str, Any]) -> Step:
    found: Any = operator_of(node["target"])
    schema = getattr(found, "_schema", None)
    wanted = [one.name for one in schema.arguments if not one.kwarg_only] if schema else []
    args: list[Any] = []
    options: dict[str, Any] = {}
    for given in node["inputs"]:
        value = _value(given["arg"])
        in_order = not options and wanted[len(args) : len(args) + 1] == [given["name"]]
        if schema is None or in_order:
            args.append(value)
        else:
            options[given["name"]] = value
    gives, several = _gives(node["outputs"])
    path = [part.split(",")[1] for part in _called(node.get("metadata") or {})]
    step = Step(gives[0], node["target"], tuple(args), options, gives, several, (path or [""])[-1])
    switch = _TRAINS.get(step.kind)
    if switch and dict(zip(wanted, args, strict=False)).get(switch, options.get(switch)):
        raise _in_training()
    return step


def _gives(outputs: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], bool]:
    """Names of what a call gives, and whether it gives several."""
    pairs = [pair for output in outputs for pair in output.items()]
    if len(pairs) > 1:  # what nobody uses has no name
        first = next(about["name"] for kind, about in pairs if kind == "as_tensor")
        names = [
            about["name"] if kind == "as_tensor" else f"{first}.{number}"
            for number, (kind, about) in enumerate(pairs)
        ]
        return tuple(names), True
    ((kind, about),) = pairs
    if kind == "as_tensors":
        return tuple(one["name"] for one in about), True
    return (about.get("as_name") or about["name"],), False


def _called(metadata: Mapping[str, str]) -> Iterator[str]:
    """The modules that a call lies in, outermost first, as ``key,path,type``."""
    for part in metadata.get("nn_module_stack", "").split(";"):
        if part.count(",") == 2:
            yield part


def _value(arg: Mapping[str, Any]) -> Any:
    """An argument as :class:`Step` has it.

    Raises:
        UnsupportedArchitecture: it is of a kind that is not known.
    """
    ((kind, value),) = arg.items()
    read = _READ.get(kind)
    if read is None:
        raise UnsupportedArchitecture(
            f"The program has an argument {kind.removeprefix('as_')!r}, which is not known here: "
            "import the network's state_dict() with --arch."
        )
    return read(value)


def _tensor(value: Mapping[str, Any]) -> Any:
    return {"of": str(value["name"])}


def _maybe_tensor(value: Mapping[str, Any]) -> Any:
    return _tensor(value["as_tensor"]) if "as_tensor" in value else None


def _size(value: Mapping[str, Any]) -> Any:
    return int(value["as_int"]) if "as_int" in value else {"of": str(value["as_name"])}


def _each(read: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda values: [read(value) for value in values]


def _dtype(value: int) -> Any:
    if value not in DTYPES:
        raise UnsupportedArchitecture(f"The program uses numbers of a kind {value} of torch's.")
    return {"dtype": value}


_READ: dict[str, Callable[[Any], Any]] = {
    "as_none": lambda value: None,
    "as_tensor": _tensor,
    "as_tensors": _each(_tensor),
    "as_optional_tensor": _maybe_tensor,
    "as_optional_tensors": _each(_maybe_tensor),
    "as_int": int,
    "as_ints": _each(int),
    "as_float": float,
    "as_floats": _each(float),
    "as_bool": bool,
    "as_bools": _each(bool),
    "as_string": str,
    "as_sym_int": _size,
    "as_sym_ints": _each(_size),
    "as_scalar_type": _dtype,
    "as_memory_format": lambda value: {"memory": value if value in MEMORY else 4},
    "as_layout": lambda value: None,
    "as_device": lambda value: {"here": True},
}


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "of" in value:
            yield value["of"]
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _names(part)
