"""The light install: runs, images and workers need no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import rasterio
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from geogaze.config import Settings
from geogaze.models.item import read_bundle
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner import embedded
from tests.factories import make_scene

_WITHOUT = """
import importlib.abc, importlib.machinery, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None
sys.meta_path.insert(0, Absent())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ABSENT else found(name, *rest)
"""


@pytest.fixture(scope="module")
def bundle(graph_bundle_folder: Path) -> Path:
    return graph_bundle_folder


def installed_by(*extras: str) -> set[str]:
    """The distributions that ``geogaze[…]`` brings, by their canonical names."""
    found: set[tuple[str, str]] = set()
    todo = [("geogaze", extra) for extra in ("", *extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            # What is for no extra counts once, with "".
            if needed.marker is not None and not needed.marker.evaluate({"extra": extra}):
                continue
            todo += [(canonicalize_name(needed.name), one) for one in ("", *needed.extras)]
    return {name for name, _ in found}


def outside(*extras: str) -> set[str]:
    """The modules of what is installed here, for tests or other extras, and not by these."""
    here = installed_by(*extras)
    return {
        module
        for module, distributions in metadata.packages_distributions().items()
        if here.isdisjoint(map(canonicalize_name, distributions))
    }


def without(absent: set[str], code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"ABSENT = {absent!r}\n{_WITHOUT}{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def without_torch(code: str) -> subprocess.CompletedProcess[str]:
    absent = outside("light")
    assert absent >= {"torch", "boto3", "geopandas", "fastapi", "cql2"}
    return without(absent, code)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return without_torch(
        f"sys.argv = ['geogaze', *{words!r}]\nfrom geogaze.cli import main\nmain()\n"
    )


def test_a_run_needs_no_torch(tmp_path: Path, bundle: Path) -> None:
    scene = make_scene(tmp_path / "scene.tif")
    done = command(
        "run", str(scene), "--out", str(tmp_path / "light"), "--model", str(bundle), "--json"
    )
    assert done.returncode == 0, done.stderr
    light = json.loads(done.stdout.splitlines()[-1])["assets"]
    request = ExplainRequest(scene=str(scene), model=str(bundle))
    settings = Settings(device="cpu", torch_threads=1, runtime="torch")
    full = embedded.run(request, tmp_path / "full", settings).assets
    assert set(light) == set(full)
    for name in read_bundle(bundle).classes:
        with (
            rasterio.open(light[f"heat-{name}"]) as ours,
            rasterio.open(full[f"heat-{name}"]) as theirs,
        ):
            assert (theirs.read(1) > 0).any()
            np.testing.assert_allclose(ours.read(1), theirs.read(1), atol=2e-5)
    (ran,) = json.loads(Path(light["item"]).read_text())["properties"]["geogaze:runtimes"]
    assert ran["runtime"].startswith("openvino")


def test_an_image_needs_no_torch(tmp_path: Path, bundle: Path) -> None:
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    done = command(
        "image",
        str(tmp_path / "photo.png"),
        "--model",
        str(bundle),
        "--out",
        str(tmp_path / "seen.png"),
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["top_class"] in read_bundle(bundle).classes
    assert (tmp_path / "seen.png").stat().st_size > 0


def test_so_do_workers_and_the_shipped_model() -> None:
    done = without_torch(
        "from geogaze.config import Settings\n"
        "from geogaze.evidence.engines import load_engine\n"
        "from geogaze.models.registry import find_bundle\n"
        "import worker.child, worker.tasks\n"
        "print(load_engine(find_bundle('aerial-scenes'), Settings()).ran['runtime'])\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("openvino")


@pytest.mark.parametrize("extra", ["light", "worker"])
def test_workers_and_dispatchers_need_nothing_of_the_apis(extra: str) -> None:
    absent = outside(extra)
    assert "cql2" in absent
    modules = ("app", "broker", "child", "dispatcher", "sweeper", "tasks")
    done = without(absent, f"import {', '.join(f'worker.{name}' for name in modules)}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        (("--method", "saliency"), "The method Saliency needs torch"),
        (("--context", "scene"), "Scene context needs torch"),
    ],
    ids=["method", "context"],
)
def test_what_needs_torch_says_so(
    tmp_path: Path, bundle: Path, words: tuple[str, ...], needs: str
) -> None:
    scene = make_scene(tmp_path / "scene.tif")
    done = command("run", str(scene), "--out", str(tmp_path / "x"), "--model", str(bundle), *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    told = " ".join(done.stderr.split())
    assert needs in told
    assert "geogaze[worker]" in told
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("{scene}", "--aoi", "{area}"), "geogaze[vectors]"),
        (("s3://bucket/scene.tif",), "geogaze[s3]"),
    ],
    ids=["vectors", "s3"],
)
def test_so_does_what_needs_another_extra(
    tmp_path: Path, bundle: Path, words: tuple[str, ...], extra: str
) -> None:
    area = tmp_path / "area.fgb"
    area.write_bytes(b"")
    named = {"scene": make_scene(tmp_path / "scene.tif"), "area": area}
    asked = (word.format(**named) for word in words)
    done = command("run", *asked, "--out", str(tmp_path / "x"), "--model", str(bundle))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert f"which is not installed here: pip install '{extra}'" in " ".join(done.stderr.split())
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("train", "nowhere", "--out", "x"),
        ("models", "import", "nothing.pth", "--arch", "resnet18", "--out", "x"),
        ("bench", "engine"),
    ],
    ids=["train", "import", "bench"],
)
def test_so_do_commands(words: tuple[str, ...]) -> None:
    done = command(*words)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
