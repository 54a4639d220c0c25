"""Scenes on a host that serves, fails, stalls, or changes them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geogaze.config import Settings
from geogaze.errors import Retry, SceneAway, SceneReplaced, SceneUnreachable, SceneUnreadable
from geogaze.scene.decoders import ranged_decoder
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import SceneReader
from geogaze.scene.readers import open_reader
from geogaze.scene.version import look
from geogaze.scene.view import SceneView
from tests.factories import make_scene
from tests.hosts import Host
from tests.unit.scene.rasters import RGB, whole

DECODER: str | None = None
SHAPE = 600, 700
QUICK = Settings(connect_seconds=1, silence_seconds=1, request_seconds=2)


@pytest.fixture
def remote(host: Host) -> Path:
    return make_scene(host.folder / "port.tif", 600, 700)


@pytest.fixture
def policy(host: Host) -> SourcePolicy:
    return SourcePolicy(hosts=(host.name,))


@pytest.fixture(params=[None, ranged_decoder()], ids=["gdal", "async-tiff"], autouse=True)
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here holds for both ways of pixels."""
    monkeypatch.setattr(sys.modules[__name__], "DECODER", request.param)


def read(host: Host, policy: SourcePolicy, version: str | None = None) -> np.ndarray:
    uri = host.uri("port.tif")
    with open_reader(uri, policy, QUICK, version=version, decoder=DECODER) as reader:
        return values_of(reader)


