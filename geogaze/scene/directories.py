"""The directories at the start of a remote TIFF, looked through before a decoder trusts them.

async-tiff follows a chain of directories that never ends, makes room for as many entries as a file
claims to have, and fetches a file from its first byte up to its last directory. So it is handed
the bytes of directories that are known to be sound, and no others.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

_FIRST_BYTES = 2**16  # of the first request; most headers are shorter
_MOST_BYTES = 2**24  # from the file's start; what is further away is left to GDAL
_MOST_VALUES = 2**21  # of all entries, each of which takes 32 bytes in async-tiff
_MOST_DIRECTORIES = 64
_ORDERS = {b"II": "<", b"MM": ">"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}  # of one value of each type, in bytes
_BIG = 43  # the version of a BigTIFF


async def read_directories(get: Callable[[int, int], Awaitable[bytes]]) -> bytes | None:
    """The start of a file, as far as its directories and their values reach.

    Args:
        get: gives the bytes from one place to another, fewer at the file's end.

    Returns:
        None where the file has none that are sound and near its start.
    """
    data = await get(0, _FIRST_BYTES)
    try:
        while (reach := _reach(data)) > len(data):
            wanted = min(max(reach, 2 * len(data)), _MOST_BYTES)
            data += await get(len(data), wanted)
            if len(data) < reach:
                return None
    except _NotSound:
        return None
    return data


def _reach(data: bytes) -> int:
    """How many bytes the directories take, as far as the first of them tell.

    Raises:
        _NotSound: they are damaged, take too much, or never end.
    """
    order = _ORDERS.get(data[:2])
    if order is None or len(data) < 16:
        raise _NotSound
    big = struct.unpack_from(f"{order}H", data, 2)[0] == _BIG
    many, entry, place = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    size = {form: struct.calcsize(order + form) for form in (many, entry, place)}
    (at,) = struct.unpack_from(order + place, data, 8 if big else 4)
    reach = values = 0
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) == _MOST_DIRECTORIES:
            raise _NotSound
        seen.add(at)
        first = at + size[many]
        if first > len(data):
            return _near(first)
        (count,) = struct.unpack_from(order + many, data, at)
        stop = _near(first + count * size[entry])
        if stop + size[place] > len(data):
            return _near(stop + size[place])
        for _, kind, number, held in struct.iter_unpack(order + entry, data[first:stop]):
            length = _SIZES.get(kind, 0) * number
            values += number
            if kind not in _SIZES or values > _MOST_VALUES:
                raise _NotSound
            if length > size[place]:
                # What is held is a place, else the values themselves.
                reach = max(reach, _near(held + length))
        reach = max(reach, stop + size[place])
        (at,) = struct.unpack_from(order + place, data, stop)
    return reach


def _near(end: int) -> int:
    if end > _MOST_BYTES:
        raise _NotSound
    return end


class _NotSound(Exception):
    """Directories that are better left to GDAL."""
