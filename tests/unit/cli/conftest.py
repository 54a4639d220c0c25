"""The command ``geogaze``, run in this process as its ``main`` runs it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from geogaze.cli import main, terminal
from geogaze.config import get_settings


@dataclass(frozen=True)
class Done:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> Any:
        """The last line of standard output, as JSON."""
        return json.loads(self.out.splitlines()[-1])


Geogaze = Callable[..., Done]


@pytest.fixture
def geogaze(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    bundle_folder: Path,
) -> Iterator[Geogaze]:
    """Run a command line in an empty folder; the model ``tiny`` is known."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("GEOGAZE_MODEL_FOLDERS", json.dumps([str(bundle_folder.parent)]))
    monkeypatch.setenv("GEOGAZE_DEVICE", "cpu")
    monkeypatch.setenv("COLUMNS", "200")
    for console in (terminal.out, terminal.err):
        monkeypatch.setattr(console, "_width", 200)
    get_settings.cache_clear()
    # A server in this process logs its requests, and commands print to the same standard output.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["geogaze", *map(str, words)])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
        shown = capsys.readouterr()
        assert isinstance(code, int)
        return Done(code, shown.out, shown.err)

    yield run
    get_settings.cache_clear()
