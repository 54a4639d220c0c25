"""Scenes that are uploaded: in parts, in any order, and none counts before it is checked.

An upload is known by what comes: whoever begins it again goes on with it. Storage holds all there
is of it, ``uploads/ID/`` with the record and the object, so that nothing can be left elsewhere.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from uuid import UUID

from geogaze.config import Settings
from geogaze.errors import InvalidRequest, ObjectNotFound, SceneUnreadable
from geogaze.ledger.quotas import QuotaExceeded
from geogaze.scene.apart import check_apart
from geogaze.scene.policy import UPLOADS, uploads_place
from geogaze.storage import Storage
from geogaze.storage.parts import MOST, BucketParts, parts_of
from geogaze.uploads.quota import UploadQuota
from geogaze.uploads.upload import (
    RECORD,
    Upload,
    UploadIncomplete,
    UploadNotFound,
    UploadRefused,
    UploadTooLarge,
    id_of,
    start_of_ids,
)

_NAME = re.compile(r"[\w()+ -][\w.()+ -]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE = 8 * 2**20


def longest_part(settings: Settings) -> int:
    """Bytes of the longest part that an upload may have, wherever storage is."""
    wanted, most = settings.upload_part_bytes, math.ceil(settings.upload_bytes / MOST)
    return max(wanted, BucketParts.smallest, most)


class Uploads:
    """All uploads to a storage.

    Args:
        settings: the operator's.
        storage: where they go.
        clock: seconds since 1970.
    """

    def __init__(
        self, settings: Settings, storage: Storage, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings, self._storage, self._clock = settings, storage, clock
        self._parts = parts_of(storage)
        self._quota = UploadQuota.of(settings)

    def begin(self, tenant: str, name: str, size: int, sha256: str) -> Upload:
        """Expect a file, or go on with an upload of the same one.

        Args:
            tenant: whose it is.
            name: of the file, which tells its format where its bytes do not.
            size: in bytes.
            sha256: of all of it, in hex.

        Raises:
            InvalidRequest, UploadTooLarge: it is not expected here.
            QuotaExceeded: its tenant has as much as it may have.
        """
        if not _NAME.fullmatch(name) or name == RECORD:
            raise InvalidRequest(
                f"name: {name[:80]!r} is no file's name here: letters, digits, space and ._-+() "
                "are taken, 128 at most, without a path."
            )
        if not _SHA256.fullmatch(sha256):
            raise InvalidRequest("sha256: 64 hexadecimal digits in lower case, of the whole file.")
        most = self._settings.upload_bytes
        if size > most:
            raise UploadTooLarge(
                f"{name!r} has {size:,} bytes; at most {most:,} are taken (GEOGAZE_UPLOAD_BYTES)."
            )
        self._quota.check_alone(name, size)
        if size < 1:
            raise InvalidRequest(f"size: {name!r} is empty.")
        upload_id = id_of(tenant, name, size, sha256)
        try:
            return self.find(tenant, upload_id)
        except UploadNotFound:
            pass
        key = f"{UPLOADS}{upload_id}/{name}"
        upload = Upload(
            id=upload_id,
            tenant=tenant,
            name=name,
            size=size,
            sha256=sha256,
            part_size=self._part_size(size),
            parts=self._parts.begin(key),
            expires=self._clock() + self._settings.upload_seconds,
        )
        self._keep(upload)
        if not self._quota.is_none:
            # Once it is written: of two at once both may be refused, and never both be taken.
            try:
                self._quota.check(self.of(tenant), self._clock())
            except QuotaExceeded:
                self.remove(upload)
                raise
        return upload

    def of(self, tenant: str) -> list[Upload]:
        """All uploads of a tenant that have not expired."""
        found = []
        for key in self._storage.keys(f"{UPLOADS}{start_of_ids(tenant)}"):
            if key.endswith(f"/{RECORD}"):
                with suppress(ObjectNotFound):  # it was removed meanwhile
                    found.append(self._read(key))
        return [one for one in found if one.tenant == tenant and one.expires >= self._clock()]

    def _part_size(self, size: int) -> int:
        wanted = self._settings.upload_part_bytes
        return max(wanted, self._parts.smallest, math.ceil(size / MOST))

    def find(self, tenant: str, upload_id: UUID) -> Upload:
        """An upload of a tenant's.

        Raises:
            UploadNotFound: there is none.
        """
        try:
            upload = self._read(f"{UPLOADS}{upload_id}/{RECORD}")
        except ObjectNotFound:
            upload = None
        if upload and upload.expires < self._clock():
            self.remove(upload)
            upload = None
        if upload is None or upload.tenant != tenant:
            raise UploadNotFound(
                f"There is no upload {upload_id}: it was never begun, was refused, or has expired."
            )
        return upload

    def received(self, upload: Upload) -> set[int]:
        """Numbers of the parts that are there, whole.

        Raises:
            UploadNotFound: the storage expects none any more.
        """
        everything = set(range(1, upload.count + 1))
        if upload.scene:
            return everything
        sizes: dict[int, int] | None = None
        with suppress(ObjectNotFound):
            sizes = self._parts.received(upload.key, upload.parts)
        if not sizes and self._is_there(upload):  # its completion broke off
            return everything
        if sizes is None:
            raise UploadNotFound(f"Upload {upload.id} is gone; begin it again.")
        return {n for n in sizes if n <= upload.count and sizes[n] == upload.size_of(n)}

    def address(self, upload: Upload, number: int) -> str | None:
        """Where a part is to be PUT; None: at the API itself."""
        seconds = min(self._settings.presign_seconds, int(upload.expires - self._clock()))
        size = upload.size_of(number)
        return self._parts.address(upload.key, upload.parts, number, size, max(1, seconds))

    def take(self, upload: Upload, number: int, data: bytes) -> None:
        """Keep a part that came to the API, as those do that cannot go to a bucket by themselves.

        Raises:
            InvalidRequest: it has no such part, or of another size.
        """
        if upload.scene or not 1 <= number <= upload.count:
            raise InvalidRequest(
                f"part: upload {upload.id} takes no part {number} (any more); it has {upload.count}"
            )
        if len(data) != upload.size_of(number):
            raise InvalidRequest(
                f"part: number {number} has {len(data)} bytes, not {upload.size_of(number)}."
            )
        self._parts.put(upload.key, upload.parts, number, data)

    def complete(self, upload: Upload) -> Upload:
        """Put the parts together, and let them count if they are the scene that was announced.

        Raises:
            UploadIncomplete: parts are missing.
            UploadRefused: it is another file, or none that jobs take; nothing of it is left.
        """
        if upload.scene:
            return upload
        there = self.received(upload)
        if missing := sorted(set(range(1, upload.count + 1)) - there):
            some = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
            raise UploadIncomplete(f"Upload {upload.id} lacks {len(missing)} parts: {some}.")
        if not self._is_there(upload):
            self._parts.finish(upload.key, upload.parts)
        scene = f"{uploads_place(self._settings)}{upload.id}/{upload.name}"
        try:
            self._check(upload, scene)
        except (UploadRefused, SceneUnreadable) as error:
            self.remove(upload)
            # By its own name: where storage lies is nobody's business.
            here = scene.removesuffix(upload.name)
            raise UploadRefused(str(error).replace(here, "")) from error
        kept = self._clock() + self._settings.kept_for(upload.tenant)
        upload = upload.model_copy(update={"scene": scene, "expires": kept})
        self._keep(upload)
        return upload

    def _check(self, upload: Upload, scene: str) -> None:
        """Refuse what is another file than was announced, or no scene."""
        digest = hashlib.sha256()
        for start in range(0, upload.size, _PIECE):
            digest.update(self._storage.get(upload.key, start, start + _PIECE))
        if digest.hexdigest() != upload.sha256:
            raise UploadRefused(
                f"{upload.name!r} came with sha256 {digest.hexdigest()}, not {upload.sha256}: it "
                "was changed on its way, or while it was sent. Upload it again."
            )
        check_apart(scene, self._settings)

    def remove(self, upload: Upload) -> None:
        """Leave nothing of an upload."""
        self._parts.abort(upload.key, upload.parts)
        self._storage.delete(f"{UPLOADS}{upload.id}/")

    def expire(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Remove uploads whose time is over, complete or not, until told to stop; how many."""
        removed = 0
        for key in takewhile(lambda key: not stop(), self._storage.keys(UPLOADS)):
            if not key.endswith(f"/{RECORD}"):
                continue
            try:
                upload = self._read(key)
            except ObjectNotFound:  # it was refused meanwhile
                continue
            if upload.expires < self._clock():
                self.remove(upload)
                removed += 1
        return removed

    def _is_there(self, upload: Upload) -> bool:
        try:
            return bool(self._storage.get(upload.key, 0, 1))
        except ObjectNotFound:
            return False

    def _keep(self, upload: Upload) -> None:
        self._storage.put(f"{UPLOADS}{upload.id}/{RECORD}", upload.model_dump_json().encode())

    def _read(self, key: str) -> Upload:
        return Upload.model_validate_json(self._storage.get(key))
