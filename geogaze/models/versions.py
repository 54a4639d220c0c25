"""Versions of registered models: how they are named, and what is known of one. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from geogaze.errors import GeogazeError, InvalidRequest, UnknownModel
from geogaze.intervals import written
from geogaze.models.bundles import WEIGHTS_FILE

DEFAULT_ALIAS = "default"
"""The alias that a name alone stands for, where it is set."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}", re.ASCII)


class NoSuchVersion(UnknownModel):
    """No registered model has this name, version or alias."""

    status = 404
    slug = "no-such-version"
    title = "There is no such registered model"


class VersionTaken(GeogazeError):
    """A name, version or alias already stands for something else."""

    status = 409
    slug = "version-taken"
    title = "The name already stands for another model"


class ModelInUse(GeogazeError):
    """A version cannot be removed: aliases or unfinished jobs need it."""

    status = 409
    slug = "model-in-use"
    title = "The model is in use"


class File(BaseModel):
    """A file of a version: its size in bytes and its sha256 in hex."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Version(BaseModel):
    """What is known of a version. ``files`` are by their names, times are seconds since 1970.

    ``removed`` is when its files went; it stays, so that its name never stands for other bytes.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    added: float
    files: dict[str, File]
    architecture: str
    classes: tuple[str, ...]
    metrics: dict[str, Any] = {}
    removed: float | None = None

    @property
    def model(self) -> str:
        """What names it, and nothing else: ``NAME@VERSION``."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """The sha256 in hex of what ``sha256sum`` says of its files, in their names' order."""
        return digest_of(self.files)

    def told(self, aliases: dict[str, str]) -> dict[str, Any]:
        """It as JSON, with those of the model's aliases that point at it."""
        weights = self.files[WEIGHTS_FILE]
        return {
            "version": self.version,
            "aliases": sorted(
                alias for alias, version in aliases.items() if version == self.version
            ),
            "added": written(self.added),
            "digest": self.digest,
            "sha256": weights.sha256,
            "bytes": weights.bytes,
            "architecture": self.architecture,
            "classes": list(self.classes),
            "metrics": self.metrics,
        }


class Named(NamedTuple):
    """A model's name, and its version or alias where one is named."""

    name: str
    reference: str | None


def digest_of(files: dict[str, File]) -> str:
    """A :attr:`Version.digest`."""
    listed = "".join(f"{files[name].sha256}  {name}\n" for name in sorted(files))
    return hashlib.sha256(listed.encode()).hexdigest()


def parse_model(model: str) -> Named | None:
    """What ``NAME``, ``NAME@VERSION`` or ``NAME@ALIAS`` names; None where it is none of these."""
    name, at, reference = model.partition("@")
    if not _WORD.fullmatch(name) or (at and not _WORD.fullmatch(reference)):
        return None
    return Named(name, reference if at else None)


def check_word(what: str, word: str) -> None:
    """Refuse what cannot be the ``name``, ``version`` or ``alias`` of a registered model.

    Raises:
        InvalidRequest: it is no such word.
    """
    if not (_ALIAS if what == "alias" else _WORD).fullmatch(word):
        first = "a letter" if what == "alias" else "a letter or digit"
        raise InvalidRequest(
            f"{what}: {word[:80]!r} is none: {first}, then letters, digits, '.', '_' and '-', 64 "
            "at most."
        )
