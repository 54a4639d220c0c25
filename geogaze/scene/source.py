"""A scene's address, together with where scenes may come from and what lies there."""

from __future__ import annotations

from geogaze.config import Settings
from geogaze.errors import SceneReplaced, SceneUnreadable
from geogaze.scene.hrefs import led_to
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reading import Reading
from geogaze.scene.version import Look, look

MOST_TEXT = 16 * 2**20
"""Bytes of a document that describes a scene."""


class Source:
    """What a reader is made of: an address, and one look at what lies there.

    Args:
        uri: as the user named it.
        policy: where scenes may come from.
        settings: caps, and how long others may take.
        version: the one that the scene must have, if it is known already.
        reading: how it is to be read.
    """

    def __init__(
        self,
        uri: str,
        policy: SourcePolicy,
        settings: Settings,
        version: str | None = None,
        reading: Reading | None = None,
    ) -> None:
        self.uri = uri
        self.settings = settings
        self.reading = reading or Reading()
        self.policy = policy
        self._version = version
        self._seen: Look | None = None

    @property
    def gdal_path(self) -> str:
        """The path under which GDAL opens it; of a local file, where it is.

        Raises:
            SceneUnreadable: it is not allowed, or a local file is missing.
        """
        return self.policy.gdal_path(self.uri)

    def allow(self, url: str) -> None:
        """Refuse to be led to an address that scenes may not come from.

        Raises:
            SceneUnreadable: it is none of theirs.
        """
        self.policy.gdal_path(url)

    def other(self, uri: str, version: str | None = None) -> Source:
        """Another address, for the same user."""
        return Source(uri, self.policy, self.settings, version, self.reading)

    def beside(self, href: str) -> Source:
        """What lies at an address that this document names.

        Raises:
            SceneUnreadable: a document may not lead there.
        """
        return self.other(led_to(self.uri, href, self.policy))

    def text(self) -> str:
        """All of a document that it is.

        Raises:
            SceneUnreadable: as ``seen`` does, or it is too large or no UTF-8 text.
        """
        whole = self.start_of(MOST_TEXT + 1)
        if len(whole) > MOST_TEXT:
            raise SceneUnreadable(
                f"{self.uri!r} describes a scene in more than {MOST_TEXT / 2**20:.0f} MiB; "
                "divide it."
            )
        try:
            return whole.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SceneUnreadable(f"{self.uri!r} is no UTF-8 text: {error}") from error

    def start_of(self, most: int) -> bytes:
        """Its first bytes, so many at most; raises as ``seen`` does."""
        return look(self.uri, self.policy, self.settings, most).start

    @property
    def seen(self) -> Look:
        """The first look at it, which everybody shares.

        Raises:
            SceneUnreadable: not allowed, missing, or its store refuses to show it.
            SceneAway: its host or store does not answer.
            SceneReplaced: it has another version than it must.
        """
        # No cached_property: before Python 3.12 all sources would wait on one lock of the class.
        if self._seen is None:
            seen = self.look()
            check_version(self.uri, self._version, seen.version)
            self._seen = seen
        return self._seen

    def look(self) -> Look:
        """Look once more; raises as ``seen`` does, but for the version."""
        return look(self.uri, self.policy, self.settings)


def check_version(uri: str, wanted: str | None, seen: str | None) -> None:
    """Refuse a scene that is not the one that it was.

    Raises:
        SceneReplaced: the version is another; any will do where ``wanted`` is None.
    """
    if wanted and seen != wanted:
        raise SceneReplaced(
            f"The scene {uri!r} was replaced since the job was accepted (it was {wanted}, it is "
            f"{seen}). Submit it again."
        )
