"""Objects as files below a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from typing_extensions import override

from geogaze.errors import ObjectNotFound, StorageUnavailable
from geogaze.storage.objects import Storage

_DRAFT = ".geogaze-draft-"


class FolderStorage(Storage):
    """Objects as files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.root / key

    @override
    def check(self) -> None:
        with self._errors(""):
            self.root.mkdir(parents=True, exist_ok=True)
            next(self.root.iterdir(), None)

    @override
    def put(self, key: str, data: bytes) -> None:
        with self.landing(key) as draft:
            draft.write_bytes(data)

    @override
    def take_file(self, key: str, path: Path, media_type: str) -> None:
        with path.open("rb"), self.landing(key) as draft:  # what cannot be read is not our fault
            try:
                path.replace(draft)  # products are large, and scratch often lies on the same disk
            except OSError:
                shutil.copyfile(path, draft)
                path.unlink()

    @contextmanager
    def landing(self, key: str) -> Iterator[Path]:
        """A file to write, which becomes the object where that ends well."""
        target = self.path(key)
        with self._errors(key):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=_DRAFT)
            os.close(handle)
            draft = Path(name)
            try:
                yield draft
                draft.chmod(0o644)
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)

    @override
    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        with self._errors(key), self._opened(key) as file:
            file.seek(start)
            return file.read(-1 if stop is None else stop - start)

    @override
    def size(self, key: str) -> int:
        with self._opened(key) as file:
            return os.fstat(file.fileno()).st_size

    @override
    def get_file(self, key: str, path: Path) -> None:
        with self._opened(key) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)

    def _opened(self, key: str) -> BinaryIO:
        with self._errors(key):
            try:
                return self.path(key).open("rb")
            except FileNotFoundError as error:
                gone = ObjectNotFound(f"There is no object {key!r} in {self.root}.")
                gone.key = key
                raise gone from error

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = f"{self.root} refused {key!r}: {error}. Is it full or read-only?"
            raise StorageUnavailable(problem) from error

    @override
    def keys(self, prefix: str) -> Iterator[str]:
        def unreadable(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # others may remove objects meanwhile
                raise error

        folder = self.path(prefix.rpartition("/")[0])
        landed = (
            Path(parent, name).relative_to(self.root).as_posix()
            for parent, _, names in os.walk(folder, onerror=unreadable)
            for name in names
            if not name.startswith(".")
        )
        with self._errors(prefix):
            listed = sorted(key for key in landed if key.startswith(prefix))
        yield from listed

    @override
    def delete(self, prefix: str) -> None:
        if prefix.endswith("/"):
            shutil.rmtree(self.path(prefix), ignore_errors=True)
            return
        self.remove(list(self.keys(prefix)))

    @override
    def remove(self, keys: list[str]) -> None:
        for key in keys:
            with self._errors(key):
                self.path(key).unlink(missing_ok=True)
            with suppress(OSError):  # not empty: others of its attempt are to go yet
                self.path(key).parent.rmdir()

    @override
    def abort_uploads(self, seconds: float) -> int:
        old, removed = time.time() - seconds, 0
        with self._errors(_DRAFT):
            for draft in self.root.rglob(f"{_DRAFT}*"):
                with suppress(FileNotFoundError):  # it has landed meanwhile
                    if draft.stat().st_mtime < old:
                        draft.unlink()
                        removed += 1
        return removed

    @override
    def file(self, key: str) -> Path | None:
        return self.path(key)

    @override
    def link(self, key: str, seconds: int) -> str:
        return self.path(key).as_uri()
