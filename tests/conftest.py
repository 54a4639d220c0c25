"""Fixtures for all tests."""

from __future__ import annotations

import faulthandler
import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.factories import made_once, make_bundle, make_scene
from tests.hosts import Host, make_authority

# Before any test loads torch: small networks on shared cores are quickest on one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Converted networks are the session's own, and nothing lies in the home folder afterwards.
_CACHE = tempfile.TemporaryDirectory(prefix="geogaze-tests-")
os.environ["GEOGAZE_CACHE_FOLDER"] = _CACHE.name
os.environ["XDG_DATA_HOME"] = _CACHE.name  # of registered models, where no test says otherwise

DATA = Path(os.environ.get("GEOGAZE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))

# A thread that a failed test left behind must not keep a finished run from ending.
EXIT_SECONDS = float(os.environ.get("GEOGAZE_TEST_EXIT_SECONDS", "60"))


def pytest_collection_finish() -> None:
    """The million objects of what is imported by now live on: nobody looks through them again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Once all is told: whoever still runs after a while is shown, all threads, and ended.

    A worker of pytest-xdist waits here for the others' tests, and is ended by who started it.
    """
    gc.unfreeze()  # or extensions tell at exit of what they take for leaks
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(EXIT_SECONDS, exit=True)


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """Commands that a test ran have set logs up for what stood for standard error then."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle ``tiny`` of three classes: 64-pixel tiles, stride 32, random weights."""
    return make_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def graph_bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of ResNet-18 and its graph. Tracing takes seconds: copy it to change it."""
    return made_once(
        tmp_path_factory,
        "small",
        lambda folder: make_bundle(folder, architecture="resnet18", graph=True),
    )


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene of 260 × 200 pixels, uint8 RGB, half a metre."""
    return make_scene(tmp_path / "scene.tif")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """An HTTPS host of the files in ``tmp_path / "host"``."""
    folder = tmp_path / "host"
    folder.mkdir()
    with Host(folder, make_authority(tmp_path, monkeypatch.setenv)) as running:
        yield running


@pytest.fixture(scope="session")
def data() -> Path:
    """Real imagery, where this machine has it."""
    if not DATA.is_dir():
        pytest.skip(f"real imagery is absent: no {DATA} (set GEOGAZE_TEST_DATA)")
    return DATA
