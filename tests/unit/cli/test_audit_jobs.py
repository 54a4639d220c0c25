"""The command audit on finished jobs of a server's, which runs in this process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from geogaze.cli import audit_jobs
from geogaze.client import Client
from tests.unit.api.testing import TestClient
from tests.unit.api.working import work_off
from tests.unit.audit.conftest import World, world  # noqa: F401
from tests.unit.cli.conftest import Geogaze
from tests.unit.cli.test_remote import server  # noqa: F401
from tests.unit.test_client import Server


def test_a_servers_jobs_are_audited_as_scenes_are(
    geogaze: Geogaze,
    server: Server,  # noqa: F811
    world: World,  # noqa: F811
    bundle_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As over a network: the client that tests of APIs have takes no limits of time.
    transport = TestClient(server.app)._transport

    def connect(self: Client, url: str, **_: Any) -> None:
        self.http = httpx.Client(transport=transport, base_url="http://testserver")

    monkeypatch.setattr(Client, "__init__", connect)
    scene = Path(shutil.copy2(world.scene, server.settings.source_folders[0]))
    words = ("submit", scene, "--model", "tiny", "--classes", "boat", "--overlap", 0)
    job = geogaze(*words, "--overlays", "none", "--json").last["jobID"]
    work_off(server.settings)

    def followed(client: Client, audit: str, *, quiet: bool) -> Any:
        work_off(server.settings)
        return client.status(audit)

    monkeypatch.setattr(audit_jobs, "followed", followed)
    asked = ("--class", "boat", "--by", "class", "--tiles", 2, "--truth", world.objects)
    asked = (*asked, "--cover", f"grass={world.green}")
    there = geogaze("audit", job, *asked, "--out", tmp_path / "there", "--json")
    assert there.code == 0, there.err
    here = geogaze(
        *("audit", world.scene, *asked, "--model", bundle_folder, "--out", tmp_path / "here"),
        *("--fail-if", "enrichment[boat]>1000", "--json"),
    )
    assert here.code == 0, here.err
    assert there.last == here.last
    told = json.loads((tmp_path / "there" / "audit.json").read_text())
    assert told == there.last
    for name in ("audit.html", "audit.json"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert (tmp_path / "there" / "collect.gpkg").stat().st_size > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((uuid4(), "port.tif"), "audit them apart"),
        ((uuid4(),), "0 files for 1 jobs"),
        ((uuid4(), "--truth", "ships.shp"), "servers read GeoJSON"),
        ((uuid4(), "--truth", "ships.gpkg"), "There is no file"),
    ],
)
def test_what_cannot_be_sent_is_told(
    geogaze: Geogaze,
    server: Server,  # noqa: F811
    tmp_path: Path,
    words: tuple[object, ...],
    says: str,
) -> None:
    done = geogaze("audit", *words, "--class", "boat", "--out", tmp_path / "out")
    assert (done.code, says in done.err) == (2, True), done.err
    assert not (tmp_path / "out").exists()
