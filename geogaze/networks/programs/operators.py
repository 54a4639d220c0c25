"""Operators that a program may use: ATen's, of tensors and numbers alone."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import torch

from geogaze.errors import UnsupportedArchitecture

DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""By the numbers that files have for them."""

MEMORY = {1: torch.contiguous_format, 2: torch.channels_last, 4: torch.preserve_format}
"""Memory formats likewise."""

_NAME = re.compile(r"torch\.ops\.aten\.([a-z][a-z0-9_]*)\.([A-Za-z][A-Za-z0-9_]*)")
_OF_SIZES: dict[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in ("add", "sub", "mul", "floordiv", "mod", "neg")
}
_WRAPPED = re.compile(r"Optional\[|List\[|\]")
_NUMBERS = frozenset({"Tensor", "int", "SymInt", "float", "bool", "number", "Scalar", "Device"})
_WORDS = frozenset({"approximate", "equation", "mode", "padding", "rounding_mode"})
_DECOMPOSED = frozenset(
    {"convolution", "_softmax", "native_layer_norm", "native_group_norm", "native_batch_norm"}
    | {"_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "addmm"}
)


def operator_of(target: str) -> Callable[..., Any]:
    """The operator of a name, such as ``torch.ops.aten.conv2d.default``.

    Raises:
        UnsupportedArchitecture: there is none, or it is none of tensors and numbers alone.
    """
    if target in _OF_SIZES:
        return _OF_SIZES[target]
    if target.removeprefix("torch.ops.aten.").partition(".")[0] in _DECOMPOSED:
        raise UnsupportedArchitecture(
            "The program is decomposed, so that its layers are not known: save what "
            "torch.export.export gives, without run_decompositions()."
        )
    match = _NAME.fullmatch(target)
    if match is None:
        raise UnsupportedArchitecture(
            f"The program uses {target[:80]}, which is none of ATen's operators: export the module "
            "in eval(), outside of torch.no_grad() and autocast, without operators of other "
            "packages."
        )
    name, overload = match.groups()
    packet = getattr(torch.ops.aten, name, None)
    found: Any = getattr(packet, overload, None) if packet else None
    if found is None or not _of_numbers(found):
        raise UnsupportedArchitecture(
            f"The program uses ATen's {name}.{overload}, which this torch does not have, or which "
            "is not of tensors and numbers alone: import the network's state_dict() with --arch."
        )
    result: Callable[..., Any] = found
    return result


def _of_numbers(found: Any) -> bool:
    """Whether an operator takes tensors, numbers and a few words alone; no names of files, say."""
    return all(
        (kind := _WRAPPED.sub("", str(one.type))) in _NUMBERS
        or (kind == "str" and one.name in _WORDS)
        for one in found._schema.arguments  # noqa: SLF001  no public name
    )
