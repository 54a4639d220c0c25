"""Submissions of scenes on a host that says nothing hold up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import uvicorn

from geogaze.config import Settings
from infra.services.server import hold_port
from tests.factories import make_scene
from tests.hosts import Host
from tests.unit.api.testing import make_app

MANY = 60  # more than the API has threads for requests


@pytest.fixture
def settings(settings: Settings, host: Host) -> Settings:
    """Nothing is given up before the test says so."""
    return settings.model_copy(
        update={
            "source_hosts": (host.name,),
            "connect_seconds": 60.0,
            "silence_seconds": 60.0,
            "plan_seconds": 60.0,
            "plans_at_once": 2,
        }
    )


@pytest.fixture
def api(settings: Settings) -> Iterator[str]:
    """A server of the API, with an event loop of its own."""
    port = hold_port(settings)
    configuration = uvicorn.Config(make_app(settings), port=port, log_config=None)
    server = uvicorn.Server(configuration)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def submit(api: str, scene: str, what: str = "execution") -> httpx.Response:
    inputs = {"scene": scene, "model": "tiny", "classes": ["boat"]}
    return httpx.post(f"{api}/processes/explain/{what}", json={"inputs": inputs}, timeout=120)


def test_many_submissions_of_a_silent_host_hold_up_nobody(
    api: str, host: Host, scene: Path, bundle_folder: Path
) -> None:
    host.mood = "silent"
    with ThreadPoolExecutor(MANY) as clients:
        try:
            waiting = [
                clients.submit(submit, api, host.uri(f"{number}.tif")) for number in range(MANY)
            ]
            host.wait_for_requests(2)
            for path in ("health", "jobs", "processes", "health"):
                assert httpx.get(f"{api}/{path}", timeout=30).status_code == 200, path
            assert submit(api, str(scene)).status_code == 201, "a scene from another place"
            assert not any(one.done() for one in waiting), "the host was silent all the while"
            assert len(host.asked) == 2, "no more at once than the operator allows"
        finally:
            host.mood = "503"
            host.closing.set()
        answers = [one.result() for one in waiting]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["type"] for answer in answers} == {
        "urn:geogaze:problem:scene-unreachable"
    }


class TestDeadline:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"plan_seconds": 0.2})

    @pytest.mark.parametrize("what", ["execution", "quote"])
    def test_no_submission_waits_longer_than_the_deadline(
        self, api: str, host: Host, what: str
    ) -> None:
        host.mood = "silent"
        try:
            answers = [submit(api, host.uri("port.tif"), what) for _ in range(4)]
        finally:
            host.closing.set()
        for answer in answers:
            assert answer.status_code == 503
            assert "within 0.2 s" in answer.json()["detail"]
        assert len(host.asked) == 2, "the last two stood in line"


def test_a_remote_scene_is_accepted(api: str, host: Host) -> None:
    make_scene(host.folder / "port.tif", 96, 128)
    answer = submit(api, host.uri("port.tif"))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(("mood", "status"), [("503", 503), ("404", 400), ("403", 400)])
def test_outages_and_refusals_are_told_apart(api: str, host: Host, mood: str, status: int) -> None:
    host.mood = mood
    answer = submit(api, host.uri("port.tif"))
    assert (answer.status_code, mood in answer.json()["detail"]) == (status, True)
