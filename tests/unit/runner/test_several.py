"""Whole jobs on several files: the heat of what they show together, and of no file alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from geogaze.config import Settings
from geogaze.errors import Interrupted, SceneUnreadable
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner import embedded
from geogaze.runner.embedded import RunReport, run
from tests.factories import make_values, write_scene
from tests.unit.scene.mosaics import moved
from tests.unit.scene.rasters import damage

VALUES = make_values(300, 350, seed=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The big scene cut into two by two files, in a folder of their own."""
    folder = tmp_path_factory.mktemp("cut")
    for row, height in ((0, 130), (130, 170)):
        for col, width in ((0, 200), (200, 150)):
            write_scene(
                folder / f"{row}-{col}.tif",
                VALUES[:, row : row + height, col : col + width],
                transform=moved(row, col),
                compress="deflate",
            )
    return folder


def explain(scene: str | tuple[str, ...], out: Path, bundle: Path, **options: object) -> RunReport:
    settings = Settings(device="cpu", torch_threads=1, batch_size=8, chunk_tiles=9)
    asked = ExplainRequest.parse({"scene": scene, "model": str(bundle), **options})
    return run(asked, out, settings)


def bytes_of(report: RunReport) -> dict[str, bytes]:
    """Of products that do not say which files there were."""
    plain = ("heat-", "overlay-", "tiles")
    named = (path for name, path in report.assets.items() if name.startswith(plain))
    return {path.name: path.read_bytes() for path in named}


def test_a_folder_is_explained_as_the_one_scene_that_it_is(
    folder: Path, tmp_path: Path, wide_bundle: Path
) -> None:
    whole = write_scene(tmp_path / "whole.tif", VALUES)
    wanted = explain(str(whole), tmp_path / "one", wide_bundle, classes=["boat"])
    parts = explain(str(folder), tmp_path / "four", wide_bundle, classes=["boat"])
    assert bytes_of(parts) == bytes_of(wanted)
    links = json.loads(parts.assets["item"].read_text())["links"]
    named = [link["href"] for link in links if link["rel"] == "derived_from"]
    assert named == sorted(map(str, folder.iterdir()))


def test_a_run_of_several_goes_on_where_it_was_stopped(
    folder: Path, tmp_path: Path, wide_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = str(folder / "*.tif")
    wanted = explain(scene, tmp_path / "whole", wide_bundle, classes=["boat"])

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "_collect", stop)
        with pytest.raises(Interrupted, match="goes on"):
            explain(scene, tmp_path / "cut", wide_bundle, classes=["boat"])
    after = explain(scene, tmp_path / "cut", wide_bundle, classes=["boat"])
    assert after.reused == after.tiles > 0
    assert bytes_of(after) == bytes_of(wanted)


def test_damage_in_one_file_is_told_by_its_name(
    folder: Path, tmp_path: Path, wide_bundle: Path
) -> None:
    files = [tmp_path / path.name for path in sorted(folder.iterdir())]
    for copy in files:
        copy.write_bytes((folder / copy.name).read_bytes())
    damage(files[3])
    scene = tuple(map(str, files))
    with pytest.raises(SceneUnreadable, match=r"130-200\.tif.* is damaged"):
        explain(scene, tmp_path / "fails", wide_bundle, classes=["boat"])
    assert not (tmp_path / "fails").exists()
    report = explain(scene, tmp_path / "skips", wide_bundle, classes=["boat"], on_error="skip")
    assert all("130-200.tif" in skipped["reason"] for skipped in report.skipped)
    with rasterio.open(report.assets["heat-boat"]) as heat:
        known = np.isfinite(heat.read(1))
    assert known[:3, :5].all()
    assert not known.all()


def test_two_zones_on_a_chosen_grid_have_no_seam(tmp_path: Path, wide_bundle: Path) -> None:
    """A field of one colour in either zone: what lies across the border is as in one file."""
    grey = np.full((3, 200, 200), 120, np.uint8)
    west = write_scene(
        tmp_path / "w.tif",
        grey,
        crs="EPSG:26917",
        transform=Affine(1, 0, 768_269, 0, -1, 4_057_292),
    )
    east = write_scene(
        tmp_path / "e.tif",
        grey,
        crs="EPSG:26918",
        transform=Affine(1, 0, 231_431 + 90, 0, -1, 4_057_292),
    )
    scene = (str(west), str(east))
    for crs, epsg in ((None, 26917), ("EPSG:26918", 26918), ("EPSG:5070", 5070)):
        asked = {"scene": scene, "model": str(wide_bundle), "crs": crs, "classes": ["boat"]}
        plan = make_plan(ExplainRequest.parse(asked), Settings(), local=True)
        assert plan.scene.epsg == epsg
        assert plan.place.code == f"EPSG:{epsg}"
    report = explain(scene, tmp_path / "out", wide_bundle, classes=["boat"], normalize="none")
    plan = report.plan
    assert plan.scene.width > 350
    with rasterio.open(report.assets["heat-boat"]) as heat:
        values = heat.read(1)
    inner = values[1:-2, 1:-2]
    assert np.isfinite(inner).all()


def test_what_is_asked_for_is_part_of_the_work(folder: Path, wide_bundle: Path) -> None:
    """A run of other files, or of the same read otherwise, takes nothing over."""

    def content(**options: object) -> str:
        asked = {"model": str(wide_bundle), "classes": ["boat"], **options}
        return make_plan(ExplainRequest.parse(asked), Settings(), local=True).content

    files = sorted(map(str, folder.iterdir()))
    contents = [
        content(scene=files),
        content(scene=files[::-1]),
        content(scene=files[:3]),
        content(scene=files, nodata=0),
        content(scene=files, crs="EPSG:32632"),
        content(scene=files[0]),
        content(scene=files[0], nodata=0),
    ]
    assert len(set(contents)) == len(contents)
    assert content(scene=files) == contents[0]
