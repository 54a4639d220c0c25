"""Names and checksums of files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path


def file_stem(name: str) -> str:
    """A layer's name as part of a file name: letters, digits, ``_``, ``.`` and ``-`` stay."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "-"


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
