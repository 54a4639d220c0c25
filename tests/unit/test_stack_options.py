"""What ``python -m infra.stack`` makes of its words; the stack itself is tried in integration."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra import stack
from infra.services import ServiceError


class Asked:
    """Stands in for the servers."""

    sources: tuple[Path, ...] = ()

    def __init__(self, folder: Path, *, source_folders: list[Path], **_: Any) -> None:
        Asked.sources = tuple(source_folders)
        raise ServiceError("not in this test")


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(stack, "Stack", Asked)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)

    def start(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["stack", *map(str, words)])
        return stack.main()

    return start


def test_every_source_counts_and_none_is_written(start: Any, tmp_path: Path) -> None:
    mine, yours, theirs = (tmp_path / name for name in ("mine", "yours", "theirs"))
    for folder in (mine, yours, theirs):
        folder.mkdir()
    start("--folder", "data", "--source", mine, "--source", yours, theirs)
    assert Asked.sources == (mine, yours, theirs, Path("data/scenes"))
    assert Path("data/scenes").is_dir()
    assert not any(any(folder.iterdir()) for folder in (mine, yours, theirs))


def test_a_source_that_is_not_there_is_refused_not_made(start: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        start("--source", tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_the_address_can_be_copied_however_narrow_the_terminal() -> None:
    shown = io.StringIO()

    class Running:
        api_url = "http://127.0.0.1:8080"
        logs = Path("/very/long/" + "folder/" * 20)

    stack._announce(Console(file=shown, width=30), Running(), Path("scenes"))  # type: ignore[arg-type]
    lines = shown.getvalue().splitlines()
    assert "API:  http://127.0.0.1:8080" in lines
    assert f"logs:  {Running.logs}" in lines
