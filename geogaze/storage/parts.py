"""Objects that come in parts from outside, in any order, and are there once all parts are."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from typing_extensions import override

from geogaze.errors import ObjectNotFound
from geogaze.storage.bucket import S3Storage
from geogaze.storage.folder import FolderStorage
from geogaze.storage.objects import Storage

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import PartTypeDef

MOST = 10_000
"""Parts of one object, as S3 has it."""


class Parts(ABC):
    """How parts come to a storage. They count from 1; a part that comes again is replaced."""

    smallest = 1
    """Bytes that every part but the last must have."""

    @abstractmethod
    def begin(self, key: str) -> str:
        """Expect parts of an object; by which name."""

    @abstractmethod
    def address(self, key: str, name: str, number: int, size: int, seconds: int) -> str | None:
        """Where a client may PUT a part of this size for a while; None: here, by :meth:`put`."""

    @abstractmethod
    def put(self, key: str, name: str, number: int, data: bytes) -> None:
        """Keep a part."""

    @abstractmethod
    def received(self, key: str, name: str) -> dict[int, int]:
        """The size of each part that is there, by its number.

        Raises:
            ObjectNotFound: no parts are expected under this name (any more).
        """

    @abstractmethod
    def finish(self, key: str, name: str) -> None:
        """Make the object of all parts, in their order."""

    @abstractmethod
    def abort(self, key: str, name: str) -> None:
        """Drop all parts, if there are any."""


class BucketParts(Parts):
    """Multipart uploads of S3: parts go to the bucket, past this process."""

    smallest = 5 * 2**20

    def __init__(self, storage: S3Storage) -> None:
        self._storage = storage

    @override
    def begin(self, key: str) -> str:
        store = self._storage
        with store.errors(key):
            begun = store.client.create_multipart_upload(
                Bucket=store.bucket, Key=store.prefix + key
            )
            return begun["UploadId"]

    @override
    def address(self, key: str, name: str, number: int, size: int, seconds: int) -> str | None:
        store = self._storage
        return store.signer.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": store.bucket,
                "Key": store.prefix + key,
                "UploadId": name,
                "PartNumber": number,
                "ContentLength": size,  # signed: the bucket takes no more
            },
            ExpiresIn=seconds,
        )

    @override
    def put(self, key: str, name: str, number: int, data: bytes) -> None:
        store = self._storage
        with store.errors(key):
            store.client.upload_part(
                Bucket=store.bucket,
                Key=store.prefix + key,
                UploadId=name,
                PartNumber=number,
                Body=data,
            )

    @override
    def received(self, key: str, name: str) -> dict[int, int]:
        return {part["PartNumber"]: part["Size"] for part in self._listed(key, name)}

    def _listed(self, key: str, name: str) -> list[PartTypeDef]:
        store = self._storage
        with store.errors(key):
            pages = store.client.get_paginator("list_parts").paginate(
                Bucket=store.bucket, Key=store.prefix + key, UploadId=name
            )
            return [part for page in pages for part in page.get("Parts", [])]

    @override
    def finish(self, key: str, name: str) -> None:
        store = self._storage
        parts = self._listed(key, name)
        with store.errors(key):
            store.client.complete_multipart_upload(
                Bucket=store.bucket,
                Key=store.prefix + key,
                UploadId=name,
                MultipartUpload={
                    "Parts": [
                        {"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts
                    ]
                },
            )

    @override
    def abort(self, key: str, name: str) -> None:
        store = self._storage
        try:
            with store.errors(key):
                store.client.abort_multipart_upload(
                    Bucket=store.bucket, Key=store.prefix + key, UploadId=name
                )
        except ObjectNotFound:
            return


class FolderParts(Parts):
    """Files beside the object to come; parts come through this process."""

    def __init__(self, storage: FolderStorage) -> None:
        self._storage = storage

    @override
    def begin(self, key: str) -> str:
        return f"{key.rpartition('/')[0]}/parts/"

    @override
    def address(self, key: str, name: str, number: int, size: int, seconds: int) -> str | None:
        return None

    @override
    def put(self, key: str, name: str, number: int, data: bytes) -> None:
        self._storage.put(f"{name}{number:05}", data)

    @override
    def received(self, key: str, name: str) -> dict[int, int]:
        store = self._storage
        return {
            int(part.rpartition("/")[2]): store.path(part).stat().st_size
            for part in store.keys(name)
        }

    @override
    def finish(self, key: str, name: str) -> None:
        store = self._storage
        with store.landing(key) as draft, draft.open("wb") as whole:
            for part in store.keys(name):
                with store.path(part).open("rb") as source:
                    shutil.copyfileobj(source, whole, 2**20)
        store.delete(name)

    @override
    def abort(self, key: str, name: str) -> None:
        self._storage.delete(name)


def parts_of(storage: Storage) -> Parts:
    """How parts come to a storage."""
    if isinstance(storage, S3Storage):
        return BucketParts(storage)
    if isinstance(storage, FolderStorage):
        return FolderParts(storage)
    raise TypeError(f"{type(storage).__name__} takes no parts")
