"""The notebooks of docs/notebooks run as they are, and hold what they show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.notebooks import FOLDER, execute


def outputs(notebook: dict[str, Any]) -> list[Any]:
    """What is printed, and the kinds of what is shown, by cell."""
    return [
        ["".join(output.get("text", "")) or sorted(output["data"]) for output in cell["outputs"]]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's
@pytest.mark.parametrize("name", ["comparing", "job-to-map"])
def test_a_notebook_runs_and_shows_what_it_shows_to_readers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xarray")
    text = (FOLDER / f"{name}.ipynb").read_text()
    assert len(text) < 100_000, "outputs are small"
    assert "127.0.0.1" not in text, "maps live as long as the process that ran it"
    monkeypatch.chdir(tmp_path)
    kept = json.loads(text)
    assert outputs(execute(kept)) == outputs(kept), "make notebooks writes them anew"


def test_every_notebook_is_run() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {"comparing", "job-to-map"}
