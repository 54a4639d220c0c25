"""The page that shows a job: the same for every job, it reads what lies beside it."""

from __future__ import annotations

from pathlib import Path

from geogaze.products.make.inputs import JobInputs
from geogaze.products.page.assembling import page_html


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``page``."""
    target.write_text(page_html(), encoding="utf-8")
