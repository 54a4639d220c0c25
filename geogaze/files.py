"""Names and checksums of files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def file_stem(name: str) -> str:
    """A layer's name as part of a file name: letters, digits, ``_``, ``.`` and ``-`` stay."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "-"


def one_file(names: Iterable[str]) -> list[str]:
    """Of names after which files are to be named, the first that would share one; else none.

    Where case does not count in names of files, it does not here.
    """
    known: dict[str, list[str]] = {}
    for name in names:
        known.setdefault(file_stem(name).casefold(), []).append(name)
    return next((alike for alike in known.values() if len(alike) > 1), [])


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def in_place_of(target: Path) -> Iterator[Path]:
    """A file to write, which takes the place of ``target`` where that ends well; else it goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
