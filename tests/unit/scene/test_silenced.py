"""What libraries warn of files that lie nowhere is no business of whoever has geogaze read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from affine import Affine

from tests.factories import make_scene

SILENCED = """
import sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rasterio

warnings.simplefilter("error")
from geogaze.config import Settings
from geogaze.scene.gdal import georeferenced_shape

before, opened = list(warnings.filters), rasterio.open
turns, both, left = iter((1, 2)), threading.Event(), threading.Event()

def open_in_turns(*words, **named):
    if next(turns) == 1:
        assert both.wait(20)
    else:
        both.set()
        assert left.wait(20), "who came first has left"
    return opened(*words, **named)

rasterio.open = open_in_turns

def look():
    shape = georeferenced_shape(Path(sys.argv[1]), Settings())
    left.set()
    return shape

with ThreadPoolExecutor(2) as threads:
    asked = [threads.submit(look) for _ in range(2)]
assert [one.result() for one in asked] == [None, None]
assert warnings.filters == before, "filters are as they were"
"""


def test_threads_that_read_what_lies_nowhere_warn_of_nothing(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "s.tif", crs=None, transform=Affine.identity())
    done = subprocess.run(
        [sys.executable, "-c", SILENCED, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
