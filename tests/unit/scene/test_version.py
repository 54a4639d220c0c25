"""The version of a scene's file: the same for the same content, another for another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from geogaze.errors import SceneAway, SceneUnreadable
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.version import look
from tests.factories import make_scene
from tests.unit.scene.rasters import ANY_FILE, SETTINGS


def version(uri: object, policy: SourcePolicy = ANY_FILE) -> str | None:
    return look(str(uri), policy, SETTINGS).version


def test_a_file_that_stays_keeps_its_version(scene: Path) -> None:
    before = version(scene)
    assert before
    scene.read_bytes()
    assert version(scene) == version(scene.as_uri()) == before


def test_time_and_size_each_make_another(scene: Path) -> None:
    seen = {version(scene)}
    found = scene.stat()
    os.utime(scene, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    seen.add(version(scene))
    with scene.open("ab") as file:
        file.write(b"x")
    os.utime(scene, ns=(found.st_atime_ns, found.st_mtime_ns))
    seen.add(version(scene))
    assert len(seen) == 3


def test_a_file_put_in_its_place_is_another(scene: Path, tmp_path: Path) -> None:
    before = version(scene)
    make_scene(tmp_path / "new.tif", seed=1).replace(scene)
    assert version(scene) != before


def test_what_is_not_allowed_is_not_looked_at(scene: Path) -> None:
    with pytest.raises(SceneUnreadable):
        version(scene, SourcePolicy())


@pytest.mark.parametrize("uri", ["https://127.0.0.1:9/port.tif", "s3://imagery/port.tif"])
def test_a_store_that_does_not_answer_is_away(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no scene without a version."""
    policy = SourcePolicy(buckets=("imagery",), hosts=("127.0.0.1:9",))
    settings = SETTINGS.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(SceneAway, match="did not answer"):
        look(uri, policy, settings)
