"""The commands that talk to an API, which runs in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from geogaze import client as client_module
from geogaze.cli import terminal
from geogaze.client import Client
from geogaze.errors import RemoteError
from geogaze.ledger.states import JobState
from tests.factories import make_scene
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient
from tests.unit.cli.conftest import Geogaze
from tests.unit.ledger.suite import submit
from tests.unit.test_client import Server


@pytest.fixture
def server(tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    server = Server(tmp_path, bundle_folder)

    def connect(self: Client, url: str, **_: Any) -> None:
        assert url == "http://heat.example.org"
        self.http = TestClient(server.app, raise_server_exceptions=False)

    monkeypatch.setattr(Client, "__init__", connect)
    monkeypatch.setattr(client_module, "sleep", lambda seconds: None)
    monkeypatch.setenv("GEOGAZE_API_URL", "http://heat.example.org")
    yield server
    server.ledger.database.dispose()


@pytest.fixture
def scene(server: Server) -> Path:
    return make_scene(server.settings.source_folders[0] / "port.tif", 96, 96)


def test_submit_and_cancel(geogaze: Geogaze, server: Server, scene: Path) -> None:
    words = ("submit", scene, "--model", "tiny", "--classes", "boat,road", "--overlap", 0.25)
    done = geogaze(*words)
    assert done.code == 0, done.err
    (job,) = server.ledger.jobs(limit=9)
    assert str(job.id) in done.out
    asked = server.ledger.request(job.id)
    assert (asked["classes"], asked["overlap"]) == (["boat", "road"], 0.25)
    assert geogaze(*words, "--json").last["status"] == "accepted"
    assert geogaze("cancel", job.id, "--json").last["status"] == "dismissed"
    assert server.ledger.status(job.id).state is JobState.DISMISSED
    assert geogaze("cancel", job.id).code == 0, "a second time changes nothing"


def test_a_folder_is_named_to_the_server_file_by_file(
    geogaze: Geogaze, server: Server, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_scene(scene.parent / "quay.tif", 96, 96, seed=1)
    monkeypatch.chdir(scene.parent)
    job = geogaze("submit", "*.tif", "--model", "tiny", "--json").last["jobID"]
    asked = server.ledger.request(UUID(job))["scene"]
    assert asked == [str(scene), str(scene.parent / "quay.tif")]
    quoted = geogaze("quote", "port.tif", "quay.tif", "--model", "tiny", "--json")
    assert quoted.last["tiles"] > 0


def test_a_file_that_the_server_cannot_read_is_uploaded(
    geogaze: Geogaze, server: Server, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = TestClient(server.app)._transport

    def connect(self: Client, url: str, **_: Any) -> None:
        self.http = httpx.Client(transport=transport, base_url="http://testserver")

    monkeypatch.setattr(Client, "__init__", connect)
    mine = make_scene(tmp_path / "mine.tif", 96, 96, seed=1)
    for words, is_sent in (((mine,), True), ((scene,), False), ((scene, "--upload"), True)):
        job = geogaze("submit", *words, "--model", "tiny", "--json").last["jobID"]
        asked = server.ledger.request(UUID(job))["scene"]
        assert ("/uploads/" in asked) is is_sent
        assert Path(asked).read_bytes() == words[0].read_bytes()
    refused = geogaze("submit", tmp_path / "nowhere.tif", "--model", "tiny")
    assert refused.code == 2
    assert "Nor is such a file here" in refused.err
    (tmp_path / "notes.tif").write_text("no pixels")
    assert "GeoTIFF" in geogaze("submit", tmp_path / "notes.tif", "--model", "tiny").err


def test_the_same_key_submits_once(geogaze: Geogaze, server: Server, scene: Path) -> None:
    words = ("submit", scene, "--model", "tiny", "--json", "--key", "monday")
    jobs = {geogaze(*words).last["jobID"] for _ in range(2)}
    assert len(jobs) == len(server.ledger.jobs(limit=9)) == 1
    refused = geogaze(*words, "--overlap", 0)
    assert refused.code == 2
    assert "'monday'" in refused.err


def test_what_else_may_be_asked_for(geogaze: Geogaze, server: Server, scene: Path) -> None:
    wishes = {"on_error": "skip", "colormap": "viridis", "priority": "high"}
    words = [w for name, wish in wishes.items() for w in (f"--{name.replace('_', '-')}", wish)]
    job = geogaze("submit", scene, "--model", "tiny", "--json", *words).last["jobID"]
    asked = server.ledger.request(UUID(job))
    assert {name: asked[name] for name in wishes} == wishes
    for name in wishes:
        done = geogaze("submit", scene, f"--{name.replace('_', '-')}", "perhaps")
        assert done.code == 2


def test_retry(geogaze: Geogaze, server: Server) -> None:
    job = submit(server.ledger)
    assert geogaze("retry", job).code == 2
    end(server.ledger, job, JobState.FAILED)
    done = geogaze("retry", job)
    assert done.code == 0, done.err
    assert f"geogaze watch {job}" in done.out
    assert server.ledger.status(job).state is JobState.RUNNING
    end(server.ledger, job, JobState.FAILED)
    assert geogaze("retry", job, "--json").last["status"] == "running"
    assert geogaze("retry", "none").code == 2


@pytest.mark.parametrize(
    ("state", "code"),
    [(JobState.SUCCESSFUL, 0), (JobState.FAILED, 1), (JobState.DISMISSED, 1)],
)
def test_watch_exits_as_the_job_ended(
    geogaze: Geogaze, server: Server, state: JobState, code: int
) -> None:
    job = submit(server.ledger)
    end(server.ledger, job, state)
    done = geogaze("watch", job)
    assert done.code == code
    assert state.value in done.out
    for address in (f"/jobs/{job}/wmts/1.0.0/WMTSCapabilities.xml\n", f"/jobs/{job}/features\n"):
        assert (f"http://testserver{address}" in done.out) == (state is JobState.SUCCESSFUL)
    as_json = geogaze("watch", job, "--json")
    assert (as_json.code, as_json.last["status"]) == (code, state.value)


def test_who_waits_for_a_job_is_told_its_id_first(
    geogaze: Geogaze, server: Server, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what to do with it, when the waiting is cut short by the person or by the API."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def away(*_: Any, **__: Any) -> None:
        raise RemoteError("No geogaze API answers.")

    for ends, code in ((interrupted, 130), (away, 3)):
        for asks in ("events", "status"):
            monkeypatch.setattr(Client, asks, ends)
        done = geogaze("submit", scene, "--model", "tiny", "--wait")
        job = server.ledger.jobs(limit=1)[0].id
        assert done.code == code
        assert done.err.startswith(f"Accepted as {job}.")
        last = done.err.splitlines()[-1]
        assert f"geogaze watch {job}" in last
        assert f"geogaze cancel {job}" in last
        as_json = geogaze("watch", job, "--json")
        assert as_json.code == code
        assert as_json.last["status"] == ("interrupted" if code == 130 else "unknown")


def test_jobs_are_listed(geogaze: Geogaze, server: Server) -> None:
    assert "No jobs" in geogaze("jobs").out
    jobs = [submit(server.ledger) for _ in range(3)]
    server.ledger.dismiss(jobs[0])
    done = geogaze("jobs")
    assert all(str(job) in done.out for job in jobs)
    (dismissed,) = geogaze("jobs", "--status", "dismissed", "--json").last
    assert dismissed["jobID"] == str(jobs[0])
    assert len(geogaze("jobs", "--limit", 2, "--json").last) == 2


def test_job_ids_stay_whole_in_80_columns(
    geogaze: Geogaze, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "_width", 80)
    job = submit(server.ledger)
    end(server.ledger, job, JobState.FAILED)
    assert str(job) in geogaze("jobs").out


def test_results_are_shown_and_fetched(geogaze: Geogaze, server: Server) -> None:
    job = submit(server.ledger)
    server.work()
    server.work({"heat-boat": "heat-boat.tif"})
    links = geogaze("results", job, "--json").last
    assert links["heat-boat"]["href"].endswith(f"/jobs/{job}/assets/heat-boat.tif")
    assert links["heat-boat"]["href"] in geogaze("results", job).out
    done = geogaze("results", job, "--download", "new/heat")
    assert done.code == 0, done.err
    assert Path("new/heat/heat-boat.tif").read_text() == "heat-boat"


@pytest.mark.parametrize("state", [JobState.ACCEPTED, JobState.FAILED, JobState.DISMISSED])
def test_results_that_are_not_there_leave_no_folder(
    geogaze: Geogaze, server: Server, state: JobState
) -> None:
    job = submit(server.ledger)
    end(server.ledger, job, state)
    done = geogaze("results", job, "--download", "heat")
    assert done.code == (1 if state is JobState.FAILED else 2)
    assert str(job) in done.err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [(["--classes", "boot"], "boat"), (["--model", "tyni"], "tyni"), (["--overlap", 2], "overlap")],
)
def test_a_wrong_request_exits_with_2_wherever_it_is_found(
    geogaze: Geogaze, server: Server, scene: Path, changes: list[object], says: str
) -> None:
    done = geogaze("submit", scene, "--model", "tiny", *changes)
    assert says in done.err
    assert server.ledger.jobs(limit=9) == []
    assert done.code == 2


def test_a_quote_is_printed_and_starts_nothing(
    geogaze: Geogaze, server: Server, scene: Path
) -> None:
    words = ("quote", scene, "--model", "tiny", "--classes", "boat,road", "--overlap", 0)
    done = geogaze(*words)
    assert done.code == 0, done.err
    for told in ("tiles     4", "2, each 4 × 4 cells of 16 m", "at most", "not known"):
        assert told in done.out
    answer = geogaze(*words, "--json").last
    assert (answer["tiles"], answer["layers"]) == (4, 2)
    assert server.ledger.jobs(limit=9) == []
    refused = geogaze("quote", scene, "--model", "tiny", "--classes", "boot")
    assert refused.code == 2
    assert "boat" in refused.err
