"""How much one tenant may have uploaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from geogaze.config import Settings
from geogaze.ledger.quotas import QuotaExceeded
from geogaze.uploads.upload import Upload, UploadTooLarge

_ASK_AGAIN = 3600.0  # seconds, at most


@dataclass(frozen=True)
class UploadQuota:
    """What one tenant may have, under way or complete; None: as much as it likes.

    Attributes:
        count: of uploads.
        bytes: of all of them, as announced.
    """

    count: int | None
    bytes: int | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the operator lets everybody have."""
        return cls(settings.quota_uploads, settings.quota_upload_bytes)

    @property
    def is_none(self) -> bool:
        """Whether there is none."""
        return self.count is None and self.bytes is None

    def check_alone(self, name: str, size: int) -> None:
        """Refuse a file for which there would be no room among no others.

        Raises:
            UploadTooLarge: it is one.
        """
        if self.bytes is not None and size > self.bytes:
            raise UploadTooLarge(
                f"{name!r} has {size:,} bytes; all of your uploads may have {self.bytes:,} "
                "(GEOGAZE_QUOTA_UPLOAD_BYTES)."
            )

    def check(self, uploads: Sequence[Upload], now: float) -> None:
        """Refuse what goes beyond it.

        Args:
            uploads: all that the tenant would have.
            now: seconds since 1970.

        Raises:
            QuotaExceeded: they are too many, or too much.
        """
        size = sum(upload.size for upload in uploads)
        for had, most, what, setting in (
            (len(uploads), self.count, "", "GEOGAZE_QUOTA_UPLOADS"),
            (size, self.bytes, " bytes", "GEOGAZE_QUOTA_UPLOAD_BYTES"),
        ):
            if most is not None and had > most:
                room_in = min(upload.expires for upload in uploads) - now
                raise QuotaExceeded(
                    f"Your uploads would be {had:,}{what}; {most:,} are the most ({setting}). "
                    "Remove one, or wait until one expires.",
                    min(max(room_in, 1.0), _ASK_AGAIN),
                )
