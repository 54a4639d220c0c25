"""``geogaze run`` and ``geogaze demo``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rasterio

from geogaze.errors import InvalidRequest
from geogaze.runner import work
from tests.factories import make_scene
from tests.left_behind import OF_EVERY_JOB
from tests.unit.cli.conftest import Geogaze
from tests.unit.scene.rasters import damage


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return make_scene(tmp_path / "port.tif", 96, 128)


QUICK = ("--model", "tiny", "--overlap", 0, "--classes", "boat")


def test_run_ends_with_one_line_of_json(geogaze: Geogaze, scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "heat"
    done = geogaze("run", scene, "--out", out, *QUICK, "--json")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    report = done.last
    assert set(report) == {
        *("job", "status", "tiles", "reused", "seconds", "tiles_per_second"),
        *("classes", "assets", "skipped", "bands", "rescale", "warnings", "bill"),
    }
    assert (report["status"], report["classes"], report["skipped"]) == ("successful", ["boat"], [])
    assert report["tiles"] > 0
    assert report["tiles_per_second"] == pytest.approx(
        report["tiles"] / report["seconds"], rel=0.01
    )
    own = {"heat-boat", "style-boat", "overlay-boat", "backdrop"}
    assert set(report["assets"]) == {*own, *OF_EVERY_JOB}
    files = {Path(path) for path in report["assets"].values()}
    assert files == set(out.iterdir())  # and no workspace


def test_run_tells_people_where_to_look(geogaze: Geogaze, scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "heat"
    out.mkdir()
    (out / "heat-boat.tif").write_text("of an earlier run")
    (out / "notes.txt").write_text("mine")
    words = ("run", scene, "--out", out, *QUICK, "--overlays", "none")
    refused = geogaze(*words)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert (out / "heat-boat.tif").read_text() == "of an earlier run"
    done = geogaze(*words, "--overwrite")
    assert done.code == 0, done.err
    assert "heat-boat.tif" in done.out
    assert f"geogaze view {out}" in done.out
    assert "tiles/s" in done.out
    assert {path.name for path in out.iterdir()} == {
        *("notes.txt", "heat-boat.tif", "heat-boat.qml"),
        *OF_EVERY_JOB.values(),
    }
    with rasterio.open(out / "heat-boat.tif") as heat:
        assert heat.count == 1


def test_a_damaged_block_costs_its_tiles_or_the_job(geogaze: Geogaze, tmp_path: Path) -> None:
    scene = make_scene(tmp_path / "port.tif", 256, 256, compress="deflate")
    damage(scene)
    done = geogaze("run", scene, "--out", "heat", *QUICK, "--json")
    assert done.code == 2
    assert "Block (row 1, column 1" in done.last["detail"]
    assert not Path("heat").exists()
    done = geogaze("run", scene, "--out", "heat", *QUICK, "--on-error", "skip")
    assert done.code == 0, done.err
    assert "skipped: Block (row 1, column 1" in done.out
    again = geogaze("run", scene, "--out", "more", *QUICK, "--on-error", "skip", "--json")
    (skipped,) = again.last["skipped"]
    assert skipped["tiles"] == len(skipped["positions"]) > 0


def test_colours_may_be_chosen(geogaze: Geogaze, scene: Path) -> None:
    for name in ("turbo", "viridis"):
        assert geogaze("run", scene, "--out", name, *QUICK, "--colormap", name).code == 0
    assert Path("turbo/heat-boat.tif").read_bytes() == Path("viridis/heat-boat.tif").read_bytes()
    for picture in ("overlay-boat.tif", "preview.png"):
        assert Path("turbo", picture).read_bytes() != Path("viridis", picture).read_bytes()
    assert geogaze("run", scene, "--out", "heat", *QUICK, "--colormap", "jet").code == 2


BAD: list[tuple[str, list[object], str]] = [
    ("missing scene", ["none.tif", *QUICK], "none.tif"),
    ("folder of chips", ["chips", *QUICK], "geogaze image chips"),
    ("pattern of nothing", ["*.jp2", *QUICK], "No file is called as"),
    ("CRS", ["{scene}", *QUICK, "--crs", "EPSG:1"], "EPSG:1"),
    ("not a GeoTIFF", ["text.tif", *QUICK], "text.tif"),
    ("one band", ["grey.tif", *QUICK], "--bands 1,1,1"),
    ("no CRS", ["chip.tif", *QUICK], "CRS"),
    ("remote scene", ["ftp://example.org/a.tif", *QUICK], "https://HOST/PATH"),
    ("unknown model", ["{scene}", "--model", "tyni"], "tyni"),
    ("unknown class", ["{scene}", "--model", "tiny", "--classes", "boot"], "boat"),
    ("no class", ["{scene}", "--model", "tiny", "--classes", ","], "classes"),
    ("overlap", ["{scene}", *QUICK, "--overlap", "1.5"], "overlap"),
    ("overlap as text", ["{scene}", *QUICK, "--overlap", "abc"], "--overlap"),
    ("bands as text", ["{scene}", *QUICK, "--bands", "r,g,b"], "--bands"),
    ("band out of range", ["{scene}", *QUICK, "--bands", "1,2,9"], "9"),
    ("rescale as text", ["{scene}", *QUICK, "--rescale", "low,high"], "--rescale"),
    ("rescale of one number", ["{scene}", *QUICK, "--rescale", "1"], "rescale"),
    ("area missing", ["{scene}", *QUICK, "--aoi", "none.geojson"], "none.geojson"),
    ("area not JSON", ["{scene}", *QUICK, "--aoi", "text.tif"], "text.tif"),
    ("area elsewhere", ["{scene}", *QUICK, "--aoi", "far.geojson"], "does not touch"),
    ("area a list", ["{scene}", *QUICK, "--aoi", "list.geojson"], "aoi"),
    ("GSD", ["{scene}", *QUICK, "--gsd", "0"], "gsd"),
    ("GSD endless", ["{scene}", *QUICK, "--gsd", "inf"], "gsd"),
]


@pytest.mark.parametrize(
    ("words", "says"), [row[1:] for row in BAD], ids=[row[0].replace(" ", "-") for row in BAD]
)
def test_bad_input_exits_with_2_and_leaves_nothing(
    geogaze: Geogaze, scene: Path, tmp_path: Path, words: list[object], says: str
) -> None:
    work = Path.cwd()
    make_scene(work / "grey.tif", 64, 64, bands=1)
    make_scene(work / "chip.tif", 64, 64, crs=None)
    (work / "text.tif").write_text("no pixels here")
    (work / "list.geojson").write_text("[1, 2]")
    ring = [[9, 50], [9.1, 50], [9.1, 50.1], [9, 50]]
    (work / "far.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    (work / "chips").mkdir()
    (work / "chips/1.png").touch()
    before = sorted(work.rglob("*"))
    named = [scene if word == "{scene}" else word for word in words]
    done = geogaze("run", *named, "--out", "heat", "--json")
    assert done.code == 2, done
    assert says in done.err
    assert "Traceback" not in done.err
    assert sorted(work.rglob("*")) == before


def test_bad_input_is_told_in_json_too(geogaze: Geogaze) -> None:
    done = geogaze("run", "none.tif", "--out", "heat", "--model", "tiny", "--json")
    assert done.last["status"] == "failed"
    assert done.last["type"] == "scene-unreadable"
    assert "none.tif" in done.last["detail"]


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_out_folder_that_cannot_be(geogaze: Geogaze, scene: Path, out: str) -> None:
    Path("file").write_text("mine")
    done = geogaze("run", scene, "--out", out, *QUICK)
    assert done.code == 2, done
    assert "file" in done.err
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize("existing", [False, True])
def test_a_job_that_fails_exits_with_1_and_leaves_nothing(
    geogaze: Geogaze, scene: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(work, "perform", broken)
    if existing:
        Path("heat").mkdir()
        Path("heat/notes.txt").write_text("mine")
    before = sorted(Path().rglob("*"))
    done = geogaze("run", scene, "--out", "heat", *QUICK, "--json", "--overwrite")
    assert done.code == 1
    assert "out of luck" in done.last["detail"]
    assert sorted(Path().rglob("*")) == before


# affine warns of rio-cogeo's and rasterio's own arithmetic.
THIRD_PARTIES = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@THIRD_PARTIES
def test_demo_draws_the_same_scene_again(geogaze: Geogaze) -> None:
    for name in ("a.tif", "b.tif"):
        assert geogaze("demo", name, "--size", 256, "--seed", 3).code == 0
    assert Path("a.tif").read_bytes() == Path("b.tif").read_bytes()
    before = Path("a.tif").read_bytes()
    refused = geogaze("demo", "a.tif", "--size", 64)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert Path("a.tif").read_bytes() == before
    assert geogaze("demo", "c.tif", "--size", 256, "--seed", 4).code == 0
    assert Path("a.tif").read_bytes() != Path("c.tif").read_bytes()
    with rasterio.open("a.tif") as drawn:
        assert (drawn.width, drawn.height, drawn.count) == (256, 256, 3)
        assert drawn.res == (0.5, 0.5)
    outlines = json.loads(Path("a.geojson").read_text())
    assert outlines["type"] == "FeatureCollection"
    assert outlines["features"]


@pytest.mark.parametrize("words", [("--size", 10), ("--size", "large")])
def test_demo_refuses_odd_sizes(geogaze: Geogaze, words: tuple[object, ...]) -> None:
    assert geogaze("demo", "a.tif", *words).code == 2
    assert list(Path().iterdir()) == []


@THIRD_PARTIES
def test_demo_in_a_folder_that_is_not_there(geogaze: Geogaze) -> None:
    done = geogaze("demo", "new/folder/a.tif", "--size", 64)
    assert done.code == 0, done.err
    assert Path("new/folder/a.tif").is_file()


def test_device_and_batch_may_be_chosen_for_one_run(
    geogaze: Geogaze, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geogaze.runner import embedded

    asked: list[tuple[str, int]] = []

    def run(request: Any, out: Path, settings: Any, **_: Any) -> None:
        asked.append((settings.device, settings.batch_size))
        raise InvalidRequest("that is all")

    monkeypatch.setattr(embedded, "run", run)
    geogaze("run", scene, "-o", "heat", *QUICK, "--device", "cuda:1", "--batch", 7)
    geogaze("run", scene, "-o", "heat", *QUICK)
    assert asked == [("cuda:1", 7), ("cpu", 0)]


def test_a_dry_run_says_what_it_takes_and_leaves_nothing(
    geogaze: Geogaze, scene: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    words = ("run", scene, *QUICK, "--dry-run")
    done = geogaze(*words)
    assert done.code == 0, done.err
    for told in ("tiles     6", "1, each 4 × 5 cells of 16 m", "at most", "Nothing was written"):
        assert told in done.out
    report = geogaze(*words, "--out", "heat", "--json").last
    assert (report["status"], report["tiles"], report["classes"]) == ("planned", 6, ["boat"])
    assert (report["rows"], report["cols"], report["seconds"]) == (4, 5, None)
    assert 0 < report["products_bytes"] < report["disk_bytes"]
    assert sorted(tmp_path.rglob("*")) == before
    made = geogaze("run", scene, *QUICK, "--out", "heat", "--json")
    assert made.last["tiles"] == 6
    assert "6 tiles; 1 layer of 4 × 5 cells; at most" in made.err
    again = geogaze(*words, "--out", "heat")
    assert again.code == 2, "what the run itself would refuse"
    assert "--overwrite" in again.err


def test_a_run_without_out_says_what_is_missing(geogaze: Geogaze, scene: Path) -> None:
    done = geogaze("run", scene, *QUICK, "--json")
    assert done.code == 2
    assert "--out FOLDER" in done.last["detail"]


def test_the_first_batches_of_a_run_tell_its_time(
    geogaze: Geogaze, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geogaze.cli import local
    from geogaze.cli.bars import TilesBar

    seconds = iter(range(0, 10_000, 60))
    monkeypatch.setattr(local, "TilesBar", lambda bar: TilesBar(bar, lambda: float(next(seconds))))
    done = geogaze("run", scene, "--out", "heat", *QUICK, "--batch", 1)
    assert done.code == 0, done.err
    # Batches of one tile, a minute each; the first is not measured, and 4 are left after two.
    assert done.err.count("left for the tiles") == 1
    assert "About 4 min 00 s left for the tiles" in done.err
