"""The registry: bundles in versions that never change, in a folder or a bucket, and aliases."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from geogaze.config import Settings
from geogaze.errors import InvalidBundle, ObjectNotFound, ScratchUnusable, UnknownModel
from geogaze.files import file_sha256
from geogaze.models.bundles import EVALUATION_FILE, GRAPH_FILE, ITEM_FILE, WEIGHTS_FILE, Bundle
from geogaze.models.checking import Checked
from geogaze.models.item import described, read_bundle
from geogaze.models.metrics import known_metrics
from geogaze.models.shelf import Shelf, files_of
from geogaze.models.versions import (
    DEFAULT_ALIAS,
    File,
    ModelInUse,
    NoSuchVersion,
    Version,
    VersionTaken,
    check_word,
    parse_model,
)
from geogaze.models.weights import check_header
from geogaze.storage import Storage, storage_at
from geogaze.storage.reading import open_object

_KEPT = (ITEM_FILE, WEIGHTS_FILE, GRAPH_FILE, EVALUATION_FILE)


class Registry:
    """Registered models.

    Args:
        storage: where they are.
        cache: folder for files of models that lie in a bucket, by their digests.
        scratch: folder for copies on their way; None: the system's.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        storage: Storage,
        cache: Path,
        scratch: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._shelf, self._cache, self._scratch, self._clock = Shelf(storage), cache, scratch, clock

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """That of the settings."""
        storage = storage_at(settings.registry, settings)
        return cls(storage, settings.kept_in / "models", settings.scratch)

    def names(self) -> list[str]:
        """Names of models that have a version."""
        return [name for name in self._shelf.names() if self.versions(name)]

    def versions(self, name: str) -> list[Version]:
        """A model's versions, the one added last at the end; none where it is unknown."""
        return [one for one in self._shelf.versions(name) if one.removed is None]

    def aliases(self, name: str) -> dict[str, str]:
        """A model's aliases, and the versions that they point at."""
        return self._shelf.aliases(name)

    def find(self, model: str) -> Version | None:
        """The version that ``NAME@VERSION``, ``NAME@ALIAS`` or ``NAME`` stands for.

        A name alone stands for its alias ``default``, or where there is none for the version that
        was added last.

        None where no model is registered by this name.

        Raises:
            UnknownModel: the model has no such version or alias.
        """
        if (named := parse_model(model)) is None:
            return None
        name, reference = named
        if reference and (version := self._shelf.version(name, reference)):
            return version
        pointed = self._shelf.pointed(name, reference or DEFAULT_ALIAS)
        if pointed and (version := self._shelf.version(name, pointed)):
            return version
        if not (versions := self.versions(name)):
            return None
        if reference is None:
            return versions[-1]
        has = ", ".join([*(one.version for one in versions), *self.aliases(name)])
        raise UnknownModel(f"Model {name!r} has no version or alias {reference!r}; it has {has}.")

    def version(self, model: str) -> Version:
        """What :meth:`find` finds.

        Raises:
            NoSuchVersion: it finds nothing.
        """
        try:
            found = self.find(model)
        except UnknownModel as error:
            raise NoSuchVersion(str(error)) from error
        if found is None:
            raise NoSuchVersion(f"No model {model[:140]!r} is registered.")
        return found

    def told(self, name: str) -> dict[str, Any]:
        """A model's versions and aliases, as JSON."""
        aliases = self.aliases(name)
        versions = [version.told(aliases) for version in self.versions(name)]
        return {"name": name, "versions": versions, "aliases": aliases}

    def bundle(self, version: Version) -> Bundle:
        """A version with its files on this machine, fetched where they lie in a bucket.

        Raises:
            InvalidBundle: they are not those that were added.
            ScratchUnusable: they cannot be kept here.
        """
        item = self._shelf.storage.file(files_of(version) + ITEM_FILE)
        return read_bundle(item.parent if item else self._fetched(version))

    def description(self, version: Version) -> Bundle:
        """A version as its item describes it, without its files."""
        text = self._shelf.storage.get(files_of(version) + ITEM_FILE)
        return described(text, version.model, None, told=f"{ITEM_FILE} of {version.model}")

    def add(
        self, folder: Path, name: str, version: str | None = None, alias: str | None = None
    ) -> tuple[Version, bool]:
        """Take a bundle's files; the version that they are, and whether it is new.

        Bytes that the model has already are that version, unless another is named.

        Args:
            folder: the bundle's.
            name: the model's.
            version: None for the next number.
            alias: to point at it then.

        Raises:
            InvalidBundle: the files are not those that the bundle describes.
            InvalidRequest: a name cannot be used.
            VersionTaken: the version is of other bytes, or a version and an alias are called alike.
        """
        for what, word in (("name", name), ("version", version), ("alias", alias)):
            if word is not None:
                check_word(what, word)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="model-") as scratch:
            copies = Path(scratch)
            made = self._described(folder, copies, name)
            known = self._shelf.versions(name)
            made, new = _numbered(made, version, known)
            if self._shelf.pointed(name, made.version):
                raise VersionTaken(
                    f"{made.version!r} is an alias of {name!r}: name another version."
                )
            if alias in {made.version, *(one.version for one in known)}:
                raise VersionTaken(f"{alias!r} is a version of {name!r}: name the alias otherwise.")
            if new:
                self._shelf.add(made, copies)
        if alias is not None:
            self._shelf.point(name, alias, made.version)
        return made, new

    def point(self, name: str, alias: str, version: str) -> Version:
        """Let an alias point at a version, or at what an alias points at, wherever it did before.

        Raises:
            InvalidRequest: the alias cannot be used.
            NoSuchVersion: there is no such version.
            VersionTaken: a version has this name.
        """
        check_word("alias", alias)
        found = self.version(f"{name}@{version}")
        if any(one.version == alias for one in self._shelf.versions(name)):
            raise VersionTaken(f"{alias!r} is a version of {name!r}: name the alias otherwise.")
        self._shelf.point(name, alias, found.version)
        return found

    def unpoint(self, name: str, alias: str) -> None:
        """Delete an alias.

        Raises:
            NoSuchVersion: there is none.
        """
        if not self._shelf.pointed(name, alias):
            raise NoSuchVersion(f"Model {name[:64]!r} has no alias {alias[:64]!r}.")
        self._shelf.unpoint(name, alias)

    def remove(self, version: Version) -> None:
        """Remove a version's files; its name is never given to other bytes.

        Raises:
            ModelInUse: aliases point at it.
        """
        if there := [a for a, v in self.aliases(version.name).items() if v == version.version]:
            raise ModelInUse(
                f"{version.model} is {', '.join(there)}: let that point at another version, or "
                "delete it ('geogaze models alias'), before."
            )
        self._shelf.remove(version.model_copy(update={"removed": self._clock()}))

    def check(self, version: Version) -> list[Checked]:
        """Read a version's files where they lie, and compare them with what was added.

        Raises:
            InvalidBundle: one is missing or another.
        """
        found = []
        for name, file in version.files.items():
            try:
                with open_object(self._shelf.storage, files_of(version) + name) as lying:
                    digest = hashlib.file_digest(lying, "sha256").hexdigest()
            except ObjectNotFound as error:
                raise InvalidBundle(
                    f"{name} of {version.model} is missing: add it anew."
                ) from error
            if digest != file.sha256:
                raise InvalidBundle(
                    f"{name} of {version.model} has sha256 {digest}, and was added "
                    f"with {file.sha256}: it was changed or damaged. Remove it, and add it anew."
                )
            found.append(Checked(name, file.bytes, file.sha256))
        return found

    def _described(self, folder: Path, copies: Path, name: str) -> Version:
        """Copy a bundle's files, and see by these that it is whole; its version has no name yet."""
        bundle = read_bundle(folder)
        wanted = {WEIGHTS_FILE: bundle.weights, GRAPH_FILE: bundle.graph}
        files = {}
        for file in _KEPT:
            source, copy, said = folder / file, copies / file, wanted.get(file, "")
            if said is None or (not said and not source.is_file()):
                continue
            if not source.is_file():
                raise InvalidBundle(f"{source} is missing: bring the bundle anew.")
            shutil.copyfile(source, copy)
            files[file] = File(bytes=copy.stat().st_size, sha256=file_sha256(copy))
            if said and said != f"sha256:{files[file].sha256}":
                raise InvalidBundle(
                    f"{source} is sha256:{files[file].sha256}, and the bundle says {said}: it was "
                    "changed or damaged. Bring the bundle anew."
                )
        with (copies / WEIGHTS_FILE).open("rb") as weights:
            check_header(weights, files[WEIGHTS_FILE].bytes, folder / WEIGHTS_FILE)
        return Version(
            name=name,
            version="",
            added=self._clock(),
            files=files,
            architecture=bundle.architecture,
            classes=bundle.classes,
            metrics=known_metrics(bundle),
        )

    def _fetched(self, version: Version) -> Path:
        """The folder with a version's files, of which those that are missing are fetched."""
        folder = self._cache / version.digest / version.model
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, file in version.files.items():
                target = folder / name
                if target.is_file() and target.stat().st_size == file.bytes:
                    continue  # what loads weights compares their sha256 each time
                with tempfile.TemporaryDirectory(dir=folder, prefix=".") as drafts:
                    draft = Path(drafts) / name
                    self._shelf.storage.get_file(files_of(version) + name, draft)
                    if (came := file_sha256(draft)) != file.sha256:
                        raise InvalidBundle(
                            f"{name} of {version.model} came with sha256 {came}, and was added "
                            f"with {file.sha256}: see 'geogaze models verify {version.model}'."
                        )
                    draft.replace(target)
        except ObjectNotFound as error:
            raise InvalidBundle(f"Files of {version.model} are missing: add it anew.") from error
        except OSError as error:
            raise ScratchUnusable(
                f"{version.model} cannot be kept in {self._cache}: {error} (GEOGAZE_CACHE_FOLDER)."
            ) from error
        return folder


def _numbered(made: Version, wanted: str | None, known: Sequence[Version]) -> tuple[Version, bool]:
    """The version that is to be added, with its name, or the one that is there; whether it is new.

    Raises:
        VersionTaken: the wanted one is of other bytes.
    """
    same = [one for one in known if one.digest == made.digest]
    if wanted is None:
        if living := [one for one in same if one.removed is None]:
            return living[-1], False
        numbers = [int(one.version) for one in known if one.version.isdecimal()]
        wanted = same[-1].version if same else str(max(numbers, default=0) + 1)
    taken = next((one for one in known if one.version == wanted), None)
    if taken and taken.digest != made.digest:
        gone = " (and was removed)" if taken.removed else ""
        raise VersionTaken(
            f"{taken.model} is of other bytes{gone}: its digest is {taken.digest[:12]}…, and these "
            f"have {made.digest[:12]}…. Versions never change: name another, or none for the next "
            "number."
        )
    if taken and taken.removed is None:
        return taken, False
    return made.model_copy(update={"version": wanted}), True
