"""Objects read as files are, piece by piece, wherever they lie."""

from __future__ import annotations

import io
import os

from typing_extensions import Buffer, override

from geogaze.storage.objects import Storage

_PIECE = 4 * 2**20


def open_object(storage: Storage, key: str) -> io.BufferedReader:
    """An object, to be read from any place; each piece of 4 MiB is one request.

    Raises:
        ObjectNotFound: there is none.
    """
    return io.BufferedReader(_Pieces(storage, key), _PIECE)


class _Pieces(io.RawIOBase):
    def __init__(self, storage: Storage, key: str) -> None:
        self._storage, self._key = storage, key
        self._size, self._at = storage.size(key), 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        room = memoryview(buffer).cast("B")
        stop = min(self._size, self._at + len(room))
        if stop <= self._at:
            return 0
        data = self._storage.get(self._key, self._at, stop)
        room[: len(data)] = data
        self._at += len(data)
        return len(data)
