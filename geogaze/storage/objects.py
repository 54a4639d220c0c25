"""What storage promises, wherever it keeps its objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path


class Storage(ABC):
    """Whole-object writes, ranged reads; raises StorageUnavailable where the store is away, full
    or refuses. Keys use ``/`` and never start with it.
    """

    @abstractmethod
    def check(self) -> None:
        """See whether objects can be listed at all, at the price of one request.

        Raises:
            StorageUnavailable: they cannot.
        """

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Write an object; it appears whole or not at all."""

    @abstractmethod
    def take_file(self, key: str, path: Path, media_type: str) -> None:
        """Move a file here, in several parts where it is large; where it was it is gone."""

    @abstractmethod
    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Read an object or the bytes ``start`` to ``stop`` (exclusive) of it.

        Raises:
            ObjectNotFound: there is none.
        """

    @abstractmethod
    def size(self, key: str) -> int:
        """Bytes of an object.

        Raises:
            ObjectNotFound: there is none.
        """

    @abstractmethod
    def get_file(self, key: str, path: Path) -> None:
        """Read an object into a file.

        Raises:
            ObjectNotFound: there is none.
        """

    @abstractmethod
    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that start with ``prefix``."""

    @abstractmethod
    def delete(self, prefix: str) -> None:
        """Delete all objects whose key starts with ``prefix``."""

    @abstractmethod
    def remove(self, keys: list[str]) -> None:
        """Delete objects, those that are gone already included."""

    @abstractmethod
    def abort_uploads(self, seconds: float) -> int:
        """Drop drafts of objects that were begun longer ago and never ended; how many."""

    @abstractmethod
    def file(self, key: str) -> Path | None:
        """The file that an object is, where objects are files here; else None."""

    @abstractmethod
    def link(self, key: str, seconds: int) -> str:
        """A URL under which a client may read the object for a while."""
