"""A job shows itself from its first unit on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from geogaze.config import Settings
from geogaze.errors import StorageUnavailable
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import JobStatus
from geogaze.ledger.states import JobState
from geogaze.processes.explain.glimpses import load_glimpse
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.explain.so_far import SO_FAR, so_far
from geogaze.runner import embedded, glimpses
from geogaze.runner.glimpses import Gathering
from geogaze.runner.part import load_evidence, load_table
from geogaze.storage import FolderStorage
from tests.factories import make_scene
from tests.unit.runner.jobs import Bureau


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every unit makes a picture."""
    monkeypatch.setattr(glimpses, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(glimpses, "_COST", 0.0)


@pytest.fixture
def bureau(tmp_path: Path, bundle_folder: Path) -> Bureau:
    return Bureau(tmp_path / "bureau", bundle_folder, chunk_tiles=4)


def one_more(bureau: Bureau) -> None:
    (message,) = Queue(bureau.ledger.database).dispatch(1)
    bureau.worker.run(message.unit)


@pytest.mark.usefixtures("always")
def test_the_picture_grows_with_every_unit(bureau: Bureau, scene: Path) -> None:
    job = bureau.submit(scene, overlap=0)
    assert so_far(bureau.ledger, job) is None
    tiles, pictures = [], set()
    while bureau.ledger.status(job).phase == "explain":
        one_more(bureau)
        picture = so_far(bureau.ledger, job)
        assert picture
        data = bureau.storage.get(picture.key)
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
        tiles.append(picture.tiles)
        pictures.add(data)
    assert tiles == sorted(set(tiles))
    assert tiles[-1] == bureau.ledger.status(job).items
    assert len(tiles) == len(pictures) > 2
    assert bureau.work(job).state is JobState.SUCCESSFUL
    files = (bureau.ledger.assets(job) or {})["files"]
    assert not any(SO_FAR in made["key"] for made in files.values())


def test_glimpses_tell_the_mean_positive_evidence_of_each_tile(bureau: Bureau, scene: Path) -> None:
    job = bureau.submit(scene, overlap=0)
    _, plan = bureau.plan(scene, overlap=0)
    one_more(bureau)
    (part,) = bureau.ledger.parts(job, "explain")
    table = load_table(bureau.storage, part)
    glimpse = load_glimpse(bureau.storage, part, plan)
    assert glimpse
    assert table.seen.all()
    for layer in range(len(plan.layers)):
        maps = load_evidence(
            bureau.storage, part, (layer, layer + 1), len(table.seen), plan.tiling.cells
        )[0]
        expected = [np.maximum(one, 0).mean() for one in maps]
        np.testing.assert_allclose(glimpse.heat[layer].ravel(), expected, rtol=1e-5)
    assert glimpse.picture.std() > 0


def test_pictures_are_not_made_too_often(bureau: Bureau, scene: Path) -> None:
    job = bureau.submit(scene, overlap=0)
    _, plan = bureau.plan(scene, overlap=0)
    one_more(bureau)
    one_more(bureau)
    parts = bureau.ledger.parts(job, "explain")
    now = [100.0]
    gathering = Gathering(plan, lambda: now[0])

    def picture(number: int) -> bytes:
        chunk = plan.chunk(parts[number].root, parts[number].rectangle)
        mine = load_glimpse(bureau.storage, parts[number], plan)
        assert mine
        return gathering.picture(bureau.ledger, bureau.storage, job, chunk, mine)

    assert picture(0)
    now[0] += 1.9
    assert picture(1) == b""
    now[0] += 0.2
    assert picture(1)
    assert gathering.tiles == 8  # each once


def test_what_other_workers_did_is_in_it(bureau: Bureau, scene: Path) -> None:
    job = bureau.submit(scene, overlap=0)
    _, plan = bureau.plan(scene, overlap=0)
    for _ in range(3):
        one_more(bureau)
    parts = bureau.ledger.parts(job, "explain")
    gathering = Gathering(plan)
    last = parts[-1]
    mine = load_glimpse(bureau.storage, last, plan)
    assert mine
    chunk = plan.chunk(last.root, last.rectangle)
    assert gathering.picture(bureau.ledger, bureau.storage, job, chunk, mine)
    tiles = sum(len(load_table(bureau.storage, part).seen) for part in parts)
    assert gathering.tiles == tiles > mine.heat[0].size


def test_parts_of_an_earlier_release_are_left_out(bureau: Bureau, scene: Path) -> None:
    job = bureau.submit(scene, overlap=0)
    _, plan = bureau.plan(scene, overlap=0)
    one_more(bureau)
    one_more(bureau)
    old, last = bureau.ledger.parts(job, "explain")
    path = bureau.storage.path(f"{old.prefix}evidence.f32")
    evidence = old.result["seen"] * len(plan.layers) * plan.tiling.cells**2 * 4
    path.write_bytes(path.read_bytes()[:evidence])
    assert load_glimpse(bureau.storage, old, plan) is None
    mine = load_glimpse(bureau.storage, last, plan)
    assert mine
    gathering = Gathering(plan)
    chunk = plan.chunk(last.root, last.rectangle)
    assert gathering.picture(bureau.ledger, bureau.storage, job, chunk, mine)
    assert gathering.tiles == mine.heat[0].size


@pytest.mark.usefixtures("always")
def test_no_unit_fails_for_want_of_a_picture(
    bureau: Bureau, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = FolderStorage.put

    def full(self: FolderStorage, key: str, data: bytes) -> None:
        if key.endswith(SO_FAR):
            raise StorageUnavailable("the bucket is full")
        put(self, key, data)

    monkeypatch.setattr(FolderStorage, "put", full)
    job = bureau.submit(scene)
    assert bureau.work(job).state is JobState.SUCCESSFUL
    assert so_far(bureau.ledger, job) is None


@pytest.mark.usefixtures("always")
def test_a_run_shows_a_file_while_it_is_at_work(tmp_path: Path, bundle_folder: Path) -> None:
    scene = make_scene(tmp_path / "scene.tif")
    out = tmp_path / "out"
    seen: list[bytes] = []

    def look(status: JobStatus, tiles: int) -> None:
        file = out / "preview-so-far.png"
        if file.exists() and (data := file.read_bytes()) not in seen:
            seen.append(data)

    request = ExplainRequest(scene=str(scene), model=str(bundle_folder), overlap=0)
    settings = Settings(device="cpu", torch_threads=1, chunk_tiles=4, lanes=1)
    embedded.run(request, out, settings, on_progress=look)
    assert len(seen) > 2
    assert all(data.startswith(b"\x89PNG") for data in seen)
    assert not (out / "preview-so-far.png").exists()
    assert (out / "preview.png").exists()