def values_of(reader: SceneReader, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return reader.pixels((1, 2, 3), (0, 0, *shape), shape).values


def read_between(
    uri: str, policy: SourcePolicy, version: str | None, meanwhile: Callable[[], object]
) -> None:
    """Something happens after the first and before the last pixel was read."""
    decoder = DECODER if uri.startswith("https:") else None
    with open_reader(uri, policy, QUICK, version=version, decoder=decoder) as reader:
        reader.pixels((1, 2, 3), (0, 0, 64, 64), (64, 64))
        meanwhile()
        values_of(reader, SHAPE if uri.startswith("https:") else (200, 260))


def local(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        values: np.ndarray = dataset.read()
    return values


def test_a_remote_scene_is_read_as_a_local_one(
    host: Host, remote: Path, policy: SourcePolicy
) -> None:
    assert (read(host, policy) == local(remote)).all()


@pytest.mark.parametrize(
    ("mood", "after"),
    [
        *((mood, after) for mood in ("reset", "500", "503") for after in range(4)),
        *((mood, after) for mood in ("silent", "drip") for after in (0, 3)),
        ("429", 0),
    ],
)
def test_a_host_that_is_away_is_an_outage_and_soon_told(
    host: Host, remote: Path, policy: SourcePolicy, mood: str, after: int
) -> None:
    """At any request on the way to the first pixel; and the next try is a real one."""
    host.mood, host.after = mood, after
    started = time.monotonic()
    with pytest.raises(SceneAway) as told:
        read(host, policy)
    assert time.monotonic() - started < 30, "it waited longer than any limit"
    assert host.uri("port.tif") in str(told.value)
    assert "gdal_translate" not in str(told.value)
    assert told.value.retry is Retry.SOURCE_AWAY, "its tiles are not to blame"
    host.mood = "well"
    assert (read(host, policy) == local(remote)).all()


@pytest.mark.parametrize("small", [False, True], ids=["window", "picture"])
def test_a_host_that_goes_silent_is_not_asked_for_every_block(
    host: Host, policy: SourcePolicy, small: bool
) -> None:
    """Where blocks may be left out, each of 80 would hold its lane up as long."""
    make_scene(host.folder / "port.tif", 512, 640, tiled=True, blockxsize=64, blockysize=64)
    uri = host.uri("port.tif")
    with open_reader(uri, policy, QUICK, decoder=DECODER) as reader:
        info = reader.facts(RGB, None, None)
        view = SceneView(reader, info, whole(info), lenient=True)
        host.mood, asked = "silent", len(host.asked)
        box = (0, 0, 512, 640)
        pixels = view.read_small(box, (64, 80)) if small else view.read(box)
        host.mood = "well"
    assert not pixels.valid[-1].any(), "what had come with the header may be there"
    assert len(host.asked) - asked <= 20, "a few requests for each of two reads"
    reasons = [found.reason for found in pixels.damage]
    assert len(reasons) >= (0 if small else 70)
    assert all(reason.endswith("could not be fetched") for reason in reasons)


@pytest.mark.parametrize("decoder", [None], indirect=True, ids=["gdal"])
def test_a_host_that_goes_silent_while_its_scene_is_sampled_holds_up_nobody_for_long(
    host: Host, policy: SourcePolicy
) -> None:
    """Planning looks for what can be read: in 256 parts, and then in each of 80 blocks."""
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    make_scene(host.folder / "port.tif", 512, 640, dtype="uint16", **tiles)
    uri = host.uri("port.tif")
    with open_reader(uri, policy, QUICK) as reader:
        host.mood, asked = "silent", len(host.asked)
        with pytest.raises(SceneUnreachable, match="could not be fetched") as told:
            reader.facts(RGB, None, None)
        host.mood = "well"
    assert len(host.asked) - asked <= 20, "a few requests for each of two reads"
    assert told.value.retry is Retry.SUSPECT


@pytest.mark.parametrize("mood", ["404", "410", "403", "401"])
def test_what_a_host_refuses_is_no_outage(
    host: Host, remote: Path, policy: SourcePolicy, mood: str
) -> None:
    host.mood = mood
    with pytest.raises(SceneUnreadable, match=mood):
        read(host, policy)


def test_a_web_page_is_no_scene(host: Host, policy: SourcePolicy) -> None:
    (host.folder / "port.tif").write_text("<!DOCTYPE html><html>Please log in</html>")
    with pytest.raises(SceneUnreadable, match="web page"):
        read(host, policy)
    (host.folder / "port.tif").write_bytes(b"")
    with pytest.raises(SceneUnreadable, match="empty"):
        read(host, policy)


def test_a_redirect_leads_to_allowed_hosts_alone(
    host: Host, remote: Path, policy: SourcePolicy
) -> None:
    host.mood = "to https://127.0.0.1:1/port.tif"
    with pytest.raises(SceneUnreadable, match=r"1:1/port\.tif' is not an allowed source"):
        read(host, policy)
    host.mood = f"to {host.uri('port.tif')}"
    with pytest.raises(SceneUnreadable, match="circles"):
        read(host, policy)


class TestVersion:
    def test_another_content_is_another_version(
        self, host: Host, remote: Path, policy: SourcePolicy
    ) -> None:
        uri = host.uri("port.tif")
        before = look(uri, policy, QUICK).version
        assert before
        assert look(uri, policy, QUICK).version == before
        make_scene(remote, 600, 700, seed=1)
        assert look(uri, policy, QUICK).version != before

    @pytest.mark.parametrize("mood", ["silent", "503"])
    def test_a_host_that_is_away_is_not_one_without_versions(
        self, host: Host, remote: Path, policy: SourcePolicy, mood: str
    ) -> None:
        host.mood = mood
        with pytest.raises(SceneAway):
            look(host.uri("port.tif"), policy, QUICK)

    def test_a_scene_replaced_before_or_while_it_is_read_is_refused(
        self, host: Host, remote: Path, policy: SourcePolicy
    ) -> None:
        uri = host.uri("port.tif")
        version = look(uri, policy, QUICK).version
        assert (read(host, policy, version) == local(remote)).all()
        with pytest.raises(SceneReplaced, match="Submit it again"):
            read_between(uri, policy, version, lambda: make_scene(remote, 600, 700, seed=1))
        with pytest.raises(SceneReplaced):
            read(host, policy, version)

    def test_no_piece_of_a_replaced_scene_is_kept(
        self, host: Host, remote: Path, policy: SourcePolicy
    ) -> None:
        old = read(host, policy)
        make_scene(remote, 600, 700, seed=1)
        new = read(host, policy)
        assert (new == local(remote)).all()
        assert (new != old).mean() > 0.9


@pytest.mark.parametrize("decoder", [None], indirect=True, ids=["gdal"])
class TestLocal:
    """The same for files."""

    @pytest.mark.parametrize("how", ["in place", "by another", "touched", "gone"])
    def test_a_file_replaced_while_it_is_read_is_refused(
        self, scene: Path, tmp_path: Path, how: str
    ) -> None:
        other = make_scene(tmp_path / "new.tif", seed=1)
        replace: dict[str, Callable[[], object]] = {
            "in place": lambda: scene.write_bytes(other.read_bytes()),
            "by another": lambda: other.replace(scene),
            "touched": lambda: os.utime(scene),
            "gone": scene.unlink,
        }
        policy = SourcePolicy.local()
        version = look(str(scene), policy, QUICK).version
        read_between(str(scene), policy, version, lambda: None)
        with pytest.raises((SceneReplaced, SceneUnreadable)) as told:
            read_between(str(scene), policy, version, replace[how])
        assert isinstance(told.value, SceneReplaced) == (how != "gone")
