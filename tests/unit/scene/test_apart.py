"""A scene that is looked at apart: what breaks or hangs its decoder ends a child alone."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import rasterio
import structlog
from pydantic import SecretStr
from rasterio.transform import from_origin

from geogaze.config import Settings
from geogaze.errors import GeogazeError, SceneAway, SceneUnreadable, SceneUnusable
from geogaze.scene import apart
from geogaze.scene.apart import check_apart, facts_apart
from geogaze.scene.info import SceneInfo
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.reading import Reading
from tests.factories import make_scene

Program = Any


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    """Let the child be another program."""

    def be(text: str) -> None:
        real = subprocess.Popen

        def popen(command: list[str], **options: Any) -> Any:
            return real([sys.executable, "-c", text], **options)

        monkeypatch.setattr(apart.subprocess, "Popen", popen)

    return be


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "uploads").mkdir()
    return Settings(storage=str(tmp_path), upload_check_seconds=250, plan_seconds=250)


def test_a_scene_that_is_one_passes_and_what_is_none_is_told(
    settings: Settings, tmp_path: Path
) -> None:
    check_apart(str(make_scene(tmp_path / "uploads" / "a.tif", 64, 64)), settings)
    text = tmp_path / "uploads" / "b.tif"
    text.write_text("no pixels")
    with pytest.raises(SceneUnreadable, match="cannot be opened as a GeoTIFF"):
        check_apart(str(text), settings)


DEATHS = (
    "import os; os.abort()",
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "raise MemoryError",
    "import sys; sys.exit(77)",
)


@pytest.mark.parametrize("way", ["check", "planning"])
@pytest.mark.parametrize("text", DEATHS)
def test_what_ends_its_child_is_refused(
    settings: Settings, program: Program, text: str, way: str
) -> None:
    program(text)
    limit = "GEOGAZE_PLAN_APART_MB" if way == "planning" else "GEOGAZE_UPLOAD_CHECK_MB"
    with (
        structlog.testing.capture_logs() as logs,
        pytest.raises(SceneUnreadable, match=f"breaks what decodes it, or takes more.*{limit}"),
    ):
        {"check": check_apart, "planning": facts}[way]("s3://a/b.tif", settings)
    assert [entry["event"] for entry in logs] == [f"a scene ended its {way}"]


def test_what_takes_too_long_is_refused_and_killed(settings: Settings, program: Program) -> None:
    program("while True: pass")
    hasty = settings.model_copy(update={"upload_check_seconds": 0.2})
    with pytest.raises(SceneUnreadable, match=r"more than 0\.2 seconds"):
        check_apart("s3://a/b.tif", hasty)


def test_the_child_is_told_no_more_than_it_needs(
    settings: Settings, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOGAZE_DATABASE_URL", "postgresql://u:hidden@h/d")
    told = tmp_path / "told"
    program(
        f"import os, sys; open({str(told)!r}, 'w').write(sys.stdin.read() + repr(dict(os.environ)))"
    )
    secrets = {
        "database_url": "postgresql://u:hidden@h/d",
        "broker_url": "redis://:hidden@h",
        "rate_store": "redis://:hidden@h",
        "callback_secret": SecretStr("hidden"),
        "s3_secret_key": SecretStr("needed"),
    }
    check_apart("s3://a/b.tif", settings.model_copy(update=secrets))
    assert "hidden" not in told.read_text()
    assert "needed" in told.read_text()


def test_the_child_has_bounds(tmp_path: Path) -> None:
    """In a process that confines itself: memory, and files."""
    script = (
        "from geogaze.scene.child import _confine\n"
        "_confine(1024, 5.0)\n"
        "try: bytearray(2 * 2**30)\n"
        "except MemoryError: print('memory')\n"
        "from pathlib import Path\n"
        "try: Path('stray').write_text('x')\n"
        "except OSError: print('file')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["memory", "file"]


def facts(scene: object, settings: Settings, bands: tuple[int, ...] | None = (1,)) -> SceneInfo:
    return facts_apart([str(scene)], Reading(), settings, ("any",), bands, None)


def test_a_plan_gets_what_its_own_process_would_read(settings: Settings, tmp_path: Path) -> None:
    path = str(make_scene(tmp_path / "uploads" / "a.tif", 64, 64))
    with open_reader(path, SourcePolicy.of(settings), settings) as reader:
        assert facts(path, settings) == reader.facts(("any",), (1,), None)
    with pytest.raises(SceneUnusable, match="band"):
        facts(path, settings, bands=(99,))
    with pytest.raises(SceneUnreadable, match="not an allowed source"):
        facts("/etc/passwd", settings)


def test_an_answer_that_describes_no_scene_is_refused(settings: Settings, program: Program) -> None:
    program("print('{}')")
    with pytest.raises(SceneUnreadable, match="breaks what decodes it"):
        facts("s3://a/b.tif", settings)


@pytest.mark.parametrize(
    ("scene", "kind"), [("s3://a/b.tif", SceneAway), ("/a/b.tif", SceneUnreadable)]
)
def test_a_plan_that_hangs_is_killed(
    settings: Settings, program: Program, scene: str, kind: type[GeogazeError]
) -> None:
    program("import time; time.sleep(600)")
    hasty = settings.model_copy(update={"plan_seconds": 0.25})
    with pytest.raises(GeogazeError, match=r"more than 0\.2 seconds") as caught:
        facts(scene, hasty)
    assert type(caught.value) is kind


def test_a_plan_has_limits_of_its_own(settings: Settings, program: Program) -> None:
    program(
        "import json, sys; t = json.load(sys.stdin); s = f\"{t['megabytes']} {t['seconds']:g}\";"
        "print(json.dumps({'kind': 'SceneUnusable', 'said': s})); sys.exit(3)"
    )
    tight = settings.model_copy(update={"plan_apart_mb": 1025, "plan_seconds": 77.5})
    with pytest.raises(SceneUnusable, match=r"^1025 62$"):
        facts("s3://a/b.tif", tight)


def test_a_bomb_ends_its_child_and_not_who_plans(settings: Settings, tmp_path: Path) -> None:
    """A sound file whose one block has 1.8 GB: by default it is described, in 1 GB it cannot be."""
    bomb, side = tmp_path / "uploads" / "bomb.tif", 30_000
    shape = {"width": side, "height": side, "blockxsize": side, "blockysize": side}
    form = {"tiled": True, "compress": "deflate", "SPARSE_OK": True, "dtype": "uint16", "count": 1}
    place = {"crs": "EPSG:32618", "transform": from_origin(5e5, 4e6, 1, 1)}
    with rasterio.open(bomb, "w", driver="GTiff", **shape, **form, **place):
        pass
    _fill(bomb, _zeros(2 * side * side))
    assert bomb.stat().st_size < 2**23
    roomy = settings.model_copy(update={"max_block_bytes": 2**34})
    assert facts(bomb, roomy).height == side
    tight = roomy.model_copy(update={"plan_apart_mb": 1024})
    with pytest.raises(SceneUnreadable, match=r"takes more memory than 1024 MB"):
        facts(bomb, tight)


def _zeros(count: int) -> bytes:
    """What zlib would make of so many zeros: the same piece again and again, and their sum."""
    piece, size = zlib.compressobj(9, wbits=-15), 2**22
    again = piece.compress(bytes(size)) + piece.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, wbits=-15)
    end = rest.compress(bytes(count % size)) + rest.flush()
    return b"\x78\xda" + again * (count // size) + end + struct.pack(">HH", count % 65521, 1)


def _fill(path: Path, stored: bytes) -> None:
    """Put bytes behind the only tile of a classic little-endian TIFF."""
    data = bytearray(path.read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, entry)
        if tag in {324, 325}:  # where the tile lies, and how long it is
            value = len(data) if tag == 324 else len(stored)
            struct.pack_into("<HHII", data, entry, tag, 4, 1, value)
    path.write_bytes(data + stored)
