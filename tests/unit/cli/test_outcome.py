"""What a run says of its layers at its end, out of the Item alone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from geogaze.cli.local import _show_outcome
from geogaze.processes.explain.plan import Plan


def said(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    overlays: str = "none",
    **layers: dict[str, Any],
) -> list[str]:
    """The lines of the table of layers, each without what draws the table."""
    assets = {
        f"heat-{layer}": {f"geogaze:{k}": v for k, v in about.items()}
        for layer, about in layers.items()
    }
    (folder / "item.json").write_text(json.dumps({"assets": assets}))
    files = {name: folder / f"{name}.tif" for name in assets} | {"item": folder / "item.json"}
    bundle = SimpleNamespace(rule="sigmoid")
    plan = cast(Plan, SimpleNamespace(overlays=overlays, bundle=bundle))
    _show_outcome(plan, files, folder)
    lines = [
        line.translate(dict.fromkeys(map(ord, "│┃"), " ")).split()
        for line in capsys.readouterr().out.splitlines()
    ]
    return [" ".join(line) for line in lines]


def test_layers_are_told_by_the_tiles_they_win(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(
        tmp_path,
        capsys,
        boat={"best_of_tiles": 0, "highest_probability": 0.25},
        road={"best_of_tiles": 1200, "highest_probability": 0.987},
        ship={"best_of_tiles": 1, "highest_probability": None},
    )
    told = [line for line in lines if line.startswith(("boat", "road", "ship"))]
    assert told == ["road 1,200 tiles 0.99", "ship 1 tile", "boat no tile 0.25"]


def test_a_contrast_wins_no_tile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(tmp_path, capsys, gap={"best_of_tiles": None, "highest_probability": 0.5})
    assert "gap no tile 0.50" in lines


def test_top_is_told_by_its_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = {
        "best_of_tiles": 3,
        "highest_probability": 0.9,
        "classes": {"road": 2, "boat": 1},
        "classes_probability": {"road": 0.9, "boat": None},
    }
    lines = said(tmp_path, capsys, top=top)
    assert [line for line in lines if line.startswith("top:")] == [
        "top: road 2 tiles 0.90",
        "top: boat 1 tile",
    ]


def test_of_several_labels_layers_are_told_by_the_tiles_they_are_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(
        tmp_path,
        capsys,
        "present",
        boat={"in_tiles": 0, "highest_probability": 0.25},
        road={"in_tiles": 2, "highest_probability": 0.987},
        gap={"in_tiles": None, "highest_probability": 0.5},
    )
    assert "layer in highest probability" in lines
    told = [line for line in lines if line.startswith(("boat", "road", "gap"))]
    assert told == ["road 2 tiles 0.99", "boat no tile 0.25", "gap 0.50"]
    text = " ".join(lines)
    assert "best class" not in text
    assert "0 of 3 layers that are of a class in a tile;" in text


def test_the_most_probable_of_several_labels_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = {
        "in_tiles": 2,
        "highest_probability": 0.9,
        "classes": {"road": 2},
        "classes_probability": {"road": 0.9},
    }
    lines = said(tmp_path, capsys, top=top)
    assert "layer most probable in highest probability" in lines
    assert "top: road 2 tiles 0.90" in lines


def test_nothing_is_said_of_classes_where_scores_are_none_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = " ".join(said(tmp_path, capsys, height={}))
    assert "best class" not in text
    assert "probab" not in text
    assert "What lies in" in text
    lines = said(tmp_path, capsys, top={"classes": {"height": 2}})
    assert "layer highest score in" in lines
    assert "top: height 2 tiles" in lines
