"""Objects in a bucket of any S3-compatible service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from geogaze.config import Settings
from geogaze.errors import ObjectNotFound, StorageUnavailable
from geogaze.s3 import s3_client, s3_errors
from geogaze.storage.objects import Storage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MULTIPART_BYTES = 16 * 2**20
_DELETE_AT_ONCE = 1000


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
    def signer(self) -> S3Client:
        """The client that makes addresses for others, who may see another endpoint."""
        return s3_client(self._settings, endpoint=self._settings.s3_public_endpoint)

    @override
    def check(self) -> None:
        with self.errors(self.prefix):
            self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)

    @override
    def put(self, key: str, data: bytes) -> None:
        with self.errors(key):
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data)

    @override
    def take_file(self, key: str, path: Path, media_type: str) -> None:
        from boto3.s3.transfer import TransferConfig

        with self.errors(key):
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
        with self.errors(key):
            answer = self.client.get_object(
                Bucket=self.bucket,
                Key=self.prefix + key,
                **({"Range": span} if start or stop is not None else {}),  # type: ignore[arg-type]
            )
            return answer["Body"].read()

    @override
    def size(self, key: str) -> int:
        with self.errors(key):
            head = self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)
        return head["ContentLength"]

    @override
    def get_file(self, key: str, path: Path) -> None:
        with self.errors(key):
            self.client.download_file(self.bucket, self.prefix + key, str(path))

    @override
    def keys(self, prefix: str) -> Iterator[str]:
        with self.errors(prefix):
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
            with self.errors(batch[0]):
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
        with self.errors(self.prefix):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            )
            uploads = [one for page in pages for one in page.get("Uploads", [])]
        stale = [one for one in uploads if one["Initiated"] < old]
        for one in stale:
            # It may have ended in the meantime.
            with suppress(ObjectNotFound), self.errors(one["Key"]):
                self.client.abort_multipart_upload(
                    Bucket=self.bucket, Key=one["Key"], UploadId=one["UploadId"]
                )
        return len(stale)

    @override
    def file(self, key: str) -> Path | None:
        return None

    @override
    def link(self, key: str, seconds: int) -> str:
        return self.signer.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": self.prefix + key},
            ExpiresIn=seconds,
        )

    @contextmanager
    def errors(self, key: str) -> Iterator[None]:
        """Name what boto3 raises as storage does."""
        away, refused = s3_errors()
        try:
            yield
        except refused as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey", "NoSuchUpload"}:
                gone = ObjectNotFound(f"There is no object {key!r} in {self.bucket}.")
                gone.key = key
                raise gone from error
            raise StorageUnavailable(f"S3 refused {key!r} in {self.bucket}: {error}") from error
        except away as error:
            raise StorageUnavailable(f"S3 did not answer for {key!r}: {error}") from error
