"""The rules of the house that no other tool holds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("geogaze", "api", "worker", "migrations")
ROOMS = (*SHIPPED, "infra", "tests")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
MOST_LINES = 320
NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

LONG = {
    f"tests/unit/{name}.py"
    for name in (
        "api/test_callbacks",
        "api/test_jobs",
        "evidence/test_engine",
        "evidence/test_heads",
        "evidence/test_pixels",
        "evidence/test_routes",
        "ledger/test_machine",
        "ledger/test_queue",
        "ledger/test_store",
        "processes/test_plan",
        "runner/test_embedded",
        "runner/test_interrupted",
        "scene/test_aoi",
        "scene/test_view",
        "test_client",
        "worker/test_work",
    )
}
"""Tests that were too long when this rule came; the list may shrink."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_house_was_found() -> None:
    assert len(MODULES) > 300


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short_says_what_it_is_and_has_a_name(path: Path) -> None:
    text = path.read_text()
    if name_of(path) not in LONG:
        assert len(text.splitlines()) <= MOST_LINES, "divide it by what its parts are"
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "it has no docstring"
    assert path.stem not in NAMELESS, "name it for what it holds"
    assert path.parent.name not in NAMELESS


@pytest.mark.parametrize("name", sorted(LONG))
def test_the_list_of_long_tests_shrinks(name: str) -> None:
    path = ROOT / name
    assert path.is_file(), "it is gone: take it from the list"
    assert len(path.read_text().splitlines()) > MOST_LINES, "it is short now: take it from the list"


@pytest.mark.parametrize("room", SHIPPED)
def test_what_is_shipped_finds_its_modules_as_others_do(room: str) -> None:
    patched = [name_of(p) for p in (ROOT / room).rglob("*.py") if "sys.path" in p.read_text()]
    assert not patched


def test_what_reads_scenes_in_threads_silences_no_warnings_for_a_while() -> None:
    """Filters are the process's: threads that set them back undo each other's."""
    scene = ROOT / "geogaze" / "scene"
    assert not [path for path in scene.rglob("*.py") if "catch_warnings()" in path.read_text()]


def test_each_decision_has_a_number_of_its_own() -> None:
    paths = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    numbers = [int(path.name.partition("-")[0]) for path in paths]
    assert len(numbers) > 20
    assert len(set(numbers)) == len(numbers), [path.name for path in paths]
    told = [path.read_text().split(". ", 1)[0].removeprefix("# ") for path in paths]
    assert told == [str(number) for number in numbers]
