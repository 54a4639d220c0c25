"""Where scenes may come from, and the path under which GDAL opens one that may.

GDAL never sees a user's string: a source is matched against what is allowed and turned into a path
built here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from geogaze.config import Settings
from geogaze.errors import SceneUnreadable

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HTTPS_PORT = 443
UPLOADS = "uploads/"
"""What the keys of uploaded objects start with."""


@dataclass(frozen=True)
class SourcePolicy:
    """Where scenes may come from; None instead of a list allows any.

    A host stands for itself on HTTPS's own port; ``host:port`` for another port. ``uploads`` is
    the address below which storage keeps what was uploaded; refusals do not tell it.
    """

    folders: tuple[Path, ...] | None = ()
    buckets: tuple[str, ...] | None = ()
    hosts: tuple[str, ...] | None = ()
    uploads: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> SourcePolicy:
        """The operator's allow-list, for requests from others."""
        lists = (settings.source_folders, settings.source_buckets, settings.source_hosts)
        return cls(*lists, uploads=uploads_place(settings))

    @classmethod
    def local(cls) -> SourcePolicy:
        """Anything: the command line's user reads with their own rights."""
        return cls(None, None, None)

    def gdal_path(self, uri: str) -> str:
        """The path that GDAL opens for an allowed source.

        Raises:
            SceneUnreadable: the source is not allowed, or a local file is missing.
        """
        try:
            scheme, parts = _split(uri)
            if scheme == "s3":
                return f"/vsis3/{self._object(uri, parts)}"
            if scheme == "https":
                query = f"?{parts.query}" if parts.query else ""
                self._check_host(uri, parts)
                return f"/vsicurl/https://{parts.netloc}{quote(parts.path, safe='/%')}{query}"
            if scheme in {"", "file"}:
                return str(self._file(uri, parts if scheme else None))
        except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            raise SceneUnreadable(f"{uri[:200]!r} names no scene: {error}") from error
        raise self._refusal(uri)

    def place(self, uri: str) -> str:
        """The host or bucket that a source comes from, or ``files``; without looking at files.

        Raises:
            SceneUnreadable: the source is not allowed.
        """
        if not is_remote(uri):
            return "files"
        self.gdal_path(uri)
        return urlsplit(uri).netloc.lower()

    def _object(self, uri: str, parts: SplitResult) -> str:
        bucket, _, key = uri.partition("://")[2].partition("/")  # keys may have ? and #
        steps = unquote(key).split("/")
        known = _BUCKET.fullmatch(bucket) if self.buckets is None else bucket in self.buckets
        ours = self.uploads is not None and f"s3://{bucket}/{key}".startswith(self.uploads)
        if not (known or ours) or {"", ".", ".."} & set(steps):
            raise self._refusal(uri)
        return f"{bucket}/{key}"

    def _check_host(self, uri: str, parts: SplitResult) -> None:
        if "@" in parts.netloc:
            raise self._refusal(uri, "it has a user name in front of its host")
        if not parts.hostname:
            raise self._refusal(uri)
        port = parts.port or _HTTPS_PORT
        names = {f"{parts.hostname}:{port}"} | ({parts.hostname} if port == _HTTPS_PORT else set())
        if self.hosts is not None and not names & {host.lower() for host in self.hosts}:
            raise self._refusal(uri)

    def _file(self, uri: str, parts: SplitResult | None) -> Path:
        if parts and parts.netloc not in {"", "localhost"}:
            raise SceneUnreadable(
                f"{uri!r} names a file on the machine {parts.netloc!r}; a path of this machine "
                f"has three slashes: 'file:///{parts.netloc}{parts.path}'."
            )
        path = Path(unquote(parts.path) if parts else uri)
        if self.folders is None:
            path = path.expanduser()
        resolved = path.resolve()
        allowed = (*(self.folders or ()), *([Path(self.uploads)] if self.uploads else ()))
        if self.folders is not None and not any(
            resolved.is_relative_to(folder.resolve()) for folder in allowed
        ):
            home = uri.startswith("~")
            raise self._refusal(uri, "this server cannot know whose home ~ is" if home else "")
        if resolved.is_dir():
            inside = _inside(resolved) if self.folders is None else " in it"
            raise SceneUnreadable(f"{uri!r} is a folder; name one GeoTIFF{inside}.")
        if not resolved.is_file():
            raise SceneUnreadable(f"There is no file {uri!r}{_nearby(uri)}.")
        return resolved

    def _refusal(self, uri: str, why: str = "") -> SceneUnreadable:
        because = f": {why}" if why else ""
        if self.folders is None:
            return SceneUnreadable(
                f"{uri!r} is not an address that scenes are read from{because}. Name a file, "
                "s3://BUCKET/KEY or https://HOST/PATH."
            )
        return SceneUnreadable(
            f"The scene {uri!r} is not an allowed source{because}. Allowed: "
            f"{_listed('folders', self.folders)}, {_listed('s3 buckets', self.buckets)}, "
            f"{_listed('https hosts', self.hosts)} "
            "(GEOGAZE_SOURCE_FOLDERS, GEOGAZE_SOURCE_BUCKETS, GEOGAZE_SOURCE_HOSTS)."
        )


def uploads_place(settings: Settings) -> str:
    """The address below which storage keeps what was uploaded, with a slash at its end."""
    if settings.storage.startswith("s3://"):
        return f"{settings.storage.rstrip('/')}/{UPLOADS}"
    return f"{Path(settings.storage).resolve()}/{UPLOADS}"


def is_remote(uri: str) -> bool:
    """Whether a source is fetched from elsewhere, so that reading it may fail for a while."""
    return uri.lower().startswith(("s3://", "https://"))


def _split(uri: str) -> tuple[str, SplitResult]:
    """The scheme of a source, empty for a plain path, and its parts.

    ``S2A:x.tif`` is a file's name.
    """
    if "://" not in uri and not uri.lower().startswith("file:"):
        return "", SplitResult("", "", uri, "", "")
    parts = urlsplit(uri)
    return parts.scheme, parts


def _inside(folder: Path) -> str:
    names = (p.name for p in folder.iterdir() if p.suffix.lower() in {".tif", ".tiff"})
    name = next(names, None)
    return f" in it, such as {name!r}" if name else " (there is none in it)"


def _nearby(uri: str) -> str:
    if not uri.isprintable() or any("\ud800" <= sign <= "\udfff" for sign in uri):
        return " (its name is not UTF-8 text, or has signs that cannot be seen: rename it)"
    return ""


def _listed(what: str, values: tuple[object, ...] | None) -> str:
    return f"{what} {', '.join(map(str, values))}" if values else f"no {what}"
