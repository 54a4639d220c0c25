"""The layers of features that finished jobs have: which there are, where their files lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakSet

from api.dependencies import Services
from api.results import products
from geogaze.errors import InvalidRequest, ObjectNotFound
from geogaze.gis.copies import Copy, sweep
from geogaze.gis.frames import Frame
from geogaze.gis.geopackage import read_layer
from geogaze.gis.keeping import Kept
from geogaze.products.product import GEOPACKAGE
from geogaze.storage import Storage

_DESCRIBED = 256  # layers whose description is kept


@dataclass(frozen=True)
class Collection:
    """A layer of a job: its product, where it lies on the Earth, and its file on this machine,
    which ``held`` keeps there where it is a copy.
    """

    name: str
    made: Mapping[str, Any]
    frame: Frame
    file: Path
    held: Copy | None = None


class Features:
    """The collections of jobs, from their GeoPackages.

    Args:
        storage: where products lie.
        most: bytes of copies that are kept, where storage has no files here.
        folder: where copies lie; None: the system's for such things.
    """

    def __init__(self, storage: Storage, most: int, folder: Path | None) -> None:
        sweep(folder)
        self._storage, self._folder = storage, folder
        self._copies, self._all = Kept[Copy](most), WeakSet[Copy]()
        self._described = lru_cache(_DESCRIBED)(lambda path: Frame(read_layer(path)))

    def close(self) -> None:
        """Remove all copies: servers end by a signal, after which nothing cleans up by itself."""
        for copy in list(self._all):
            copy.close()

    def of(self, services: Services, job_id: UUID) -> list[Collection]:
        """All collections of a successful job that can be told: they lie on the Earth, and their
        copies have room.

        Raises:
            JobFailed, ResultsGone, ResultNotReady: it has no products.
        """
        found = []
        for name, made in _packages(services, job_id).items():
            try:
                found.append(self._opened(name, made))
            except InvalidRequest:
                continue
        return found

    def one(self, services: Services, job_id: UUID, name: str) -> Collection:
        """A collection by its name.

        Raises:
            ObjectNotFound: there is none.
            InvalidRequest: it cannot be told.
            JobFailed, ResultsGone, ResultNotReady: the job has no products.
        """
        there = _packages(services, job_id)
        if name not in there:
            raise ObjectNotFound(
                f"Job {job_id} has no collection {name[:80]!r}; it has "
                f"{', '.join(there) or 'none'}."
            )
        return self._opened(name, there[name])

    def _opened(self, name: str, made: Mapping[str, Any]) -> Collection:
        path, held = self._storage.file(made["key"]), None
        if path is None:
            if made["size"] > self._copies.most:  # before it is fetched
                raise InvalidRequest(
                    f"{made['file']} has {made['size']:,} bytes, and {self._copies.most:,} of such "
                    "files are kept (GEOGAZE_FEATURES_MB): fetch the file instead."
                )
            held = self._copy(made)
            path = held.path
        elif not path.is_file():
            raise ObjectNotFound(f"{made['file']} is gone from storage; submit the job again.")
        frame = self._described(path)
        frame.check()
        return Collection(name, made, frame, path, held)

    def _copy(self, made: Mapping[str, Any]) -> Copy:
        copy = self._copies.get(made["sha256"], lambda: self._copied(made["key"]))
        if not copy.path.is_file():  # systems clear their folders for such things
            self._copies.forget(made["sha256"])
            copy = self._copies.get(made["sha256"], lambda: self._copied(made["key"]))
        return copy

    def _copied(self, key: str) -> Copy:
        made = Copy(self._folder, lambda path: self._storage.get_file(key, path))
        self._all.add(made)
        return made


def _packages(services: Services, job_id: UUID) -> dict[str, dict[str, Any]]:
    """The GeoPackages of a job, by the names of its collections."""
    return {
        made["file"].removesuffix(".gpkg"): made
        for made in products(services, job_id).values()
        if made["type"] == GEOPACKAGE
    }
