"""Tables as Parquet, written row group by row group: of a large one, one group is in memory.

Columns of plain values, one data page each in a group, deflated (GZIP). Parquet's libraries cost
more than all that the light install runs a network with but OpenVINO, and what is written here is
the plainest part of the format, which all of them read.
"""

from __future__ import annotations

import struct as packing
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geogaze.products.make.thrift import Long, Struct, struct, varint
from geogaze.version import VERSION

_MAGIC = b"PAR1"
_GZIP = 2
_PLAIN, _RLE = 0, 3
_REQUIRED, _OPTIONAL = 0, 1
_LEVEL = 1  # higher ones are half as quick and save nothing: floats are noise
_GZIP_WINDOW = 31  # zlib's way to ask for gzip's frame, without a time in it


class Kind(IntEnum):
    """Types of values, by Parquet's numbers; TEXT is BYTES that say that they are UTF-8."""

    INT32 = 1
    FLOAT = 4
    DOUBLE = 5
    BYTES = 6
    TEXT = 106


KINDS = {
    "int32": Kind.INT32,
    "float": Kind.FLOAT,
    "double": Kind.DOUBLE,
    "binary": Kind.BYTES,
    "string": Kind.TEXT,
}
"""By the names that Parquet's tools have for them."""


@dataclass(frozen=True)
class Column:
    """A column's name and type; ``gaps`` where values may be missing.

    ``within`` is the struct that it is a field of, whose fields follow each other.
    """

    name: str
    kind: Kind
    gaps: bool = False
    within: str = ""

    @property
    def path(self) -> list[str]:
        """Its name, below that of its struct."""
        return [self.within, self.name] if self.within else [self.name]

    @property
    def described(self) -> Struct:
        """Its element of the schema."""
        text = {6: 0, 10: {1: {}}} if self.kind == Kind.TEXT else {}
        repeated = _OPTIONAL if self.gaps else _REQUIRED
        return {1: self.stored, 3: repeated, 4: self.name.encode(), **text}

    @property
    def stored(self) -> int:
        """Parquet's number of the type its values are stored in."""
        return int(Kind.BYTES if self.kind == Kind.TEXT else self.kind)


class Values(NamedTuple):
    """Some values of a column, all of a row group's.

    ``data`` are those that there are: (m,) int32, float32 or float64, or, of BYTES and TEXT, their
    bytes laid together, each behind its length in four; ``there`` (n,) says which rows they are
    of, None where all are.
    """

    data: NDArray[Any] | bytes
    there: NDArray[np.bool_] | None = None


class ParquetWriter:
    """A file that grows by row groups.

    Args:
        target: the file.
        columns: of the table.

    Used as a context: what it says of itself is written where that ends well.
    """

    def __init__(self, target: Path, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        self._groups: list[Struct] = []
        self._rows = 0
        self._metadata: dict[str, str] = {}
        self._file = target.open("wb")
        self._file.write(_MAGIC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if error is None:
                self._finish()

    def add(self, rows: int, values: Mapping[str, Values]) -> None:
        """Write a row group.

        Args:
            rows: how many it has.
            values: of each column, by its name; ``struct.field`` where it is a field of one.
        """
        start = self._file.tell()
        chunks = [
            self._chunk(column, rows, values[".".join(column.path)]) for column in self._columns
        ]
        sizes = [sum(chunk[3][number] for chunk in chunks) for number in (6, 7)]
        self._groups.append(
            {
                1: chunks,
                2: Long(sizes[0]),
                3: Long(rows),
                5: Long(start),
                6: Long(sizes[1]),
            }
        )
        self._rows += rows

    def say(self, metadata: Mapping[str, str]) -> None:
        """Add to what the file says of itself beside its schema."""
        self._metadata |= metadata

    def _chunk(self, column: Column, rows: int, values: Values) -> dict[int, Any]:
        """Write a column's page of a row group; what the file's end says of it."""
        data = values.data if isinstance(values.data, bytes) else values.data.tobytes()
        there = np.ones(rows, dtype=bool) if values.there is None else values.there
        if column.gaps:
            data = _levels(there) + data
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        packed = packer.compress(data) + packer.flush()
        page = {1: rows, 2: _PLAIN, 3: _RLE, 4: _RLE}
        header = struct({1: 0, 2: len(data), 3: len(packed), 5: page})
        start = self._file.tell()
        self._file.write(header)
        self._file.write(packed)
        about = {
            1: column.stored,
            2: [_PLAIN, _RLE],
            3: [name.encode() for name in column.path],
            4: _GZIP,
            5: Long(rows),
            6: Long(len(header) + len(data)),
            7: Long(len(header) + len(packed)),
            9: Long(start),
            12: _statistics(values.data, rows - int(there.sum())),
        }
        return {2: Long(start), 3: about}

    def _finish(self) -> None:
        elements = _schema(self._columns)
        end = struct(
            {
                1: 2,
                2: elements,
                3: Long(self._rows),
                4: self._groups,
                5: [{1: k.encode(), 2: v.encode()} for k, v in self._metadata.items()],
                6: f"geogaze version {VERSION}".encode(),
                7: [{1: {}} for _ in self._columns],  # the lowest and highest by their types' order
            }
        )
        self._file.write(end + packing.pack("<I", len(end)) + _MAGIC)


def _schema(columns: Sequence[Column]) -> list[Struct]:
    """The tree of columns, each struct before its fields."""
    elements: list[Struct] = []
    top = 0
    for within, several in groupby(columns, key=lambda column: column.within):
        fields = [column.described for column in several]
        if within:
            elements.append({3: _REQUIRED, 4: within.encode(), 5: len(fields)})
        elements += fields
        top += 1 if within else len(fields)
    return [{4: b"schema", 5: top}, *elements]


def _levels(there: NDArray[np.bool_]) -> bytes:
    """Which values there are, behind its length: one run of bits, eight values a byte."""
    bits = np.packbits(there, bitorder="little").tobytes()
    run = varint(len(bits) << 1 | 1) + bits
    return packing.pack("<I", len(run)) + run


def _statistics(values: NDArray[Any] | bytes, missing: int) -> Struct:
    """How many values are missing, and the lowest and highest of numbers."""
    known: dict[int, Any] = {3: Long(missing)}
    if not isinstance(values, bytes) and values.size:
        low, high = values.min(), values.max()
        if values.dtype.kind == "f":  # both zeros are within
            low, high = (x or values.dtype.type(zero) for x, zero in ((low, -0.0), (high, 0.0)))
        known |= {5: high.tobytes(), 6: low.tobytes()}
    return known


def with_lengths(texts: Sequence[bytes]) -> list[bytes]:
    """Bytes, each behind its length, as BYTES and TEXT are laid together."""
    return [packing.pack("<I", len(text)) + text for text in texts]
