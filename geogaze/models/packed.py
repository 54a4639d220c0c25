"""A bundle as one file, to be sent: a tar of its description, its weights and its evaluation.

Nothing else is taken out of one: no pickle, no link, no folder. A graph does not go along, as its
format may point at any file of whoever opens it; networks are built anew from their architectures.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from geogaze.errors import InvalidBundle
from geogaze.models.bundles import EVALUATION_FILE, ITEM_FILE, WEIGHTS_FILE
from geogaze.models.item import described
from geogaze.models.weights import check_header

SUFFIX = ".tar"

_TAKEN = (ITEM_FILE, EVALUATION_FILE, WEIGHTS_FILE)
_LONGEST_TEXT = 16 * 2**20
_PIECE = 4 * 2**20


def pack(folder: Path, target: Path) -> None:
    """Write a bundle as one file, the same bytes each time.

    Raises:
        InvalidBundle: there is none in the folder.
    """
    try:
        item = (folder / ITEM_FILE).read_bytes()
        document = json.loads(item)
        if document["assets"].pop("graph", None):
            item = (json.dumps(document, indent=2) + "\n").encode()
        with tarfile.open(target, "w") as archive:
            _put(archive, ITEM_FILE, len(item), io.BytesIO(item))
            for name in (EVALUATION_FILE, WEIGHTS_FILE):
                if name == WEIGHTS_FILE or (folder / name).is_file():
                    with (folder / name).open("rb") as file:
                        _put(archive, name, (folder / name).stat().st_size, file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidBundle(f"{folder} is no bundle that can be sent: {error!r}.") from error


def _put(archive: tarfile.TarFile, name: str, size: int, file: BinaryIO) -> None:
    about = tarfile.TarInfo(name)
    about.size = size
    archive.addfile(about, file)


def check_packed(file: BinaryIO) -> None:
    """Refuse what is no bundle that was packed. It is read once; nothing is written or executed.

    Raises:
        InvalidBundle: says what is wrong.
    """
    texts: dict[str, bytes] = {}
    digest = hashlib.sha256()
    with _members(file) as members:
        for name, size, content in members:
            if name == WEIGHTS_FILE:
                digest.update(check_header(content, size, name))
                while piece := content.read(_PIECE):
                    digest.update(piece)
                texts[name] = b""
            else:
                texts[name] = content.read()
    if missing := {ITEM_FILE, WEIGHTS_FILE} - set(texts):
        raise InvalidBundle(f"It has no {' and no '.join(sorted(missing))}: it is no bundle.")
    bundle = described(texts[ITEM_FILE], "it", None, told=ITEM_FILE)
    if bundle.graph:
        raise InvalidBundle(
            "It describes a graph, which is not taken from elsewhere: send it by 'geogaze models "
            "add --api' or Client.add_model, which leave that out."
        )
    if bundle.weights != f"sha256:{digest.hexdigest()}":
        raise InvalidBundle(
            f"{WEIGHTS_FILE} is sha256:{digest.hexdigest()}, and {ITEM_FILE} says {bundle.weights}."
        )


def unpack(file: BinaryIO, folder: Path) -> None:
    """Write the files of a bundle that was packed into a folder.

    Raises:
        InvalidBundle: it is none.
    """
    with _members(file) as members:
        for name, _, content in members:
            with (folder / name).open("xb") as target:
                shutil.copyfileobj(content, target, _PIECE)


@contextmanager
def _members(file: BinaryIO) -> Iterator[Iterator[tuple[str, int, IO[bytes]]]]:
    """Names, sizes and contents of a bundle's files; what is besides is passed over.

    Raises:
        InvalidBundle: it is no tar, or has a file twice, or one that is no plain file.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            yield _each(archive)
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise InvalidBundle(f"It cannot be read as a .tar of a bundle: {error}.") from error


def _each(archive: tarfile.TarFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    seen = set()
    for member in archive:
        name = PurePosixPath(member.name).name
        if name not in _TAKEN:
            continue
        content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
        if content is None or name in seen:
            raise InvalidBundle(f"{name} is there twice, or is no plain file.")
        if name != WEIGHTS_FILE and member.size > _LONGEST_TEXT:
            raise InvalidBundle(f"{name} has {member.size:,} bytes; {_LONGEST_TEXT:,} are taken.")
        seen.add(name)
        yield name, member.size, content
