"""Importing geogaze costs next to nothing, and its names are there."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import geogaze

HEAVY = ("torch", "rasterio", "numpy", "httpx", "pydantic", "fastapi", "celery")
QUICK = f"""
import sys, time
start = time.perf_counter()
import geogaze
seconds = time.perf_counter() - start
assert dir(geogaze)
loaded = [name for name in {HEAVY} if name in sys.modules]
assert not loaded, loaded
print(seconds)
"""


def test_importing_it_is_quick_and_loads_nothing_heavy() -> None:
    command = [sys.executable, "-c", QUICK]
    seconds = [float(subprocess.check_output(command, text=True)) for _ in range(3)]
    assert min(seconds) < 0.1


@pytest.mark.parametrize("name", geogaze.__all__)
def test_its_names_lead_somewhere(name: str) -> None:
    assert getattr(geogaze, name)
    assert name in dir(geogaze)


def test_the_rooms_of_the_house_take_no_name_of_the_front() -> None:
    """An import of geogaze.explain.… would set geogaze.explain, and the function would be gone."""
    for name in geogaze._DOORS:
        with pytest.raises(ModuleNotFoundError):
            import_module(f"geogaze.{name}")


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(geogaze._DOORS, "absent", "no_such_package.there:it")
    with pytest.raises(ImportError, match=r"no_such_package.*pip install 'geogaze\[worker\]'"):
        _ = geogaze.absent  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="explian"):
        _ = geogaze.explian  # type: ignore[attr-defined]
