"""A scene's address, together with where scenes may come from and what lies there."""

from __future__ import annotations

from geogaze.config import Settings
from geogaze.errors import SceneReplaced
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.version import Look, look


class Source:
    """What a reader is made of: an address, and one look at what lies there.

    Args:
        uri: as the user named it.
        policy: where scenes may come from.
        settings: caps, and how long others may take.
        version: the one that the scene must have, if it is known already.
    """

    def __init__(
        self, uri: str, policy: SourcePolicy, settings: Settings, version: str | None = None
    ) -> None:
        self.uri = uri
        self.settings = settings
        self._policy = policy
        self._version = version
        self._seen: Look | None = None

    @property
    def gdal_path(self) -> str:
        """The path under which GDAL opens it; of a local file, where it is.

        Raises:
            SceneUnreadable: it is not allowed, or a local file is missing.
        """
        return self._policy.gdal_path(self.uri)

    def allow(self, url: str) -> None:
        """Refuse to be led to an address that scenes may not come from.

        Raises:
            SceneUnreadable: it is none of theirs.
        """
        self._policy.gdal_path(url)

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
        return look(self.uri, self._policy, self.settings)


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
