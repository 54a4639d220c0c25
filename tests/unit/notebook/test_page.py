"""The blocks of docs/python.md run, in order, in one namespace."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import geogaze
from geogaze.models.registry import SHIPPED
from geogaze.runner.work import Worker
from tests.factories import make_scene
from tests.unit.api.serving import served
from tests.unit.api.testing import due, make_app, make_settings

PAGE = Path(__file__).parents[3] / "docs" / "python.md"


class Service(NamedTuple):
    """An API at an address, with a folder of scenes and somebody at work."""

    address: str
    scenes: Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    settings = make_settings(tmp_path, SHIPPED / "aerial-scenes")
    worker, ended = Worker.from_settings(settings), threading.Event()
    database = worker.resources.ledger.database

    def work() -> None:
        while not ended.wait(0.05):
            if unit := due(database):
                worker.run(unit)

    app = make_app(settings)
    thread = threading.Thread(target=work)
    with served(app) as address:
        thread.start()
        yield Service(address, settings.source_folders[0])
        ended.set()
        thread.join()
    database.dispose()
    app.state.services.ledger.database.dispose()


def test_every_block_runs(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    pytest.importorskip("xarray")
    make_scene(service.scenes / "port.tif", 96, 128)
    make_scene(tmp_path / "scene.tif", 200, 260)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 7
    names: dict[str, Any] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for block in blocks:
        here = block.replace("http://localhost:8080", service.address)
        exec(here.replace("/data/scenes", str(service.scenes)), names)
        for line in re.findall(r"^(\w[\w.]*) +# (\([\d, ]+\))", block, re.MULTILINE):
            value, told = eval(line[0], names), eval(line[1])
            assert value.shape == told, line
            shapes[line[0]] = told
    assert len(shapes) >= 3, "the page tells shapes"
    assert names["results"].layers == ("harbor",)
    again = geogaze.open_results(names["job"]["jobID"], api=service.address)
    assert np.array_equal(again.array("harbor"), names["results"].array("harbor"), equal_nan=True)
    assert again.folder.is_dir()
    folder = again.folder
    del again
    assert not folder.exists(), "a temporary folder lives as long as its results"
    assert sorted(p.name for p in (tmp_path / "crops").iterdir()) == [
        "explanation.npz",
        *(f"overlay-{name}.png" for name in ("fallow", "maize", "wheat")),
    ]
