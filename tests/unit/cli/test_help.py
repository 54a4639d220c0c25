"""What the command line says of itself, and that its examples would run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.progress import Progress

from geogaze.cli.app import app
from geogaze.errors import InvalidRequest
from geogaze.version import VERSION
from tests.unit.cli.conftest import Geogaze

ROOT = Path(__file__).parents[3]
TREE: Any = typer.main.get_command(app)


def commands(command: Any = TREE, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*words, name))


def find(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a command line names, and the rest of its words."""
    command = TREE
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def examples() -> list[str]:
    texts = [find(list(words))[0].callback.__doc__ or "" for words in commands()]
    texts += [(ROOT / name).read_text() for name in ("README.md", "docs/deployment.md")]
    found = []
    for text in texts:
        joined = re.sub(r"\\\n\s*", " ", text)
        for line in joined.splitlines():
            for part in line.strip().split("&&"):
                called = re.match(r"^(?:[A-Z_]+=\S+\s+)*geogaze (.+)$", part.strip(" $"))
                if called:
                    found.append(called[1].partition(" #")[0])
    return sorted(set(found))


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_has_help(geogaze: Geogaze, words: tuple[str, ...]) -> None:
    done = geogaze(*words, "--help")
    assert done.code == 0
    assert "Usage: geogaze" in done.out
    callback = find(list(words))[0].callback
    first = (callback.__doc__ or "").strip().splitlines()[0]
    assert first.split(". ")[0][:40] in " ".join(done.out.split())
    if "Example" in (callback.__doc__ or ""):
        assert re.search(r"geogaze \w+", done.out.split("Usage:", 1)[1].split("\n", 1)[1])


@pytest.mark.parametrize("line", examples())
def test_examples_name_commands_and_options_that_exist(line: str) -> None:
    command, rest = find(shlex.split(line, comments=True))
    assert not getattr(command, "commands", {}) or not rest or rest[0].startswith("-"), line
    context = command.make_context(command.name, rest, resilient_parsing=True)
    command.make_parser(context).parse_args(list(rest))


def test_there_are_examples() -> None:
    assert any(line.startswith("run ") for line in examples())
    assert any(line.startswith("submit ") for line in examples())


def test_version(geogaze: Geogaze) -> None:
    done = geogaze("--version")
    assert (done.code, done.out.strip()) == (0, f"geogaze {VERSION}")


@pytest.mark.parametrize("words", [("paint",), ("run",), ("run", "a.tif"), ("models", "paint")])
def test_misuse_exits_with_2(geogaze: Geogaze, words: tuple[str, ...]) -> None:
    done = geogaze(*words)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_the_installed_command_has_exit_codes_too(tmp_path: Path) -> None:
    geogaze = Path(sys.executable).with_name("geogaze")
    for words, code, says in (
        (["models", "show", "no-such-model"], 2, "no-such-model"),
        (["jobs", "--api", "http://127.0.0.1:9"], 3, "127.0.0.1:9"),
    ):
        done = subprocess.run(
            [geogaze, *words], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
        )
        assert done.returncode == code, done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_keeps_every_word(geogaze: Geogaze) -> None:
    """Markdown takes what is in angle brackets for HTML, and eats it."""
    for words in commands():
        for parameter in find(list(words))[0].params:
            assert "<" not in (getattr(parameter, "help", None) or ""), (words, parameter.name)
    assert "CLASS/*.tif" in geogaze("train", "--help").out
    assert "overlay-CLASS.tif" in geogaze("run", "--help").out


def test_training_has_one_bar_for_each_phase(
    geogaze: Geogaze, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geogaze.networks import training

    bars: list[str] = []

    def fit(data: Path, out: Path, recipe: Any, progress: Any, **_: Any) -> Any:
        for done in (1, 2, 3):
            progress("training", done, 3, 0.5)
        progress("testing", 1, 1, 0.0)
        raise InvalidRequest("that is all")

    add_task = Progress.add_task
    monkeypatch.setattr(
        Progress,
        "add_task",
        lambda self, name, **options: bars.append(name) or add_task(self, name, **options),
    )
    monkeypatch.setattr(training, "train", fit)
    Path("chips").mkdir()
    assert geogaze("train", "chips", "-o", "mine").code == 2
    assert bars == ["training", "testing"]
