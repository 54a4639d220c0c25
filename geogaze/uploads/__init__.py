"""Scenes that are uploaded: in parts, in any order, and none counts before it is checked."""

from geogaze.uploads.keeping import Uploads, longest_part
from geogaze.uploads.upload import (
    Upload,
    UploadIncomplete,
    UploadNotFound,
    UploadRefused,
    UploadTooLarge,
)

__all__ = [
    "Upload",
    "UploadIncomplete",
    "UploadNotFound",
    "UploadRefused",
    "UploadTooLarge",
    "Uploads",
    "longest_part",
]
