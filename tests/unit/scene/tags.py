"""TIFF files edited as no writer would leave them: small ones of one directory, little-endian."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

OFFSETS, COUNTS, PREDICTOR = 324, 325, 317
_SHORT, _LONG = 3, 4


@dataclass
class Tags:
    """The first directory of a file: of each tag its type, its number of values, and the number
    that its entry holds. ``body`` is the rest of the file, to which more may be added.
    """

    body: bytearray
    entries: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Tags:
        """As a file has it."""
        tags = cls(bytearray(path.read_bytes()))
        (at,) = struct.unpack_from("<I", tags.body, 4)
        (count,) = struct.unpack_from("<H", tags.body, at)
        for tag, *rest in struct.iter_unpack("<HHII", tags.body[at + 2 : at + 2 + 12 * count]):
            tags.entries[tag] = rest[0], rest[1], rest[2]
        return tags

    def one(self, tag: int, value: int) -> None:
        """Give a tag one short value."""
        self.entries[tag] = _SHORT, 1, value

    def one_tile(self, data: bytes) -> None:
        """Let these bytes be what is stored of the only tile."""
        self.entries[OFFSETS] = _LONG, 1, len(self.body)
        self.entries[COUNTS] = _LONG, 1, len(data)
        self.body += data

    def stored(self) -> bytes:
        """What is stored of the only tile."""
        at, size = self.entries[OFFSETS][2], self.entries[COUNTS][2]
        return bytes(self.body[at : at + size])

    def write(self, path: Path, *, then: int = 0, far: int = 0) -> None:
        """Write the file, its directory moved to its end.

        Args:
            path: where.
            then: where the next directory is said to lie; -1 for the place of this one.
            far: so many bytes lie in between.
        """
        body = bytearray(self.body) + bytes(far + len(self.body) % 2)
        struct.pack_into("<I", body, 4, len(body))
        entries = [struct.pack("<HHII", tag, *rest) for tag, rest in sorted(self.entries.items())]
        next_one = len(body) if then == -1 else then
        body += struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", next_one)
        path.write_bytes(body)
