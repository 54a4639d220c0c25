"""The hostile corpus: what strangers may send ends nothing, hangs nothing, tells nothing.

``make hostile`` is the long form, with 20,000 mutated rasters.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from geogaze.config import Settings
from geogaze.errors import AoiOutsideScene, GeogazeError, InvalidRequest
from geogaze.scene.areas import read_area
from geogaze.scene.zones import read_zones
from tests.factories import make_scene
from tests.hostile.bundles import BUNDLES, CANARY, use
from tests.hostile.case import Case
from tests.hostile.labels import LABELS
from tests.hostile.mutating import bases
from tests.hostile.rasters import RASTERS
from tests.hostile.requests import REQUESTS, Request
from tests.hostile.watching import Looking, looking
from tests.unit.api.testing import TestClient, make_app, make_settings

MUTATED = 100
ENOUGH = 80


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def looker(room: Path) -> Iterator[Looking]:
    make_scene(room / "canary.tif", 64, 64)
    with looking(room / "looker", room / "storage") as one:
        yield one
        assert one.ended == 0
        assert one.strays() == []


def test_there_are_enough_and_none_is_named_twice() -> None:
    groups = (RASTERS, LABELS, REQUESTS)
    for group in groups:
        assert len({case.name for case in group}) == len(group)
    assert sum(map(len, (*groups, BUNDLES))) >= ENOUGH


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", RASTERS, ids=lambda case: case.name)
def test_a_raster_is_refused_or_harmless(looker: Looking, room: Path, case: Case) -> None:
    path = room / "storage" / "uploads" / f"{RASTERS.index(case)}" / case.file
    path.parent.mkdir(parents=True)
    case.make(path)
    outcome = looker.at({"scene": str(path)})
    assert outcome.answer in case.answers, outcome
    assert str(room) not in outcome.said.replace(f"{path.parent}/", "")


def test_what_is_almost_right_ends_nothing(looker: Looking, room: Path) -> None:
    folder = room / "storage" / "uploads" / "mutated"
    files = bases(folder)
    for seed in range(MUTATED):
        base = files[seed % len(files)]
        to = folder / f"mutated{base.suffix}"
        outcome = looker.at({"base": str(base), "seed": seed, "to": str(to)})
        assert not outcome.answer.startswith(("bug", "crash", "hang")), (seed, base.name, outcome)
        assert str(room) not in outcome.said.replace(f"{folder}/", ""), (seed, base.name)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_is_refused_and_runs_nothing(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models" / "tiny"
    shutil.copytree(bundle_folder, folder)
    BUNDLES[name](folder)
    with pytest.raises(GeogazeError):
        use(folder)
    assert not (tmp_path / CANARY).exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", LABELS, ids=lambda case: case.name)
def test_a_label_file_is_refused_or_harmless(tmp_path: Path, case: Case) -> None:
    path = tmp_path / "a" / "b" / case.file
    path.parent.mkdir(parents=True)
    case.make(path)
    before = sorted(tmp_path.rglob("*"))
    try:
        read_zones(path, "EPSG:32631")
    except InvalidRequest:
        answer = "InvalidRequest"
    else:
        answer = "taken"
    assert answer in case.answers
    with suppress(AoiOutsideScene):
        read_area(str(path))
    left = {p for p in tmp_path.rglob("*") if not p.name.endswith(("-wal", "-shm"))}
    assert left == set(before)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[TestClient]:
    settings: Settings = make_settings(tmp_path_factory.mktemp("served"), bundle_folder)
    make_scene(settings.source_folders[0] / "port.tif", 96, 128)
    with TestClient(make_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
def test_a_request_is_refused_and_tells_nothing(served: TestClient, request_: Request) -> None:
    settings: Settings = served.app.state.services.settings  # type: ignore[attr-defined]
    scene = settings.source_folders[0] / "port.tif"
    answer = served.request(
        request_.method,
        request_.path,
        content=request_.body.replace(b"SCENE", str(scene).encode()),
        headers=request_.headers,
    )
    assert answer.status_code in request_.statuses, answer.text[:300]
    told = answer.text.replace(str(scene.parent), "")
    assert str(scene.parent.parent) not in told
    assert "root:" not in told
    assert "Traceback" not in told
    assert served.get("/jobs").json()["jobs"] == [], "nothing has begun"
