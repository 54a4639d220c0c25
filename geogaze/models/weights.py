"""Whether a file is safetensors, by its header alone: no tensor is read, nothing is executed.

The format: eight bytes of length, a JSON object of tensors by name, and their bytes without gaps.
"""

from __future__ import annotations

import json
import math
from typing import IO, Any

from geogaze.errors import InvalidBundle

_LENGTH = 8
_LONGEST_HEADER = 100 * 2**20  # as the format has it
_METADATA = "__metadata__"
_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}


def check_header(file: IO[bytes], size: int, told: object) -> bytes:
    """Read the header of weights, and refuse what is none.

    Args:
        file: at its beginning; read to the header's end.
        size: of the file, in bytes.
        told: how messages call it.

    Returns:
        What was read.

    Raises:
        InvalidBundle: it is no safetensors file, or is cut short.
    """
    length = file.read(_LENGTH)
    count = int.from_bytes(length, "little")
    if len(length) < _LENGTH or not 0 < count <= min(_LONGEST_HEADER, size - _LENGTH):
        raise InvalidBundle(f"{told} is no safetensors file: its header has no length.")
    header = file.read(count)
    try:
        tensors = {k: v for k, v in json.loads(header).items() if k != _METADATA}
        spans = sorted(_span(tensor) for tensor in tensors.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidBundle(
            f"{told} is no safetensors file: its header cannot be read ({error!r})."
        ) from error
    ends = [0, *(stop for _, stop in spans)]
    if [start for start, _ in spans] != ends[:-1] or ends[-1] != size - _LENGTH - count:
        raise InvalidBundle(
            f"{told} has {size - _LENGTH - count:,} bytes of tensors, and its header is of "
            f"{ends[-1]:,}, one behind the other: it is cut short or damaged."
        )
    return length + header


def _span(tensor: dict[str, Any]) -> tuple[int, int]:
    """Where a tensor begins and ends."""
    start, stop = tensor["data_offsets"]
    shape = tensor["shape"]
    if not all(isinstance(number, int) and number >= 0 for number in (start, *shape)):
        raise ValueError(f"a tensor of {shape} at {start}")
    if stop - start != math.prod(shape) * _BYTES[tensor["dtype"]]:
        raise ValueError(f"a tensor of {shape} from {start} to {stop}")
    return start, stop
