"""The command audit, with a network as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
