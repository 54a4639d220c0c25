"""What is wrong in a command is told before the slow libraries are imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = {"torch", "torchvision", "cv2", "geopandas", "pandas", "pyarrow", "celery", "fastapi"}
ALSO_SLOW = {"numpy", "rasterio", "pyproj", "sqlalchemy", "boto3", "httpx"}


def imported(folder: Path, *words: str) -> tuple[int, str, set[str]]:
    """The exit code of a command, what it says, and the libraries that it has imported."""
    code = (
        "import atexit, json, sys\n"
        f"sys.argv = ['geogaze', *{words!r}]\n"
        "atexit.register(lambda: print(json.dumps([m for m in sys.modules if '.' not in m])))\n"
        "from geogaze.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder
    )
    return done.returncode, done.stderr, set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "{scene}", "--out", "heat", "--model", "{bundle}", "--classes", "boot"), "'boat'"),
        (("run", "missing.tif", "--out", "heat"), "missing.tif"),
        (("run", "{scene}", "--out", "heat", "--overlap", "2"), "overlap"),
        (("run", "{scene}", "--out", "heat", "--model", "nothing"), "No model 'nothing'"),
        (("image", "missing.png"), "missing.png"),
        (("image", "{scene}", "--model", "{bundle}", "--class", "boot"), "'boat'"),
        (("image", "{scene}", "--model", "{bundle}", "--out", "{scene}"), "exists"),
    ],
    ids=["class", "scene", "overlap", "model", "photo", "class-of-photo", "taken"],
)
def test_a_mistake_is_told_before_torch_has_loaded(
    words: tuple[str, ...], says: str, scene: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    filled = [word.format(scene=scene, bundle=bundle_folder) for word in words]
    code, told, modules = imported(tmp_path, *filled)
    assert code == 2, told
    assert says in told
    assert not modules & SLOW
    assert not (tmp_path / "heat").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("run", "{scene}", "--out", "heat", "--model", "{bundle}", "--classes", "boot"),
        ("run", "missing.tif", "--out", "heat", "--model", "{bundle}"),
        ("run", "{scene}", "--out", "{taken}", "--model", "{bundle}"),
        ("run", "{scene}", "--out", "heat", "--model", "nothing"),
        ("run", "{scene}", "--out", "heat", "--overlap", "2"),
    ],
    ids=["class", "scene", "folder", "model", "overlap"],
)
def test_a_misspelt_name_needs_no_raster_library(
    words: tuple[str, ...], scene: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "letter.txt").write_text("")
    named = {"scene": scene, "bundle": bundle_folder, "taken": taken}
    code, told, modules = imported(tmp_path, *(word.format(**named) for word in words))
    assert code == 2, told
    assert not modules & (SLOW | ALSO_SLOW - {"numpy"})


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("run", "--help")])
def test_help_needs_next_to_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    code, told, modules = imported(tmp_path, *words)
    assert code == 0, told
    assert not modules & (SLOW | ALSO_SLOW - {"sqlalchemy"})


def test_openmps_threads_are_told_to_sleep_before_torch_reads_it() -> None:
    code = (
        "import atexit, os, sys\n"
        "sys.argv = ['geogaze', 'methods']\n"
        "atexit.register(lambda: print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules))\n"
        "from geogaze.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "3000 False"
