"""What is known of an upload, what it is known by, and what can be wrong with one."""

from __future__ import annotations

import hashlib
import math
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from geogaze.errors import GeogazeError, InvalidRequest
from geogaze.scene.policy import UPLOADS

RECORD = "upload.json"
"""The object beside the upload that holds what is known of it."""
_TENANTS_DIGITS = 19  # of an id, hyphens included: its first half


class UploadNotFound(GeogazeError):
    """No upload has this id, or it has expired, or it was refused."""

    status = 404
    slug = "no-such-upload"
    title = "There is no such upload"


class UploadIncomplete(GeogazeError):
    """An upload was said to be complete, and parts are missing."""

    status = 409
    slug = "upload-incomplete"
    title = "Parts of the upload are missing"


class UploadTooLarge(GeogazeError):
    """More is to be uploaded than this server takes."""

    status = 413
    slug = "upload-too-large"
    title = "The upload is too large"


class UploadRefused(InvalidRequest):
    """What was uploaded is not what was announced, or no scene; it is gone."""

    slug = "upload-refused"
    title = "The upload was refused"


class Upload(BaseModel):
    """An upload. ``parts`` is what the storage knows its parts by; ``expires`` seconds since 1970.

    ``scene`` is the address that jobs take, once it is complete.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    tenant: str
    name: str
    size: int
    sha256: str
    part_size: int
    parts: str
    expires: float
    scene: str | None = None

    @property
    def count(self) -> int:
        """How many parts it has."""
        return math.ceil(self.size / self.part_size)

    @property
    def key(self) -> str:
        """The object that it becomes."""
        return f"{UPLOADS}{self.id}/{self.name}"

    def size_of(self, number: int) -> int:
        """Bytes of a part, which count from 1."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)


def id_of(tenant: str, name: str, size: int, sha256: str) -> UUID:
    """What an upload is known by: half says whose it is, half what is uploaded."""
    return UUID(bytes=_mark(tenant) + _mark(tenant, name, str(size), sha256))


def start_of_ids(tenant: str) -> str:
    """How the ids of a tenant's uploads begin."""
    return str(UUID(bytes=_mark(tenant) + bytes(8)))[:_TENANTS_DIGITS]


def _mark(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()[:8]
