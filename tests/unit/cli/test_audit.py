"""The command audit, with a network as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import rasterio
from affine import Affine

from geogaze.cli.audit_folders import of_folders
from geogaze.errors import InvalidRequest
from tests.unit.audit.conftest import World, world  # noqa: F401
from tests.unit.cli.conftest import Geogaze


def test_an_audit_is_written(
    geogaze: Geogaze,
    world: World,  # noqa: F811
    bundle_folder: Path,
    tmp_path: Path,
) -> None:
    words = ("audit", world.scene, "--class", "boat", "--model", bundle_folder, "--by", "class")
    gates = ("--fail-if", "rise[boat]<9", "--fail-if", "enrichment[boat]<0")
    gates = (*gates, "--junit", tmp_path / "reports" / "audit.xml")
    done = geogaze(*words, "--tiles", 4, "--out", tmp_path / "audit", *gates)
    assert done.code == 1, done.err
    assert "Failed: rise[boat]<9" in done.err
    assert "enrichment" not in done.err
    assert 'tests="2" failures="1"' in (tmp_path / "reports" / "audit.xml").read_text()
    told = json.loads((tmp_path / "audit" / "audit.json").read_text())
    one = told["classes"]["boat"]
    assert one["closes"]
    assert one["closure_of_all_classes"] < 1e-5
    assert one["baselines"]["random weights"] > 0
    assert one["verdict"] == "cannot tell"  # nothing was learnt
    assert "boat" in (tmp_path / "audit" / "audit.html").read_text()
    again = geogaze(*words, "--out", tmp_path / "audit")
    assert (again.code, "--overwrite" in again.err) == (2, True)


def test_folders_of_results_say_their_scene_and_model(
    geogaze: Geogaze,
    world: World,  # noqa: F811
    tmp_path: Path,
) -> None:
    scene = Path(shutil.copy2(world.scene, tmp_path / "work" / "port.tif"))
    words = ("--classes", "boat", "--rescale", "0,200", "--overlays", "none", "--overlap", 0)
    done = geogaze("run", scene.name, "--model", "tiny", "--out", "heat", *words)
    assert done.code == 0, done.err
    asked = ("--class", "boat", "--by", "class", "--tiles", 2, "--truth", world.objects, "--json")
    done = geogaze("audit", "heat", *asked, "--out", "audit")
    assert done.code == 0, done.err
    request = {"scene": scene.name, "bands": [1, 2, 3], "rescale": [[0.0, 200.0]] * 3}
    assert of_folders(["heat"], None)["scenes"] == [request]
    assert of_folders(["heat", "heat"], None)["scenes"] == [request, request]
    assert of_folders(["heat"], "other")["weights"] is None

    mixed = geogaze("audit", "heat", scene.name, *asked, "--out", "mixed")
    assert (mixed.code, "audit them apart" in mixed.err) == (2, True)
    shutil.copytree("heat", "changed")
    item = json.loads(Path("changed/item.json").read_text())
    item["properties"]["geogaze:weights"] = "sha256:" + "0" * 64
    Path("changed/item.json").write_text(json.dumps(item))
    other = geogaze("audit", "changed", *asked, "--out", "other")
    assert (other.code, "weights" in other.err) == (2, True)
    with pytest.raises(InvalidRequest, match="several models"):
        of_folders(["heat", "changed"], None)
    item["links"] *= 2
    Path("changed/item.json").write_text(json.dumps(item))
    with pytest.raises(InvalidRequest, match="of 2 files"):
        of_folders(["changed"], None)
    Path("changed/item.json").write_text("{}")
    with pytest.raises(InvalidRequest, match="not of geogaze run"):
        of_folders(["changed"], None)
    aside = scene.rename(scene.with_name("aside.tif"))
    with rasterio.open(aside) as file:
        profile, values = file.profile, file.read()
    moved = {**profile, "transform": profile["transform"] @ Affine.translation(profile["width"], 0)}
    with rasterio.open(scene, "w", **moved) as file:
        file.write(values)
    with pytest.raises(InvalidRequest, match="another scene"):
        of_folders(["heat"], None)
    scene.unlink()
    gone = geogaze("audit", "heat", *asked, "--out", "gone")
    assert (gone.code, "has gone" in gone.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--truth", "no.geojson"), "no.geojson"),
        (("--cover", "water"), "NAME=FILE"),
        (("--cover", "objects=water.geojson"), "objects"),
        (("--model", "nobody"), "nobody"),
        (("--fail-if", "beauty[boat]<2", "--model", "tiny"), "enrichment"),
    ],
)
def test_what_is_wrong_is_told_before_there_is_any_work(
    geogaze: Geogaze,
    world: World,  # noqa: F811
    tmp_path: Path,
    words: tuple[str, ...],
    says: str,
) -> None:
    done = geogaze("audit", world.scene, "--class", "boat", "--out", tmp_path / "out", *words)
    assert done.code == 2
    assert says in done.err
    assert not (tmp_path / "out").exists()
