"""Where a plan warns, whoever looks at a product is told: on the terminal, in files, over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rasterio
from affine import Affine
from PIL import Image, ImageDraw

from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.preview import write_preview
from tests.factories import make_scene
from tests.unit.api.testing import TestClient, due, make_app, make_settings
from tests.unit.cli.conftest import Geogaze
from tests.unit.products.conftest import OpenReader, plan_of, reader_of

__all__ = ["plan_of", "reader_of"]

COARSE = Affine.translation(430_000, 5_410_000) @ Affine.scale(3.0, -3.0)
TOLD = "things look 6 times smaller than it knows them, and its answers may mean nothing."
WARNING = (232, 176, 92)


@pytest.fixture
def coarse(tmp_path: Path) -> Path:
    return make_scene(tmp_path / "coarse.tif", 96, 128, transform=COARSE)


def test_a_run_tells_before_and_after_and_in_every_product(geogaze: Geogaze, coarse: Path) -> None:
    words = ("run", coarse, "--out", "heat", "--model", "tiny", "--overlap", 0, "--classes", "boat")
    done = geogaze(*words)
    assert done.code == 0, done.err
    assert TOLD in " ".join(done.err.split()), "before the work"
    assert TOLD in " ".join(done.out.split()), "beside the table"
    for name in ("heat-boat.tif", "overlay-boat.tif"):
        with rasterio.open(Path("heat", name)) as layer:
            assert TOLD in layer.tags()["GEOGAZE_WARNINGS"], name
    (said,) = json.loads(Path("heat/item.json").read_text())["properties"]["geogaze:warnings"]
    assert TOLD in said
    with Image.open("heat/preview.png") as sheet:
        colours = {colour: n for n, colour in sheet.convert("RGB").getcolors(2**24) or ()}
    assert colours.get(WARNING, 0) > 100


def test_the_contact_sheet_says_the_whole_of_it(
    plan_of: Any, reader_of: OpenReader, coarse: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    drawn: list[str] = []
    text = ImageDraw.ImageDraw.text

    def note(self: ImageDraw.ImageDraw, at: Any, words: str, *more: Any, **options: Any) -> None:
        drawn.append(words)
        text(self, at, words, *more, **options)

    def heights(plan: Plan) -> int:
        with reader_of(plan) as reader:
            write_preview(facts_of(plan), reader, [], tmp_path / "sheet.png")
        with Image.open(tmp_path / "sheet.png") as sheet:
            return sheet.height

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    plan = plan_of(coarse)
    high = heights(plan)
    assert plan.warnings[0] in " ".join(drawn)
    assert heights(plan.model_copy(update={"warnings": ()})) < high, "it has lines of its own"


def test_a_jobs_status_tells_it_over_http_from_the_beginning(
    tmp_path: Path, bundle_folder: Path
) -> None:
    from geogaze.runner.work import Worker

    settings = make_settings(tmp_path, bundle_folder)
    scene = make_scene(settings.source_folders[0] / "coarse.tif", 96, 128, transform=COARSE)
    fine = make_scene(settings.source_folders[0] / "fine.tif", 96, 128)
    worker = Worker.from_settings(settings)
    with TestClient(make_app(settings)) as http:

        def submit(path: Path) -> Any:
            inputs = {"scene": str(path), "model": "tiny", "classes": ["boat"], "overlap": 0}
            answer = http.post("/processes/explain/execution", json={"inputs": inputs})
            assert answer.status_code == 201, answer.text
            return answer.json()

        assert "warnings" not in submit(fine)
        job = submit(scene)
        assert TOLD in job["warnings"][0]
        while unit := due(worker.resources.ledger.database):
            worker.run(unit)
        ended = http.get(f"/jobs/{job['jobID']}").json()
        assert (ended["status"], ended["warnings"]) == ("successful", job["warnings"])
        assert sum("warnings" in one for one in http.get("/jobs").json()["jobs"]) == 1
    worker.resources.ledger.database.dispose()
