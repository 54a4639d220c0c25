"""The heat of a job at work: as many tiles as are done, each in its place, until there is more."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray
from PIL import Image

import geogaze.gis.so_far
from api.so_far import Growing
from geogaze.config import Settings
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.processes.explain.glimpses import load_glimpse
from geogaze.processes.explain.plan import Plan
from geogaze.products.glimpses import PICTURE
from geogaze.runner.work import Worker
from tests.unit.api.test_events import told
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient, due
from tests.unit.ledger.suite import submit


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"chunk_tiles": 1})


@pytest.fixture
def worker(settings: Settings) -> Any:
    worker = Worker.from_settings(settings)
    yield worker
    worker.resources.ledger.database.dispose()


def started(http: TestClient, scene: Path) -> str:
    inputs = {"scene": str(scene), "model": "tiny", "overlap": 0, "colormap": "inferno"}
    answer = http.post(EXECUTION, json={"inputs": inputs})
    assert answer.json()["tiles"] == 6, "two rows of three"
    return str(answer.headers["location"])


def one_more(worker: Worker) -> None:
    unit = due(worker.resources.ledger.database)
    assert unit
    worker.run(unit)


def seen(http: TestClient, address: str, mode: str) -> NDArray[np.uint8]:
    """A picture (rows, cols, bands)."""
    answer = http.get(address)
    assert answer.status_code == 200, answer.text
    assert "no-cache" in answer.headers["cache-control"], "it grows"
    return np.asarray(Image.open(BytesIO(answer.content)).convert(mode), dtype=np.uint8)


def test_it_grows_with_every_unit_each_tile_in_its_place(
    http: TestClient, ledger: Ledger, scene: Path, worker: Worker
) -> None:
    location = started(http, scene)
    job = UUID(location.rsplit("/", 1)[1])
    empty = http.get(f"{location}/so-far").json()
    assert (empty["tiles"], empty["of"], empty["left"]) == (0, 6, 0)
    one_more(worker)
    first = http.get(f"{location}/so-far").json()
    assert (first["tiles"], first["rows"], first["cols"], first["off"]) == (1, 2, 3, 0)
    plan = Plan.model_validate(ledger.plan(job))
    assert (first["width"], first["height"]) == (plan.lattice.cols / 2, plan.lattice.rows / 2)
    assert first["step"] == pytest.approx(2 * plan.cell_metres)
    assert first["transform"][0] == pytest.approx(2 * plan.heat_transform.a)
    assert first["transform"][2] == pytest.approx(plan.heat_transform.c)
    for _ in range(2):
        one_more(worker)
    parts = ledger.parts(job, "explain")
    now = http.get(f"{location}/so-far").json()
    assert now["tiles"] == len(parts) == 3
    heat = {}
    for part in parts:
        chunk, glimpse = (
            plan.chunk(part.root, part.rectangle),
            load_glimpse(worker.resources.storage, part, plan),
        )
        assert glimpse
        heat[chunk.row0, chunk.col0] = glimpse
    scene_seen = seen(http, now["scene"], "RGB")
    assert scene_seen.shape == (2 * PICTURE, 3 * PICTURE, 3)
    for number, layer in enumerate(now["layers"]):
        assert layer["name"] == plan.layers[number]
        values = {at: float(glimpse.heat[number, 0, 0]) for at, glimpse in heat.items()}
        assert layer["peak"] == pytest.approx(max(values.values()))
        picture = seen(http, layer["href"], "RGBA")
        for row in range(2):
            for col in range(3):
                value = values.get((row, col))
                if value is None:
                    assert picture[row, col, 3] == 0
                elif value == layer["peak"] > 0:
                    assert picture[row, col].tolist() == [242, 242, 125, 191], "inferno's last"
                else:
                    assert picture[row, col, 3] < 191 or value > 0.6 * layer["peak"]
    for (row, col), glimpse in heat.items():
        box = np.s_[row * PICTURE : (row + 1) * PICTURE, col * PICTURE : (col + 1) * PICTURE]
        off = scene_seen[box].mean(axis=(0, 1)) - glimpse.picture.mean(axis=(0, 1))
        assert np.abs(off).max() < 12, "but for what JPEG blurs"


def test_what_a_browser_has_is_not_sent_again_until_there_is_more(
    http: TestClient, scene: Path, worker: Worker
) -> None:
    location = started(http, scene)
    one_more(worker)
    addresses = [f"{location}/so-far/scene.jpg", f"{location}/so-far/heat/boat.png"]
    tags = [http.get(address).headers["etag"] for address in addresses]
    for address, tag in zip(addresses, tags, strict=True):
        assert http.get(address, headers={"If-None-Match": tag}).status_code == 304
    one_more(worker)
    for address, tag in zip(addresses, tags, strict=True):
        assert http.get(address, headers={"If-None-Match": tag}).status_code == 200
    assert len(set(tags)) == 2


def test_much_at_once_is_taken_in_bit_by_bit(
    http: TestClient, scene: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geogaze.gis.so_far, "_AT_ONCE", 2)
    location = started(http, scene)
    for _ in range(3):
        one_more(worker)
    first, second = (http.get(f"{location}/so-far").json() for _ in range(2))
    assert (first["tiles"], first["left"]) == (2, 1)
    assert (second["tiles"], second["left"]) == (3, 0)


def test_events_tell_of_heat_and_never_before_there_is_some(
    http: TestClient, ledger: Ledger, scene: Path, worker: Worker
) -> None:
    location = started(http, scene)
    one_more(worker)
    end(ledger, UUID(location.rsplit("/", 1)[1]), JobState.FAILED)
    names, data = zip(*told(http.get(f"{location}/events").text.splitlines()), strict=True)
    assert names == ("status", "preview", "heat")
    assert data[-1] == {"href": f"{location}/so-far", "tiles": 1}
    assert http.get(f"{location}/so-far").json()["tiles"] == 1, "of a failed job too"
    none = submit(ledger)
    end(ledger, none, JobState.FAILED)
    assert "event: heat" not in http.get(f"/jobs/{none}/events").text


def test_there_is_none_of_others_and_of_what_is_gone(
    http: TestClient, ledger: Ledger, scene: Path
) -> None:
    location = started(http, scene)
    check_problem(http.get(f"{location}/so-far/heat/boot.png"), 404)
    assert "boat" in http.get(f"{location}/so-far/heat/boot.png").json()["detail"]
    http.delete(location)
    for path in ("", "/scene.jpg", "/heat/boat.png"):
        check_problem(http.get(f"{location}/so-far{path}"), 410)
    check_problem(http.get(f"/jobs/{uuid4()}/so-far"), 404)
    echo = http.post(
        "/processes/echo/execution",
        json={"inputs": {"string": "a"}},
        headers={"Prefer": "respond-async"},
    )
    check_problem(http.get(f"{echo.headers['location']}/so-far"), 404)


def test_few_jobs_are_held(http: TestClient, app: FastAPI, scene: Path) -> None:
    growing: Growing = app.state.growing
    for _ in range(10):
        http.get(f"{started(http, scene)}/so-far")
    assert len(growing._held) == 8
