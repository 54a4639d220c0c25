"""The files of an audit: a page to read, figures for programs."""

from __future__ import annotations

import json
from pathlib import Path

from geogaze.audit.document import Document
from geogaze.audit.page import page
from geogaze.outputs import AUDIT_FILES


def write_told(told: Document, folder: Path) -> None:
    """Write what an audit tells into a folder that is there; files of their names are replaced."""
    (folder / AUDIT_FILES["report"]).write_text(page(told), encoding="utf-8")
    (folder / AUDIT_FILES["audit"]).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
