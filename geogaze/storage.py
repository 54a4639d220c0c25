"""Objects by key, in an S3-compatible bucket or in a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from typing_extensions import override

from geogaze.config import Settings
from geogaze.errors import ObjectNotFound, StorageUnavailable
from geogaze.s3 import s3_client, s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MULTIPART_BYTES = 16 * 2**20
_DELETE_AT_ONCE = 1000
_DRAFT = ".geogaze-draft-"


class Storage(ABC):
    """Whole-object writes, ranged reads; raises StorageUnavailable where the store is away, full
    or refuses. Keys use ``/`` and never start with it.
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
    def link(self, key: str, seconds: int) -> str:
        """A URL under which a client may read the object for a while."""


class FolderStorage(Storage):
    """Objects as files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.root / key

    @override
    def put(self, key: str, data: bytes) -> None:
        with self._landing(key) as draft:
            draft.write_bytes(data)

    @override
    def take_file(self, key: str, path: Path, media_type: str) -> None:
        with path.open("rb"), self._landing(key) as draft:  # what cannot be read is not our fault
            try:
                path.replace(draft)  # products are large, and scratch often lies on the same disk
            except OSError:
                shutil.copyfile(path, draft)
                path.unlink()

    @contextmanager
    def _landing(self, key: str) -> Iterator[Path]:
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
    def get_file(self, key: str, path: Path) -> None:
        with self._opened(key) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)

    def _opened(self, key: str) -> BinaryIO:
        with self._errors(key):
            try:
                return self.path(key).open("rb")
            except FileNotFoundError as error:
                raise ObjectNotFound(f"There is no object {key!r} in {self.root}.") from error

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
    def link(self, key: str, seconds: int) -> str:
        return self.path(key).as_uri()


class S3Storage(Storage):
    """Objects in a bucket of any S3-compatible service."""

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self._settings = settings

    @cached_property
    def client(self) -> S3Client:
        """The client for reading and writing."""
        return s3_client(self._settings)

    @cached_property
    def _signer(self) -> S3Client:
        return s3_client(self._settings, endpoint=self._settings.s3_public_endpoint)

    @override
    def put(self, key: str, data: bytes) -> None:
        with self._errors(key):
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data)

    @override
    def take_file(self, key: str, path: Path, media_type: str) -> None:
        from boto3.s3.transfer import TransferConfig

        with self._errors(key):
            self.client.upload_file(
                str(path),
                self.bucket,
                self.prefix + key,
                ExtraArgs={"ContentType": media_type},
                Config=TransferConfig(
                    multipart_threshold=_MULTIPART_BYTES, multipart_chunksize=_MULTIPART_BYTES
                ),
            )
        path.unlink()

    @override
    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        if stop is not None and stop <= start:
            return b""  # S3 would ignore such a range and send everything
        span = f"bytes={start}-{'' if stop is None else stop - 1}"
        with self._errors(key):
            answer = self.client.get_object(
                Bucket=self.bucket,
                Key=self.prefix + key,
                **({"Range": span} if start or stop is not None else {}),  # type: ignore[arg-type]
            )
            return answer["Body"].read()

    @override
    def get_file(self, key: str, path: Path) -> None:
        with self._errors(key):
            self.client.download_file(self.bucket, self.prefix + key, str(path))

    @override
    def keys(self, prefix: str) -> Iterator[str]:
        with self._errors(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    yield entry["Key"].removeprefix(self.prefix)

    @override
    def delete(self, prefix: str) -> None:
        self.remove(list(self.keys(prefix)))

    @override
    def remove(self, keys: list[str]) -> None:
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            batch = keys[start : start + _DELETE_AT_ONCE]
            with self._errors(batch[0]):
                answer = self.client.delete_objects(
                    Bucket=self.bucket,
                    Delete={"Objects": [{"Key": self.prefix + key} for key in batch]},
                )
            if refused := answer.get("Errors"):
                raise StorageUnavailable(
                    f"S3 did not delete {len(refused)} objects in {self.bucket}, such as "
                    f"{refused[0].get('Key')!r}: {refused[0].get('Message')}"
                )

    @override
    def abort_uploads(self, seconds: float) -> int:
        old = datetime.now(UTC) - timedelta(seconds=seconds)
        with self._errors(self.prefix):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            )
            uploads = [one for page in pages for one in page.get("Uploads", [])]
        stale = [one for one in uploads if one["Initiated"] < old]
        for one in stale:
            # It may have ended in the meantime.
            with suppress(ObjectNotFound), self._errors(one["Key"]):
                self.client.abort_multipart_upload(
                    Bucket=self.bucket, Key=one["Key"], UploadId=one["UploadId"]
                )
        return len(stale)

    @override
    def link(self, key: str, seconds: int) -> str:
        return self._signer.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": self.prefix + key},
            ExpiresIn=seconds,
        )

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        away, refused = s3_errors()
        try:
            yield
        except refused as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey", "NoSuchUpload"}:
                raise ObjectNotFound(f"There is no object {key!r} in {self.bucket}.") from error
            raise StorageUnavailable(f"S3 refused {key!r} in {self.bucket}: {error}") from error
        except away as error:
            raise StorageUnavailable(f"S3 did not answer for {key!r}: {error}") from error


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name."""
    if settings.storage.startswith("s3://"):
        bucket, _, prefix = settings.storage.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        return S3Storage(bucket, f"{prefix}/" if prefix else "", settings)
    return FolderStorage(Path(settings.storage))
