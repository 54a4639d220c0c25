"""Curves as TensorBoard reads them, written without it.

A file of events is records of a length, a payload and the checksum of each; the payload is a
protocol buffer with four fields. TensorBoard itself would bring a web server and gRPC.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

EVENTS_FILE = "events.out.tfevents.geogaze"

_POLYNOMIAL = 0x82F63B78  # CRC-32C's, reflected


def _checksums() -> list[int]:
    table = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _checksums()


class Events:
    """Figures by step, appended to a file that begins anew."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Write to ``path``; ``clock`` gives seconds since 1970."""
        self._path, self._clock = path, clock
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        self._append(_text(3, "brain.Event:2"))

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures of a step, by the names of their curves."""
        values = b"".join(
            _part(1, _text(1, name) + _key(2, 5) + struct.pack("<f", figure))
            for name, figure in figures.items()
        )
        self._append(_key(2, 0) + _whole(step) + _part(5, values))

    def _append(self, said: bytes) -> None:
        event = _key(1, 1) + struct.pack("<d", self._clock()) + said
        length = struct.pack("<Q", len(event))
        with self._path.open("ab") as file:
            file.write(length + _masked(length) + event + _masked(event))


def _masked(content: bytes) -> bytes:
    """CRC-32C, turned and shifted, so that a checksum of checksums is no trivial one."""
    value = 0xFFFFFFFF
    for byte in content:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    value ^= 0xFFFFFFFF
    turned = (value >> 15 | value << 17) & 0xFFFFFFFF
    return struct.pack("<I", (turned + 0xA282EAD8) & 0xFFFFFFFF)


def _key(field: int, wire: int) -> bytes:
    return bytes([field << 3 | wire])


def _part(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _whole(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode())


def _whole(number: int) -> bytes:
    """A whole number, seven bits to a byte."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
