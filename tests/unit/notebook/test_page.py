"""The blocks of docs/python.md run, in order, in one namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import geogaze
from geogaze import client as client_module
from geogaze.client import Client
from geogaze.models.registry import SHIPPED
from geogaze.runner.work import Worker
from tests.factories import make_scene
from tests.unit.api.testing import TestClient, due, make_app, make_settings

PAGE = Path(__file__).parents[3] / "docs" / "python.md"


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Behind http://localhost:8080 is an API in this process, whose worker works while we wait."""
    settings = make_settings(tmp_path, SHIPPED / "aerial-scenes")
    worker = Worker.from_settings(settings)
    api = make_app(settings)

    def connect(self: Client, url: str, **_: Any) -> None:
        assert url == "http://localhost:8080"
        self._http = TestClient(api)

    def work(seconds: float) -> None:
        if unit := due(worker.resources.ledger.database):
            worker.run(unit)

    monkeypatch.setattr(Client, "__init__", connect)
    monkeypatch.setattr(client_module.time, "sleep", work)
    yield settings.source_folders[0]
    worker.resources.ledger.database.dispose()


def test_every_block_runs(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    pytest.importorskip("xarray")
    make_scene(scenes / "port.tif", 96, 128)
    make_scene(tmp_path / "scene.tif", 200, 260)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 7
    names: dict[str, Any] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for block in blocks:
        exec(block.replace("/data/scenes", str(scenes)), names)
        for line in re.findall(r"^(\w[\w.]*) +# (\([\d, ]+\))", block, re.MULTILINE):
            value, told = eval(line[0], names), eval(line[1])
            assert value.shape == told, line
            shapes[line[0]] = told
    assert len(shapes) >= 3, "the page tells shapes"
    assert names["results"].layers == ("harbor",)
    again = geogaze.open_results(names["job"]["jobID"], api="http://localhost:8080")
    assert np.array_equal(again.array("harbor"), names["results"].array("harbor"), equal_nan=True)
    assert again.folder.is_dir()
    folder = again.folder
    del again
    assert not folder.exists(), "a temporary folder lives as long as its results"
    assert sorted(p.name for p in (tmp_path / "crops").iterdir()) == [
        "explanation.npz",
        *(f"overlay-{name}.png" for name in ("fallow", "maize", "wheat")),
    ]
