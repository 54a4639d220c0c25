"""Objects by key, in an S3-compatible bucket or in a folder."""

from __future__ import annotations

from pathlib import Path

from geogaze.config import Settings
from geogaze.storage.bucket import S3Storage
from geogaze.storage.folder import FolderStorage
from geogaze.storage.objects import Storage

__all__ = ["FolderStorage", "S3Storage", "Storage", "open_storage", "storage_at"]


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name."""
    return storage_at(settings.storage, settings)


def storage_at(address: str, settings: Settings) -> Storage:
    """Objects below ``s3://BUCKET[/PREFIX]``, reached as the settings say, or in a folder."""
    if address.startswith("s3://"):
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        return S3Storage(bucket, f"{prefix}/" if prefix else "", settings)
    return FolderStorage(Path(address))
