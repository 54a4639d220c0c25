"""Bundles among the uploads: looked at where scenes are, before they count."""

from __future__ import annotations

from geogaze.config import Settings
from geogaze.errors import (
    InvalidBundle,
    ObjectNotFound,
    SceneAway,
    SceneUnreadable,
    StorageUnavailable,
)
from geogaze.models.packed import SUFFIX, check_packed
from geogaze.scene.policy import UPLOADS, uploads_place
from geogaze.storage import open_storage
from geogaze.storage.reading import open_object


def named_packed(address: str) -> bool:
    """Whether an upload is a bundle, by its name."""
    return address.lower().endswith(SUFFIX)


def check_uploaded(address: str, settings: Settings) -> None:
    """Refuse an upload that is no bundle.

    Raises:
        SceneUnreadable: it is none.
        SceneAway: the storage does not answer.
    """
    key = UPLOADS + address.removeprefix(uploads_place(settings))
    try:
        with open_object(open_storage(settings), key) as file:
            check_packed(file)
    except (InvalidBundle, ObjectNotFound) as error:
        raise SceneUnreadable(str(error)) from error
    except StorageUnavailable as error:
        raise SceneAway(str(error)) from error
