"""How registered models lie in storage.

``NAME/versions/VERSION/DIGEST.json`` says what a version is and ``NAME/aliases/ALIAS.json`` where
an alias points; files lie below ``NAME/files/DIGEST/NAME@VERSION/``. What says that a version is
there is written last, so it is there whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from geogaze.errors import ObjectNotFound
from geogaze.models.versions import Version, VersionTaken, parse_model
from geogaze.storage import Storage

_MEDIA_TYPE = "application/octet-stream"


class Shelf:
    """Versions and aliases below a storage's root, by words that :func:`check_word` takes; there is
    nothing by others.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def names(self) -> list[str]:
        """Names of models that have, or had, a version."""
        return sorted({k.partition("/")[0] for k in self.storage.keys("") if "/versions/" in k})

    def versions(self, name: str) -> list[Version]:
        """All versions that ever were, by their age; where two were added at once, for a moment,
        the earlier one.
        """
        found: dict[str, Version] = {}
        if parse_model(name):
            for version in sorted(self._read(f"{name}/versions/"), key=_age):
                found.setdefault(version.version, version)
        return list(found.values())

    def version(self, name: str, version: str) -> Version | None:
        """A version that is there now."""
        if parse_model(f"{name}@{version}") is None:
            return None
        found = min(self._read(_records(name, version)), key=_age, default=None)
        return found if found and found.removed is None else None

    def aliases(self, name: str) -> dict[str, str]:
        """A model's aliases, and the versions that they point at."""
        found = {}
        for key in self.storage.keys(f"{name}/aliases/") if parse_model(name) else ():
            alias = key.rpartition("/")[2].removesuffix(".json")
            if version := self.pointed(name, alias):
                found[alias] = version
        return found

    def pointed(self, name: str, alias: str) -> str | None:
        """The version that an alias points at; None where there is no such alias."""
        if parse_model(f"{name}@{alias}") is None:
            return None
        try:
            found: str = json.loads(self.storage.get(_alias(name, alias)))["version"]
        except ObjectNotFound:
            return None
        return found

    def point(self, name: str, alias: str, version: str) -> None:
        """Write an alias."""
        self.storage.put(_alias(name, alias), json.dumps({"version": version}).encode())

    def unpoint(self, name: str, alias: str) -> None:
        """Delete an alias."""
        self.storage.remove([_alias(name, alias)])

    def add(self, made: Version, files: Path) -> None:
        """Move a version's files from a folder to where they belong, and say that it is there.

        Raises:
            VersionTaken: somebody else added other bytes as the same version at this moment.
        """
        try:
            for name in made.files:
                self.storage.take_file(files_of(made) + name, files / name, _MEDIA_TYPE)
            self.storage.put(_record(made), made.model_dump_json().encode())
        except BaseException:
            if self.version(made.name, made.version) is None:
                self.storage.delete(files_of(made))
            raise
        # Once it is written: of two at once both may be refused, and never both be taken.
        if len(list(self.storage.keys(_records(made.name, made.version)))) > 1:
            self.storage.remove([_record(made)])
            self.storage.delete(files_of(made))
            raise VersionTaken(
                f"{made.model} was added by somebody else at this moment: add yours again."
            )

    def remove(self, gone: Version) -> None:
        """Remove a version's files, and say since when."""
        self.storage.put(_record(gone), gone.model_dump_json().encode())
        self.storage.delete(files_of(gone))

    def _read(self, prefix: str) -> Iterator[Version]:
        for key in self.storage.keys(prefix):
            try:
                yield Version.model_validate_json(self.storage.get(key))
            except ObjectNotFound:  # whoever added it at the same moment as another took it back
                continue


def files_of(version: Version) -> str:
    """What the keys of a version's files start with; of a folder, the bundle's own folder."""
    return f"{version.name}/files/{version.digest}/{version.model}/"


def _age(version: Version) -> tuple[float, str]:
    return version.added, version.digest


def _records(name: str, version: str) -> str:
    return f"{name}/versions/{version}/"


def _record(version: Version) -> str:
    return f"{_records(version.name, version.version)}{version.digest}.json"


def _alias(name: str, alias: str) -> str:
    return f"{name}/aliases/{alias}.json"
