"""Thrift's compact protocol, as far as Parquet's description of a file takes it. Pure.

A struct is a mapping of field numbers to values: ``int`` for a 32-bit integer, :class:`Long` for a
64-bit one, ``bytes`` (texts too), a list of values of one kind, or a struct.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_I32, _I64, _BYTES, _LIST, _STRUCT = 5, 6, 8, 9, 12
_MANY = 15  # the number of a list's elements has bytes of its own from here on

Struct = Mapping[int, Any]


class Long(int):
    """A 64-bit integer."""


def struct(fields: Struct) -> bytes:
    """The bytes of a struct.

    Raises:
        ValueError: a field lies more than 15 numbers behind the one before it.
    """
    data, last = bytearray(), 0
    for number, value in sorted(fields.items()):
        if not 0 < number - last <= _MANY:
            raise ValueError(f"field {number} is too far from {last}")
        kind = _kind(value)
        data += bytes([number - last << 4 | kind]) + _bytes(kind, value)
        last = number
    return bytes(data) + b"\0"


def _kind(value: Any) -> int:
    if isinstance(value, int):
        return _I64 if isinstance(value, Long) else _I32
    if isinstance(value, bytes):
        return _BYTES
    return _STRUCT if isinstance(value, Mapping) else _LIST


def _bytes(kind: int, value: Any) -> bytes:
    if kind == _BYTES:
        return varint(len(value)) + bytes(value)
    if kind == _STRUCT:
        return struct(value)
    if kind == _LIST:
        of = _kind(value[0]) if value else _STRUCT
        count = len(value)
        head = bytes([count << 4 | of]) if count < _MANY else bytes([0xF0 | of]) + varint(count)
        return head + b"".join(_bytes(of, one) for one in value)
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)  # zigzag


def varint(value: int) -> bytes:
    """An integer of 0 or more, seven bits a byte, the lowest first."""
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
